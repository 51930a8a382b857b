import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LimitSample, nextLimit } from './adaptiveLimit.ts'

const anyBounds = fc
  .tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0, max: 1_000 }))
  .map(([smallest, more]) => ({ smallest, largest: smallest + more }))
const anySample: fc.Arbitrary<LimitSample> = fc.record({
  lagMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
  wasFull: fc.boolean(),
  completed: fc.nat(500),
})
const bounds = { smallest: 8, largest: 256 }
const roomy: LimitSample = { lagMs: 2, wasFull: true, completed: 10 }
const late: LimitSample = { lagMs: 400, wasFull: true, completed: 10 }

const limitAfter = (samples: readonly LimitSample[], from = bounds.largest): number =>
  samples.reduce((limit, sample) => nextLimit(limit, sample, bounds), from)

describe('how many round trips are under way at once', () => {
  it('S1F.1 stays a whole number within its bounds, whatever is seen', () => {
    fc.assert(
      fc.property(anyBounds, fc.array(anySample, { maxLength: 60 }), (around, samples) => {
        let limit = around.largest
        for (const sample of samples) {
          limit = nextLimit(limit, sample, around)
          expect(Number.isInteger(limit)).toBe(true)
          expect(limit).toBeGreaterThanOrEqual(around.smallest)
          expect(limit).toBeLessThanOrEqual(around.largest)
        }
      }),
    )
  })

  it('S1F.1 never grows while the loop is late, and never shrinks while it is not', () => {
    fc.assert(
      fc.property(fc.array(anySample, { maxLength: 40 }), anySample, (before, sample) => {
        const limit = limitAfter(before)
        const next = nextLimit(limit, sample, bounds)
        if (sample.lagMs > 150) expect(next).toBeLessThanOrEqual(limit)
        else expect(next).toBeGreaterThanOrEqual(limit)
      }),
    )
  })

  it('S1F.1 reaches the largest when there is room, from wherever it was', () => {
    fc.assert(
      fc.property(fc.array(anySample, { maxLength: 40 }), (before) => {
        expect(limitAfter(Array<LimitSample>(20).fill(roomy), limitAfter(before))).toBe(bounds.largest)
      }),
    )
  })

  it('reaches the smallest when the loop stays late', () => {
    expect(limitAfter(Array<LimitSample>(12).fill(late))).toBe(bounds.smallest)
  })

  it('grows in steps, not in leaps', () => {
    const lowered = limitAfter([late])
    expect(limitAfter([roomy], lowered) - lowered).toBe(16)
  })

  it('does not grow for nobody', () => {
    const idle = { lagMs: 0, wasFull: false, completed: 3 }
    expect(limitAfter([idle, idle, idle], 40)).toBe(40)
  })
})
