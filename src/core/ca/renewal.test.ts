import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CertificateStanding, certificateStanding, renewalStep } from './renewal.ts'
import { needsRenewal } from './validity.ts'

const hourMs = 3_600_000
const period = { validAfter: 0, validBefore: 16 * hourMs }
const at = (nowMs: number, minValidSeconds?: number): CertificateStanding =>
  certificateStanding(period, { nowMs, ...(minValidSeconds === undefined ? {} : { minValidSeconds }) })

describe('standing of a certificate', () => {
  it('S0.38 is renewed when less than an hour is left, unless another limit is set', () => {
    expect(at(15 * hourMs)).toBe('valid')
    expect(at(15 * hourMs + 1)).toBe('renewable-soon')
    expect(at(15 * hourMs + 1, 60)).toBe('valid')
    expect(at(16 * hourMs - 1, 0)).toBe('valid')
  })

  it('U7 tells one that can be renewed from one that is over', () => {
    expect(at(16 * hourMs - 1)).toBe('renewable-soon')
    expect(at(16 * hourMs)).toBe('expired')
    expect(at(17 * hourMs)).toBe('expired')
    expect(at(-1)).toBe('not-yet-valid')
  })

  it('U7 names another next step for each: renew, start over, set the clock, nothing', () => {
    const standings = ['valid', 'renewable-soon', 'expired', 'not-yet-valid'] as const
    expect(standings.map((standing) => renewalStep(standing).kind)).toEqual(['none', 'renew', 'reissue', 'set-clock'])
    expect(renewalStep('expired')).toMatchObject({ text: expect.stringMatching(/cannot be renewed.*new certificate/) })
  })

  it('agrees with the rule that runs go by, for any time and limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: -hourMs, max: 20 * hourMs }), fc.nat(57_600), (nowMs, minValidSeconds) => {
        expect(at(nowMs, minValidSeconds) !== 'valid').toBe(needsRenewal(period, nowMs, minValidSeconds * 1000))
      }),
    )
  })
})
