import { describe, expect, it } from 'vitest'
import { ProgressMeter } from './progress.ts'

describe('progress', () => {
  it('F24 tells rate and time left from the last five seconds', () => {
    const meter = new ProgressMeter('push')
    expect(meter.measure({ bytes: 0, totalBytes: 4_000, files: 0 }, 0)).toMatchObject({
      bytesPerSecond: 0,
      remainingMs: null,
    })
    expect(meter.measure({ bytes: 1_000, totalBytes: 4_000, files: 1 }, 1_000)).toMatchObject({
      bytesPerSecond: 1_000,
      remainingMs: 3_000,
    })
    for (let second = 2; second <= 10; second += 1)
      meter.measure({ bytes: 1_000, totalBytes: 4_000, files: 1 }, second * 1_000)
    expect(meter.measure({ bytes: 1_000, totalBytes: 4_000, files: 1 }, 11_000)).toMatchObject({
      bytesPerSecond: 0,
      remainingMs: null,
    })
  })

  it('100,000 small files do not make the meter slower than the transfer', () => {
    const meter = new ProgressMeter('push')
    // Looking at every earlier figure each time would take longer than any test may.
    let last = meter.measure({ bytes: 0, totalBytes: null, files: 0 }, 0)
    for (let index = 1; index <= 100_000; index += 1)
      last = meter.measure({ bytes: index * 1_000, totalBytes: null, files: index }, index / 20)
    expect(last.bytesPerSecond).toBeCloseTo(20_000_000, -6)
  })

  it('nothing is left at the end, and without a total nobody knows', () => {
    const meter = new ProgressMeter('pull')
    expect(meter.measure({ bytes: 7, totalBytes: 7, files: 1 }, 0)).toMatchObject({ remainingMs: 0, direction: 'pull' })
    expect(meter.measure({ bytes: 9, totalBytes: null, files: 1 }, 9_000).remainingMs).toBeNull()
  })
})
