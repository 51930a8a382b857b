import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'
import { sysusersText, type UnitNames, unitAlias, unitName, unitText } from './unit.ts'

/** One thing that installing or uninstalling does. */
export type ServiceStep =
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'run'; readonly command: string; readonly args: readonly string[] }

export interface ServicePlace {
  /** Of another system, to prepare an image; null: this one, which has to run systemd. */
  readonly root: string | null
}

const below = ({ root }: ServicePlace, path: string): string => (root === null ? path : join(root, path))
const unitPath = (place: ServicePlace): string => below(place, `/etc/systemd/system/${unitName}`)
const sysusersPath = (place: ServicePlace): string => below(place, '/etc/sysusers.d/lockstep.conf')
const commandTimeoutMs = 60_000

const systemctl = (place: ServicePlace, ...args: string[]): ServiceStep => ({
  kind: 'run',
  command: 'systemctl',
  args: place.root === null ? args : [`--root=${place.root}`, ...args],
})

/** Everything an installation does, in order; the same list is shown by a dry run. */
export async function installSteps(place: ServicePlace, names: UnitNames): Promise<ServiceStep[]> {
  const root = place.root === null ? [] : [`--root=${place.root}`]
  return [
    { kind: 'write', path: sysusersPath(place), content: sysusersText(names.user) },
    { kind: 'write', path: unitPath(place), content: await unitText(names) },
    { kind: 'run', command: 'systemd-sysusers', args: [...root, 'lockstep.conf'] },
    ...(place.root === null ? [systemctl(place, 'daemon-reload')] : []),
    systemctl(place, 'enable', ...(place.root === null ? ['--now'] : []), unitName),
  ]
}

/** Leaves the state directory and its user: they hold the fleet's keys and history. */
export function uninstallSteps(place: ServicePlace): ServiceStep[] {
  return [
    systemctl(place, 'disable', ...(place.root === null ? ['--now'] : []), unitName),
    { kind: 'remove', path: unitPath(place) },
    { kind: 'remove', path: sysusersPath(place) },
    ...(place.root === null ? [systemctl(place, 'daemon-reload')] : []),
  ]
}

/** @throws AppError UNSUPPORTED without systemd, FORBIDDEN without the rights */
export function assertInstallable({ root }: ServicePlace): void {
  if (root !== null) return
  if (!existsSync('/run/systemd/system')) throw noSystemd()
  if (process.getuid?.() !== 0)
    throw new AppError('FORBIDDEN', 'A service of the system is installed by root: sudo lockstep service install.')
}

const noSystemd = (): AppError =>
  new AppError(
    'UNSUPPORTED',
    'systemd does not run here (there is no /run/systemd/system). Run "lockstep serve" under what starts services here, ' +
      'or prepare the file system of another machine with --root DIR.',
  )

const hiddenFromUnits = /^\/(home|root|run\/user|tmp|var\/tmp)(\/|$)/

/** The unit sees no home directories, so a program in one would not start. @throws AppError PRECONDITION_FAILED */
export function assertVisible({ node, program }: UnitNames): void {
  const hidden = [node, program].find((path) => hiddenFromUnits.test(path))
  if (hidden === undefined) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `The service is kept away from home directories and /tmp, and ${hidden} lies in one. Install Lockstep below /opt.`,
    { data: { path: hidden } },
  )
}

/** @throws AppError PROGRAM_MISSING, PROGRAM_FAILED, and what writing a file may throw */
export async function carryOut(steps: readonly ServiceStep[]): Promise<void> {
  for (const step of steps) {
    if (step.kind === 'write') {
      await mkdir(dirname(step.path), { recursive: true })
      await writeFileAtomic(step.path, step.content, { mode: 0o644 })
    } else if (step.kind === 'remove') await rm(step.path, { force: true })
    else await exec({ command: step.command, args: step.args, timeoutMs: commandTimeoutMs })
  }
}

export interface ServiceStatus {
  /** `differs`: edited, or of another version. */
  readonly unit: 'missing' | 'installed' | 'differs'
  readonly path: string
  readonly alias: string
  readonly enabled: boolean
  /** As systemd says it; `unknown` where it does not run. */
  readonly active: string
}

export async function serviceStatus(place: ServicePlace, names: UnitNames): Promise<ServiceStatus> {
  const path = unitPath(place)
  const found = await readFile(path, 'utf8').catch(() => null)
  const running = place.root === null && existsSync('/run/systemd/system')
  return {
    unit: found === null ? 'missing' : found === (await unitText(names)) ? 'installed' : 'differs',
    path,
    alias: unitAlias,
    enabled: found !== null && (await ask(systemctl(place, 'is-enabled', unitName))) === 'enabled',
    active: running ? await ask(systemctl(place, 'is-active', unitName)) : 'unknown',
  }
}

async function ask(step: ServiceStep): Promise<string> {
  if (step.kind !== 'run') return ''
  const { command, args } = step
  const answer = await exec({ command, args, timeoutMs: commandTimeoutMs, okExitCodes: 'any' }).catch(() => null)
  return answer?.stdout.trim() ?? ''
}
