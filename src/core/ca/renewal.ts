import { defaultMinValidSeconds, type ValidityPeriod, validityAt } from './validity.ts'

/** Where a certificate stands in its life. `renewable-soon` is still accepted by nodes. */
export type CertificateStanding = 'not-yet-valid' | 'valid' | 'renewable-soon' | 'expired'

interface StandingOptions {
  readonly nowMs: number
  /** Renew when less than this is left (S0.38). Default one hour. */
  readonly minValidSeconds?: number
}

/**
 * Tells one that can still be renewed from one that is over (U7): an expired certificate proves nothing any more, so
 * trying to renew it again and again leads nowhere.
 */
export function certificateStanding(period: ValidityPeriod, options: StandingOptions): CertificateStanding {
  const validity = validityAt(period, options.nowMs)
  if (validity !== 'valid') return validity
  const minValidMs = (options.minValidSeconds ?? defaultMinValidSeconds) * 1000
  return period.validBefore - options.nowMs < minValidMs ? 'renewable-soon' : 'valid'
}

/** What a person or an agent does next about it. */
export type RenewalStep =
  | { readonly kind: 'none' }
  /** Get a new one while the old one still works. */
  | { readonly kind: 'renew'; readonly text: string }
  /** Start over with the credential of the provisioner; the old certificate is of no use for that. */
  | { readonly kind: 'reissue'; readonly text: string }
  | { readonly kind: 'set-clock'; readonly text: string }

/** The exact next step for each standing (U7). */
export function renewalStep(standing: CertificateStanding): RenewalStep {
  switch (standing) {
    case 'valid':
      return { kind: 'none' }
    case 'renewable-soon':
      return { kind: 'renew', text: 'It ends soon: ask for a new certificate now, while this one still works.' }
    case 'expired':
      return {
        kind: 'reissue',
        text: 'It has expired and cannot be renewed any more: ask for a new certificate with the provisioner password or a fresh token.',
      }
    case 'not-yet-valid':
      return { kind: 'set-clock', text: 'It is not valid yet: set the clocks of this machine and of the authority.' }
  }
}
