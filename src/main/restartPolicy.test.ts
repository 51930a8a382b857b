import { describe, expect, it } from 'vitest'
import { nextRestartDelay, restartLimit } from './restartPolicy.ts'

const failures = (count: number, apartMs: number): number[] =>
  Array.from({ length: count }, (_, index) => index * apartMs)

describe('nextRestartDelay', () => {
  it('waits twice as long after each failure that follows soon', () => {
    expect(nextRestartDelay(failures(1, 10), 0)).toBe(250)
    expect(nextRestartDelay(failures(2, 10), 10)).toBe(500)
    expect(nextRestartDelay(failures(3, 10), 20)).toBe(1000)
  })

  it('gives up when it dies too often', () => {
    const times = failures(restartLimit.failures + 1, 10)
    expect(nextRestartDelay(times.slice(0, -1), 100)).not.toBeNull()
    expect(nextRestartDelay(times, 100)).toBeNull()
  })

  it('forgets failures of long ago', () => {
    const times = [...failures(50, 10), 10 * restartLimit.windowMs]
    expect(nextRestartDelay(times, 10 * restartLimit.windowMs)).toBe(250)
  })
})
