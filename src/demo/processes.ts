import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isSameProcessAlive, type ProcessIdentity, readProcessIdentity } from '../platform/processIdentity.ts'
import { logName } from './layout.ts'
import { nodeMarker } from './nodeTemplates.ts'

interface SeenProcess {
  readonly pid: number
  readonly parentPid: number
  /** Belongs to a node below the directory by a mark that no stranger carries. */
  readonly marked: boolean
}

const attempt = <T>(read: () => T, otherwise: T): T => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

/** Tells by a node's directory whether its processes are meant. */
export type NodeFilter = (nodeDirectory: string) => boolean

/**
 * An sshd of ours keeps its log open, whatever it has done to its command line; a session carries the
 * node's directory in its environment. The working directory proves nothing: a person may look
 * around in there.
 */
function isMarked(pid: number, filter: NodeFilter): boolean {
  const environment = attempt(() => readFileSync(`/proc/${pid}/environ`, 'utf8'), '')
  const marks = environment.split('\0').filter((entry) => entry.startsWith(`${nodeMarker}=`))
  if (marks.some((entry) => filter(entry.slice(nodeMarker.length + 1)))) return true
  const program = basename(attempt(() => readlinkSync(`/proc/${pid}/exe`), ''))
  if (!program.startsWith('sshd')) return false
  return openFiles(pid).some((path) => basename(path) === logName && filter(dirname(path)))
}

const openFiles = (pid: number): readonly string[] =>
  attempt(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) =>
    attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '').replace(/ \(deleted\)$/, ''),
  )

function seeOnLinux(filter: NodeFilter): readonly SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = attempt(() => readFileSync(`/proc/${name}/stat`, 'latin1'), '')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === undefined || parent === undefined || state === 'Z') return []
      return [{ pid: Number(name), parentPid: Number(parent), marked: isMarked(Number(name), filter) }]
    })
}

function seeWithPs(): readonly SeenProcess[] {
  const table = attempt(() => execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }), '')
  return table.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s*$/.exec(line)
    return match === null ? [] : [{ pid: Number(match[1]), parentPid: Number(match[2]), marked: false }]
  })
}

/** Adds to `roots` every process that descends from one of them. */
function withDescendants(seen: readonly SeenProcess[], roots: ReadonlySet<number>): ReadonlySet<number> {
  const children = Map.groupBy(seen, (process) => process.parentPid)
  const found = new Set(roots)
  const queue = [...roots]
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (found.has(child.pid)) continue
      found.add(child.pid)
      queue.push(child.pid)
    }
  }
  return found
}

/**
 * Every process that belongs to the chosen nodes: servers, sessions, and what sessions have started, also when whoever
 * started them was killed. Never the calling process. Elsewhere than on Linux only what descends from `known`.
 * @param known processes recorded at their start, by identity
 */
export function findProcesses(filter: NodeFilter, known: readonly ProcessIdentity[]): readonly ProcessIdentity[] {
  const seen = process.platform === 'linux' ? seeOnLinux(filter) : seeWithPs()
  const roots = new Set(seen.filter((each) => each.marked).map((each) => each.pid))
  for (const identity of known) if (isSameProcessAlive(identity)) roots.add(identity.pid)
  roots.delete(process.pid)
  return [...withDescendants(seen, roots)]
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => readProcessIdentity(pid) ?? [])
}

function kill(identity: ProcessIdentity): void {
  if (!isSameProcessAlive(identity)) return
  attempt(() => process.kill(identity.pid, 'SIGKILL'), false)
}

const killDeadlineMs = 10_000

/**
 * Ends every process of the chosen nodes, at once and without a farewell, as a power cut would. Looks again
 * until a look finds nobody, since a server may fork while we look.
 * @returns the processes that would not go
 */
export async function endProcesses(
  filter: NodeFilter,
  known: readonly ProcessIdentity[],
): Promise<readonly ProcessIdentity[]> {
  const deadlineMs = performance.now() + killDeadlineMs
  for (;;) {
    const found = findProcesses(filter, known).filter(isSameProcessAlive)
    if (found.length === 0 || performance.now() > deadlineMs) return found
    for (const identity of found) kill(identity)
    await delay(10)
  }
}
