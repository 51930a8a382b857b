import { describe, expect, it } from 'vitest'
import {
  type Attempts,
  isForgettable,
  enrollmentLimits as limits,
  noAttempts,
  waitBeforeAttempt,
  withAttempt,
  withFailure,
} from './enrollmentGuard.ts'

const nowMs = 10_000_000
const failedTimes = (count: number, atMs = nowMs): Attempts => {
  let attempts = noAttempts
  for (let index = 0; index < count; index += 1) attempts = withFailure(attempts, atMs).attempts
  return attempts
}

describe('guessing join tokens', () => {
  it('locks an address out at the last failure that is allowed, once, and lets it in again after the lockout', () => {
    expect(waitBeforeAttempt(failedTimes(limits.failures - 1), nowMs)).toBe(0)
    const last = withFailure(failedTimes(limits.failures - 1), nowMs)
    expect(last.locksOut).toBe(true)
    expect(waitBeforeAttempt(last.attempts, nowMs)).toBe(limits.lockoutMs)
    expect(waitBeforeAttempt(last.attempts, nowMs + limits.lockoutMs - 1)).toBe(1)
    expect(waitBeforeAttempt(last.attempts, nowMs + limits.lockoutMs)).toBe(0)
    expect(withFailure(last.attempts, nowMs + limits.lockoutMs).locksOut).toBe(false)
  })

  it('failures of long ago do not count', () => {
    const old = failedTimes(limits.failures - 1)
    expect(withFailure(old, nowMs + limits.failureWindowMs).locksOut).toBe(false)
  })

  it('tries are limited whatever their result', () => {
    let attempts = noAttempts
    for (let index = 0; index < limits.tries; index += 1) attempts = withAttempt(attempts, nowMs + index)
    expect(waitBeforeAttempt(attempts, nowMs + 100)).toBe(limits.windowMs - 100)
    expect(waitBeforeAttempt(attempts, nowMs + limits.windowMs)).toBe(0)
    expect(withAttempt(attempts, nowMs + 10 * limits.windowMs).at).toHaveLength(1)
  })

  it('a clock that was set back neither locks out for ever nor keeps times for ever', () => {
    const locked = failedTimes(limits.failures, nowMs + 365 * 86_400_000)
    expect(waitBeforeAttempt(locked, nowMs)).toBe(limits.lockoutMs)
    expect(withAttempt(withAttempt(noAttempts, nowMs + 86_400_000), nowMs).at).toEqual([nowMs])
  })

  it('is forgotten when nothing about it matters any more', () => {
    expect(isForgettable(noAttempts, nowMs)).toBe(true)
    expect(isForgettable(failedTimes(limits.failures), nowMs)).toBe(false)
    expect(isForgettable(failedTimes(limits.failures), nowMs + limits.lockoutMs)).toBe(true)
    expect(isForgettable(failedTimes(1), nowMs + limits.failureWindowMs)).toBe(true)
  })
})
