import { type Run, type RunState, runStates, type StateVisit } from '../../../shared/model/run.ts'

export type SegmentStatus = 'ahead' | 'unreached' | StateVisit['outcome']

/** One of the eleven states as it is drawn. */
export interface TrackSegment {
  readonly state: RunState
  readonly status: SegmentStatus
  /** Time spent in it, over all visits. */
  readonly spentMs: number
  /** Of the whole track, 0 to 1; all eleven add up to 1. */
  readonly share: number
  readonly visits: readonly StateVisit[]
}

/** Every segment can be read and clicked; the rest of the width is shared out by time. */
const smallestShare = 0.055

const spent = (visit: StateVisit, nowMs: number): number => Math.max(0, (visit.leftAt ?? nowMs) - visit.enteredAt)

function statusOf(visits: readonly StateVisit[], run: Run): SegmentStatus {
  const last = visits.at(-1)
  if (last !== undefined) return last.outcome
  return run.finishedAt === null ? 'ahead' : 'unreached'
}

/**
 * A visit to FAILED that is done says that the run has failed, not that something went well, so it is drawn as failed.
 * @param nowMs the engine's time, for the state that is being visited
 */
export function layoutTrack(run: Run, nowMs: number): TrackSegment[] {
  const segments = runStates.map((state) => {
    const visits = run.visits.filter((visit) => visit.state === state)
    const status = statusOf(visits, run)
    const spentMs = visits.reduce((sum, visit) => sum + spent(visit, nowMs), 0)
    return { state, visits, spentMs, status: state === 'FAILED' && visits.length > 0 ? ('failed' as const) : status }
  })
  const totalMs = segments.reduce((sum, segment) => sum + segment.spentMs, 0)
  const flexible = 1 - smallestShare * segments.length
  return segments.map((segment) => ({
    ...segment,
    share: totalMs === 0 ? 1 / segments.length : smallestShare + (flexible * segment.spentMs) / totalMs,
  }))
}

/** Where a failed, halted or canceled run stopped; null while it runs or when it succeeded. */
export function stoppedIn(run: Run): RunState | null {
  const bad = run.visits.filter(
    (visit) => ['failed', 'halted', 'canceled'].includes(visit.outcome) && visit.state !== 'FAILED',
  )
  return bad.at(-1)?.state ?? null
}
