import { needsRenewal, validityAt } from '../ca/validity.ts'

/** A decoded SSH certificate as far as this decision needs. Milliseconds since 1970. */
export interface ReceivedCertificate {
  readonly format: string
  readonly type: 'user' | 'host'
  readonly principals: readonly string[]
  readonly validAfter: number
  readonly validBefore: number
  /** Is the key in it ours? */
  readonly overOurKey: boolean
  /** Did the authority named in it sign it? */
  readonly signatureHolds: boolean
}

export interface CertificateWishes {
  readonly principal: string
  readonly nowMs: number
}

const ed25519Format = 'ssh-ed25519-cert-v01@openssh.com'

/** Why a certificate that was handed to us must not be used; null when it may. */
export function whyNotCertificate(certificate: ReceivedCertificate, wishes: CertificateWishes): string | null {
  if (certificate.format !== ed25519Format) return `it is over another kind of key (${certificate.format.slice(0, 64)})`
  if (certificate.type !== 'user') return 'it is a host certificate'
  if (!certificate.overOurKey) return 'it is over another key than ours'
  if (!certificate.signatureHolds) return 'its signature does not hold'
  if (!certificate.principals.includes(wishes.principal))
    return `it is for ${certificate.principals.join(', ') || 'nobody'}, not for ${wishes.principal}`
  return whyNotNow(certificate, wishes.nowMs)
}

function whyNotNow(certificate: ReceivedCertificate, nowMs: number): string | null {
  switch (validityAt(certificate, nowMs)) {
    case 'valid':
      return null
    case 'not-yet-valid':
      return `it begins ${seconds(certificate.validAfter - nowMs)} s in the future: set the clock of this machine (NTP)`
    case 'expired':
      return `it ended ${seconds(nowMs - certificate.validBefore)} s ago: set the clock of this machine (NTP)`
  }
}

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000)

/** Our own certificate has to be replaced before this run (S0.38, N2). `usualMs`: what such a run takes. */
export function mustRenew(
  certificate: ReceivedCertificate | null,
  wishes: CertificateWishes & { readonly minValidSeconds: number; readonly usualMs: number },
): boolean {
  if (certificate === null || whyNotCertificate(certificate, wishes) !== null) return true
  return needsRenewal(certificate, wishes.nowMs, Math.max(wishes.minValidSeconds * 1000, wishes.usualMs))
}
