/** A certificate is valid from a minute before it is made, so that a node whose clock is a little behind takes it (U10). */
export const backdateSeconds = 60

/** Renew when less than this is left (S0.38). */
export const defaultMinValidSeconds = 3600

/** Milliseconds since 1970; `validBefore` is the first moment at which it is no longer valid. */
export interface ValidityPeriod {
  readonly validAfter: number
  readonly validBefore: number
}

/** The period for a certificate made now. The life counts from now: backdating does not shorten it. Whole seconds. */
export function validityFrom(nowMs: number, lifetimeSeconds: number): ValidityPeriod {
  const nowSeconds = Math.floor(nowMs / 1000)
  return { validAfter: (nowSeconds - backdateSeconds) * 1000, validBefore: (nowSeconds + lifetimeSeconds) * 1000 }
}

export type ValidityState = 'not-yet-valid' | 'valid' | 'expired'

/** What sshd decides at `atMs`: valid from `validAfter` on, and no longer at `validBefore`. */
export function validityAt(period: ValidityPeriod, atMs: number): ValidityState {
  if (atMs < period.validAfter) return 'not-yet-valid'
  return atMs < period.validBefore ? 'valid' : 'expired'
}

/** True when the certificate should be renewed before work begins that needs `minValidMs` of it (S0.38, N2). */
export function needsRenewal(period: ValidityPeriod, nowMs: number, minValidMs: number): boolean {
  return validityAt(period, nowMs) !== 'valid' || period.validBefore - nowMs < minValidMs
}

/** Share of its life that is left: 1 when fresh, 0 when over. */
export function shareOfLifeLeft(period: ValidityPeriod, nowMs: number): number {
  const whole = period.validBefore - period.validAfter
  if (whole <= 0) return 0
  return Math.min(1, Math.max(0, (period.validBefore - nowMs) / whole))
}
