/*
 * Join tokens cannot be guessed, but trying costs us work and rows: who tries too often waits.
 */

/** What is remembered of one address. Times are epoch ms, oldest first. */
export interface Attempts {
  readonly at: readonly number[]
  readonly failedAt: readonly number[]
  readonly lockedUntil: number
}

export const noAttempts: Attempts = { at: [], failedAt: [], lockedUntil: 0 }

export const enrollmentLimits = {
  /** Tries of one address within {@link windowMs}, whatever their result. */
  tries: 30,
  windowMs: 60_000,
  /** Refused tokens within {@link failureWindowMs} that lock an address out for {@link lockoutMs}. */
  failures: 5,
  failureWindowMs: 600_000,
  lockoutMs: 900_000,
} as const

/** How long this address has to wait before it may try; 0 when it may now. */
export function waitBeforeAttempt({ at, lockedUntil }: Attempts, nowMs: number): number {
  // A clock that was set back must not lock out for longer than the rule says.
  const lockedMs = Math.min(lockedUntil - nowMs, enrollmentLimits.lockoutMs)
  if (lockedMs > 0) return lockedMs
  const recent = recentOf(at, nowMs, enrollmentLimits.windowMs)
  const [oldest] = recent
  return recent.length < enrollmentLimits.tries || oldest === undefined ? 0 : oldest + enrollmentLimits.windowMs - nowMs
}

export function withAttempt(attempts: Attempts, nowMs: number): Attempts {
  return { ...attempts, at: [...recentOf(attempts.at, nowMs, enrollmentLimits.windowMs), nowMs] }
}

/** `locksOut` is true for the one failure that is too many. */
export function withFailure(attempts: Attempts, nowMs: number): { attempts: Attempts; locksOut: boolean } {
  const failedAt = [...recentOf(attempts.failedAt, nowMs, enrollmentLimits.failureWindowMs), nowMs]
  if (failedAt.length < enrollmentLimits.failures) return { attempts: { ...attempts, failedAt }, locksOut: false }
  return {
    attempts: { ...attempts, failedAt: [], lockedUntil: nowMs + enrollmentLimits.lockoutMs },
    locksOut: true,
  }
}

/** True when nothing about this address matters any more. */
export function isForgettable({ at, failedAt, lockedUntil }: Attempts, nowMs: number): boolean {
  return (
    lockedUntil <= nowMs &&
    recentOf(at, nowMs, enrollmentLimits.windowMs).length === 0 &&
    recentOf(failedAt, nowMs, enrollmentLimits.failureWindowMs).length === 0
  )
}

const recentOf = (times: readonly number[], nowMs: number, windowMs: number): number[] =>
  times.filter((time) => time <= nowMs && nowMs - time < windowMs)
