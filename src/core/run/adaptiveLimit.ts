/*
 * How many round trips are under way at once. The nodes do the work; what is short is our own event loop, so the limit
 * grows while the loop answers in time and shrinks as soon as it does not (additive increase, multiplicative decrease, with a
 * fast start as TCP has it).
 */

export interface LimitBounds {
  readonly smallest: number
  readonly largest: number
}

export interface LimitState {
  readonly limit: number
  /** Doubles until this, then grows in steps; set by the first time the loop was late. */
  readonly threshold: number
}

/** What was seen since the last decision. */
export interface LimitSample {
  /** How late a timer fired, at worst. Milliseconds. */
  readonly lagMs: number
  /** Somebody waited because the limit was reached: only then would a larger one be used. */
  readonly wasFull: boolean
  /** Round trips that ended. Without any there is nothing to learn from. */
  readonly completed: number
}

/** From here on those who click notice. */
const lateMs = 150
/** Below this the loop has room. */
const comfortableMs = 60
const step = 16
const decrease = 0.7

/** @param bounds `smallest` at least 1, `largest` not below it */
export function firstLimit({ smallest, largest }: LimitBounds): LimitState {
  return { limit: Math.max(smallest, Math.min(largest, 64)), threshold: largest }
}

/** The limit until the next sample; always within the bounds. */
export function nextLimit(
  { limit, threshold }: LimitState,
  { lagMs, wasFull, completed }: LimitSample,
  { smallest, largest }: LimitBounds,
): LimitState {
  const within = (value: number): number => Math.max(smallest, Math.min(largest, Math.floor(value)))
  if (lagMs > lateMs) {
    const lowered = within(limit * decrease)
    return { limit: lowered, threshold: lowered }
  }
  if (!wasFull || completed === 0 || lagMs > comfortableMs) return { limit: within(limit), threshold }
  const grown = limit < threshold ? Math.min(limit * 2, threshold) : limit + step
  return { limit: within(grown), threshold }
}
