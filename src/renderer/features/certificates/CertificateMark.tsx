import type { CertificatePurpose, IssuedCertificate } from '../../../shared/model/certificate.ts'
import { Mark } from '../../components/StatusMark.tsx'
import { type Standing, standingOfCertificate } from './certificateFilter.ts'

export const purposeWords: Readonly<Record<CertificatePurpose, string>> = {
  automation: 'runs',
  terminal: 'terminal',
  external: 'brought key',
  agent: 'agent',
  host: 'host',
  probe: 'probe',
}

const shapes: Readonly<Record<Standing, React.ReactNode>> = {
  live: <rect x="1" y="1" width="10" height="10" rx="1.5" fill="currentColor" />,
  expired: (
    <rect x="1.75" y="1.75" width="8.5" height="8.5" rx="1" fill="none" stroke="currentColor" strokeWidth="1.5" />
  ),
  revoked: <path d="M2 2 L10 10 M10 2 L2 10" fill="none" stroke="currentColor" strokeWidth="2.4" />,
}

const colours: Readonly<Record<Standing, string>> = {
  live: 'text-in-step',
  expired: 'text-faint',
  revoked: 'text-error',
}

/** Whether it counts: solid, hollow, crossed out. */
export function CertificateMark({
  certificate,
  nowMs,
}: {
  readonly certificate: IssuedCertificate
  readonly nowMs: number
}) {
  const standing = standingOfCertificate(certificate, nowMs)
  return <Mark shape={shapes[standing]} word={standing} colour={colours[standing]} withWord />
}
