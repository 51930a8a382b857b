import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * A process, told apart from a later one that was given the same pid.
 * `startTime` is opaque and compared for equality only; on Linux it holds the boot id, so it survives a reboot too.
 * It is `unknown` where the system offers no way to tell (then a living pid is taken for the same process).
 */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
}

interface ObservedProcess extends ProcessIdentity {
  readonly isZombie: boolean
  readonly processGroupId: number | undefined
}

let bootId: string | undefined

function linuxBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8)
  return bootId
}

/** The program's name stands in brackets and may hold spaces and brackets itself: fields count from the last one. */
export function parseProcStat(
  stat: string,
): { readonly state: string; readonly processGroupId: number; readonly startTicks: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, , processGroup] = fields
  const startTicks = fields[19]
  if (state === undefined || processGroup === undefined || startTicks === undefined) return undefined
  return { state, processGroupId: Number(processGroup), startTicks }
}

function observeOnLinux(pid: number): ObservedProcess | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  const parsed = parseProcStat(stat)
  if (parsed === undefined) return undefined
  return {
    pid,
    startTime: `${linuxBootId()}:${parsed.startTicks}`,
    isZombie: parsed.state === 'Z' || parsed.state === 'X',
    processGroupId: parsed.processGroupId,
  }
}

function observeWithPs(pid: number): ObservedProcess | undefined {
  try {
    const options = { encoding: 'utf8', env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' } } as const
    const line = execFileSync('ps', ['-o', 'stat=,pgid=,lstart=', '-p', String(pid)], {
      ...options,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    const match = /^(\S+)\s+(\d+)\s+(.+)$/.exec(line)
    if (match === null) return undefined
    const [, state = '', group = '', startTime = ''] = match
    return { pid, startTime, isZombie: state.startsWith('Z'), processGroupId: Number(group) }
  } catch {
    return undefined
  }
}

function observeBySignal(pid: number): ObservedProcess | undefined {
  if (!pidExists(pid)) return undefined
  return { pid, startTime: 'unknown', isZombie: false, processGroupId: undefined }
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function observe(pid: number): ObservedProcess | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  if (process.platform === 'linux') return observeOnLinux(pid)
  return process.platform === 'win32' ? observeBySignal(pid) : observeWithPs(pid)
}

/** Who runs under this pid now, or undefined when nobody does. A zombie still has an identity. */
export function readProcessIdentity(pid: number): ProcessIdentity | undefined {
  const observed = observe(pid)
  return observed === undefined ? undefined : { pid: observed.pid, startTime: observed.startTime }
}

/** The identity of the calling process. */
export function currentProcessIdentity(): ProcessIdentity {
  return readProcessIdentity(process.pid) ?? { pid: process.pid, startTime: 'unknown' }
}

/** True while exactly this process runs: not a later one with its pid, and not a zombie (S0.49-51). */
export function isSameProcessAlive(identity: ProcessIdentity): boolean {
  const observed = observe(identity.pid)
  if (observed === undefined || observed.isZombie) return false
  if (identity.startTime === 'unknown' || observed.startTime === 'unknown') return true
  return observed.startTime === identity.startTime
}
