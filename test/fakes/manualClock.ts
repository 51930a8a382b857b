import type { Clock, Timer } from '../../src/platform/clock.ts'

interface PendingTimer {
  readonly dueMs: number
  readonly order: number
  readonly fire: () => void
}

/** A clock that moves only when told to. `advance` fires due timers in order of their due time. */
export interface ManualClock extends Clock {
  /** Moves both clocks forward; timers see the time at which they were due. */
  advance(byMs: number): void
  /** Sets the wall clock alone, as a wake-up or an administrator does: no timer fires. */
  jumpWallClock(toMs: number): void
  readonly pendingTimerCount: number
}

/** @param startMs wall clock at the start, epoch ms */
export function createManualClock(startMs = Date.UTC(2026, 0, 7, 9, 31, 12)): ManualClock {
  let monotonicMs = 0
  let wallOffsetMs = startMs
  let created = 0
  const pending = new Set<PendingTimer>()

  const nextDue = (untilMs: number): PendingTimer | undefined =>
    [...pending]
      .filter((timer) => timer.dueMs <= untilMs)
      .sort((left, right) => left.dueMs - right.dueMs || left.order - right.order)[0]

  const setTimer = (delayMs: number, fire: () => void): Timer => {
    created += 1
    const timer: PendingTimer = { dueMs: monotonicMs + Math.max(0, delayMs), order: created, fire }
    pending.add(timer)
    return { cancel: () => void pending.delete(timer) }
  }

  const advance = (byMs: number): void => {
    const untilMs = monotonicMs + byMs
    for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
      pending.delete(timer)
      monotonicMs = timer.dueMs
      timer.fire()
    }
    monotonicMs = untilMs
  }

  return {
    nowMs: () => wallOffsetMs + monotonicMs,
    monotonicMs: () => monotonicMs,
    setTimer,
    advance,
    jumpWallClock: (toMs) => {
      wallOffsetMs = toMs - monotonicMs
    },
    get pendingTimerCount() {
      return pending.size
    },
  }
}
