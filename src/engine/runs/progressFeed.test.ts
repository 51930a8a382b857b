import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../test/fakes/manualClock.ts'
import type { RunProgress } from '../../shared/model/run.ts'
import { ProgressFeed } from './progressFeed.ts'

const at = (bytes: number): RunProgress => ({
  bytes,
  totalBytes: null,
  files: 0,
  bytesPerSecond: 0,
  remainingMs: null,
  direction: 'push',
})

describe('progress for watchers', () => {
  it('comes at most four times a second, the first at once and the last always', () => {
    const clock = createManualClock()
    const published: number[] = []
    const feed = new ProgressFeed(clock, (progress) => published.push(progress.bytes))
    for (let bytes = 1; bytes <= 1_000; bytes += 1) {
      feed.offer(at(bytes))
      clock.advance(1)
    }
    expect(published[0]).toBe(1)
    expect(published.length).toBeLessThanOrEqual(5)
    feed.flush()
    expect(published.at(-1)).toBe(1_000)
    expect(clock.pendingTimerCount).toBe(0)
  })

  it('a value that stays alone is published when its time has come', () => {
    const clock = createManualClock()
    const published: number[] = []
    const feed = new ProgressFeed(clock, (progress) => published.push(progress.bytes))
    feed.offer(at(1))
    feed.offer(at(2))
    clock.advance(250)
    expect(published).toEqual([1, 2])
  })
})
