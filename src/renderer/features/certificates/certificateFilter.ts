import type { CertificateFilter } from '../../../shared/contract/certificates.ts'
import type { CertificatePurpose, IssuedCertificate } from '../../../shared/model/certificate.ts'

export type Standing = 'live' | 'expired' | 'revoked'

/** Revoked counts more than expired: it says that somebody decided. */
export function standingOfCertificate(certificate: IssuedCertificate, nowMs: number): Standing {
  if (certificate.revocation !== null) return 'revoked'
  return certificate.validBefore <= nowMs ? 'expired' : 'live'
}

/** What the issue log is narrowed to, as it stands in the address bar. */
export interface LogFilter {
  readonly search: string
  readonly purposes: readonly CertificatePurpose[]
  readonly standing: CertificateFilter['standing']
  /** Id or name of a node; empty for all. */
  readonly node: string
  /** Ends in this span: an hour or a day of the calendar. */
  readonly ends: { readonly from: number; readonly before: number } | null
}

function textOf(certificate: IssuedCertificate): string {
  const { keyId, serial, principals, nodeName, requestedBy, reason, revocation } = certificate
  return [keyId, serial, ...principals, nodeName ?? '', requestedBy, reason, revocation?.reason ?? '']
    .join('\n')
    .toLowerCase()
}

/** The same question that the engine answers, for certificates that came while one looks. */
export function matchesLog(certificate: IssuedCertificate, filter: LogFilter, nowMs: number): boolean {
  const { search, purposes, standing, node, ends } = filter
  if (standing !== 'all' && standingOfCertificate(certificate, nowMs) !== standing) return false
  if (purposes.length > 0 && !purposes.includes(certificate.purpose)) return false
  if (node !== '' && certificate.nodeId !== node && certificate.nodeName !== node) return false
  if (ends !== null && (certificate.validBefore < ends.from || certificate.validBefore >= ends.before)) return false
  return search === '' || textOf(certificate).includes(search.toLowerCase())
}
