import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { needsRenewal, shareOfLifeLeft, validityAt, validityFrom } from './validity.ts'

const now = 1_767_778_272_345

describe('validity', () => {
  it('backdates by 60 s and counts the life from now', () => {
    const period = validityFrom(now, 3600)
    expect(period).toEqual({ validAfter: 1_767_778_212_000, validBefore: 1_767_781_872_000 })
    expect(validityAt(period, now)).toBe('valid')
  })

  it('U10 takes a clock that is up to a minute behind and no more', () => {
    const period = validityFrom(now, 3600)
    expect(validityAt(period, period.validAfter)).toBe('valid')
    expect(validityAt(period, period.validAfter - 1)).toBe('not-yet-valid')
    expect(validityAt(period, period.validBefore - 1)).toBe('valid')
    expect(validityAt(period, period.validBefore)).toBe('expired')
  })

  it('S0.38 renews when less than the wanted time is left', () => {
    const period = { validAfter: 0, validBefore: 10_000_000 }
    expect(needsRenewal(period, 6_400_000, 3_600_000)).toBe(false)
    expect(needsRenewal(period, 6_400_001, 3_600_000)).toBe(true)
    expect(needsRenewal(period, -1, 0)).toBe(true)
    expect(needsRenewal(period, 10_000_000, 0)).toBe(true)
  })

  it('the share of life left stays between 0 and 1 and only falls', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 60, max: 57_600 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        fc.nat(1e6),
        (life, offset, later) => {
          const period = validityFrom(now, life)
          const share = shareOfLifeLeft(period, now + offset)
          expect(share).toBeGreaterThanOrEqual(0)
          expect(share).toBeLessThanOrEqual(1)
          expect(shareOfLifeLeft(period, now + offset + later)).toBeLessThanOrEqual(share)
        },
      ),
    )
  })
})
