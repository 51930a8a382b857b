/*
 * How many round trips are under way at once. The nodes do the work; what is short is our own event loop, so the limit
 * shrinks as soon as the loop does not answer in time, and grows back while it does (additive increase, multiplicative
 * decrease). It begins at its largest: a fleet that fits is asked all at once.
 */

export interface LimitBounds {
  readonly smallest: number
  readonly largest: number
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

/** The limit until the next sample; a whole number within the bounds. */
export function nextLimit(limit: number, sample: LimitSample, { smallest, largest }: LimitBounds): number {
  const within = (value: number): number => Math.max(smallest, Math.min(largest, Math.floor(value)))
  const { lagMs, wasFull, completed } = sample
  if (lagMs > lateMs) return within(limit * decrease)
  const hasRoom = wasFull && completed > 0 && lagMs <= comfortableMs
  return within(hasRoom ? limit + step : limit)
}
