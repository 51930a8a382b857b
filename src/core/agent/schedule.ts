/** When the schedule asks for the next run. Survives restarts, so that what was slept through is caught up once. */
export interface ScheduleState {
  readonly expression: string
  readonly nextRunAt: number
}

/**
 * The time to wait for, looked at on the wall clock: a time that has passed while the machine slept or was off is due
 * now, once, however many were missed. A changed expression starts anew.
 *
 * @param next the first time of the expression after a moment, or null when there is none any more
 */
export function scheduleAt(
  stored: ScheduleState | null,
  expression: string,
  nowMs: number,
  next: (afterMs: number) => number | null,
): ScheduleState | null {
  if (stored?.expression === expression) return stored
  const nextRunAt = next(nowMs)
  return nextRunAt === null ? null : { expression, nextRunAt }
}

export function isDue(state: ScheduleState, nowMs: number): boolean {
  return nowMs >= state.nextRunAt
}
