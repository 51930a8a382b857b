import { z } from 'zod'
import type { AgentLock } from '../../shared/model/agent.ts'

/** The lock file: no flag, but who holds it and why (S0.53-57). */
export const LockContent = z.object({
  pid: z.number().int().positive(),
  /** When the holding process began, ISO-8601 in UTC. */
  start_time: z.iso.datetime({ offset: false }),
  hostname: z.string().min(1).max(255),
  /** The idempotency key until the run is registered (D5). */
  run_id: z.string().min(1).max(128),
  /** The process, told apart from a later one with its pid; other agents do not write it. */
  process: z.string().max(200).optional(),
})
export type LockContent = z.infer<typeof LockContent>

export type FoundLock =
  | { readonly status: 'absent' }
  | { readonly status: 'corrupt' }
  | { readonly status: 'held'; readonly content: LockContent }

/** Reads what stands in a lock file; an empty or half-written one is corrupt (S0.52). */
export function readLockContent(text: string): FoundLock {
  try {
    return { status: 'held', content: LockContent.parse(JSON.parse(text)) }
  } catch {
    return { status: 'corrupt' }
  }
}

/** What this machine says of the pid in a lock. A zombie is not alive (S0.51). */
export interface HolderFacts {
  readonly alive: boolean
  /** Opaque, see `ProcessIdentity`; null when nobody has this pid. */
  readonly process: string | null
  /** When it began; null where the system does not tell. */
  readonly startedAtMs: number | null
}

/** This process as a holder. `runKeys`: our idempotency key and, once there is one, the run id. */
export interface LockSelf {
  readonly pid: number
  readonly startTime: string
  readonly hostname: string
  readonly process: string
  readonly runKeys: readonly string[]
}

export type LockDecision =
  | { readonly kind: 'take' }
  /** We hold it already. */
  | { readonly kind: 'keep' }
  /** Another agent works: a clean end, not an error (S0.50). */
  | { readonly kind: 'yield'; readonly holder: LockContent }
  | {
      readonly kind: 'reclaim'
      readonly reason: 'dead' | 'corrupt' | 'pid-reused'
      readonly holder: LockContent | null
    }
  /** Written on another machine: nobody here can know whether it runs, only a person breaks it (D7). */
  | { readonly kind: 'foreign'; readonly holder: LockContent }

/** Boot times are computed from two clocks; less than this says nothing. */
const startTimeToleranceMs = 5_000

/** What to do about the lock that was found (S0.48-52, D7). `holder` is about the pid in it. */
export function decideLock(found: FoundLock, self: LockSelf, holder: HolderFacts): LockDecision {
  if (found.status === 'absent') return { kind: 'take' }
  if (found.status === 'corrupt') return { kind: 'reclaim', reason: 'corrupt', holder: null }
  const { content } = found
  if (isOurs(found, self)) return { kind: 'keep' }
  if (content.hostname !== self.hostname) return { kind: 'foreign', holder: content }
  if (!holder.alive) return { kind: 'reclaim', reason: 'dead', holder: content }
  return isReused(content, holder)
    ? { kind: 'reclaim', reason: 'pid-reused', holder: content }
    : { kind: 'yield', holder: content }
}

/** A process that began after the lock was written cannot have written it. */
function isReused(content: LockContent, holder: HolderFacts): boolean {
  const known = content.process !== undefined && content.process !== 'unknown' && holder.process !== 'unknown'
  if (known) return holder.process !== content.process
  if (holder.startedAtMs === null) return false
  return holder.startedAtMs > Date.parse(content.start_time) + startTimeToleranceMs
}

/** Only such a lock may be rewritten or released by us (D6): same process and same run. */
export function isOurs(found: FoundLock, self: LockSelf): boolean {
  if (found.status !== 'held') return false
  const { pid, start_time, hostname, run_id, process } = found.content
  return (
    pid === self.pid &&
    start_time === self.startTime &&
    hostname === self.hostname &&
    (process === undefined || process === self.process) &&
    self.runKeys.includes(run_id)
  )
}

/** What goes into the file. */
export function lockContentOf(self: LockSelf, runId: string): LockContent {
  const { pid, startTime, hostname, process } = self
  return { pid, start_time: startTime, hostname, run_id: runId, process }
}

/** A sentence about the holder for people. */
export function describeHolder({ pid, start_time, hostname, run_id }: LockContent): string {
  return `process ${pid} on ${hostname} since ${start_time}, run ${run_id}`
}

/** The lock as the control plane shows it; null without one. */
export function reportedLock(found: FoundLock, self: LockSelf, holder: HolderFacts): AgentLock | null {
  if (found.status === 'absent') return null
  if (found.status === 'corrupt')
    return { pid: 1, startTime: '', hostname: self.hostname, runId: '', standing: 'corrupt' }
  const { pid, start_time, hostname, run_id } = found.content
  return { pid, startTime: start_time, hostname, runId: run_id, standing: standingOf(decideLock(found, self, holder)) }
}

function standingOf(decision: LockDecision): AgentLock['standing'] {
  switch (decision.kind) {
    case 'keep':
      return 'ours'
    case 'foreign':
      return 'foreign'
    case 'yield':
      return 'alive'
    default:
      return 'dead'
  }
}
