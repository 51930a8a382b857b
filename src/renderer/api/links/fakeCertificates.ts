import type { CertificatePurpose, IssuedCertificate } from '../../../shared/model/certificate.ts'
import type { CertificateId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { fakeAuthorityFingerprint, fakeId, randomOf } from './fakeFleet.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

export const fakeFingerprint = (text: string): string => `SHA256:${btoa(text.padEnd(40, '.')).slice(0, 43)}`

export const userAuthority = fakeAuthorityFingerprint
export const hostAuthority = fakeFingerprint('the host authority')

const lifeMs: Readonly<Record<CertificatePurpose, number>> = {
  automation: 16 * hourMs,
  terminal: 8 * hourMs,
  external: 8 * hourMs,
  agent: 16 * hourMs,
  host: 30 * dayMs,
  probe: 5 * minuteMs,
}

const reasons: Readonly<Record<CertificatePurpose, string>> = {
  automation: 'renewed before it ended',
  terminal: 'terminal opened from the console',
  external: 'backup job of the storage team',
  agent: 'asked for by its agent',
  host: 'renewed at two thirds of its life',
  probe: 'login proven after a change of trust',
}

const purposes: readonly CertificatePurpose[] = [
  ...Array.from({ length: 9 }, () => 'automation' as const),
  'terminal',
  'terminal',
  'external',
  'agent',
  'agent',
  'host',
  'host',
  'probe',
]

export interface FakeIssue {
  readonly number: number
  readonly node: FleetNode
  readonly purpose: CertificatePurpose
  readonly issuedAt: number
  readonly requestedBy?: string
  readonly reason?: string
}

/** One invented line of the issue log; larger numbers are newer. */
export function fakeCertificate({
  number,
  node,
  purpose,
  issuedAt,
  requestedBy,
  reason,
}: FakeIssue): IssuedCertificate {
  return {
    id: fakeId<CertificateId>(5, number),
    serial: String(number),
    issuer: 'embedded',
    keyId: `${purpose}@${node.name}`,
    principals: purpose === 'host' ? [node.name, node.address] : [node.principal],
    purpose,
    nodeId: node.id,
    nodeName: node.name,
    requestedBy: requestedBy ?? (purpose === 'terminal' || purpose === 'external' ? 'ana@desk' : 'engine'),
    reason: reason ?? reasons[purpose],
    subjectFingerprint: fakeFingerprint(`subject ${number}`),
    authorityFingerprint: purpose === 'host' ? hostAuthority : userAuthority,
    validAfter: issuedAt - minuteMs,
    validBefore: issuedAt + lifeMs[purpose],
    extensions: purpose === 'terminal' ? ['permit-pty'] : [],
    criticalOptions: purpose === 'external' ? { 'source-address': '10.0.0.0/8' } : {},
    issuedAt,
    certificate: `ssh-ed25519-cert-v01@openssh.com ${btoa(`certificate ${number} ${'c'.repeat(180)}`)}`,
    revocation: null,
  }
}

/** An issue log, oldest first; the last was issued a moment ago, some are revoked. */
export function fakeIssueLog(count: number, nodes: readonly FleetNode[], nowMs: number): readonly IssuedCertificate[] {
  const random = randomOf(77)
  const spanMs = Math.min(30 * dayMs, count * 4 * minuteMs)
  return Array.from({ length: count }, (_, index) => {
    const node = nodes[Math.floor(random() * nodes.length)] as FleetNode
    const purpose = purposes[Math.floor(random() * purposes.length)] as CertificatePurpose
    const issuedAt = Math.round(nowMs - spanMs * (1 - (index + 1) / count) - random() * minuteMs)
    const certificate = fakeCertificate({ number: index + 1, node, purpose, issuedAt })
    if (random() > 0.015) return certificate
    const revokedAt = issuedAt + Math.floor((nowMs - issuedAt) * random())
    return { ...certificate, revocation: { revokedAt, revokedBy: 'ana@desk', reason: 'laptop lost on the train' } }
  })
}
