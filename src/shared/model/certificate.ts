import { z } from 'zod'
import { CertificateId, EpochMs, NodeId } from './ids.ts'

/** What a certificate is for; decides its extensions. */
export const CertificatePurpose = z.enum(['automation', 'terminal', 'external'])
export type CertificatePurpose = z.infer<typeof CertificatePurpose>

/** One line of the issue log. */
export const IssuedCertificate = z.object({
  id: CertificateId,
  /** Decimal, because serials are 64 bits wide. */
  serial: z.string(),
  keyId: z.string(),
  principals: z.array(z.string()),
  purpose: CertificatePurpose,
  nodeId: NodeId.nullable(),
  nodeName: z.string().nullable(),
  /** Who or what asked, and why. */
  requestedBy: z.string(),
  reason: z.string(),
  subjectFingerprint: z.string(),
  authorityFingerprint: z.string(),
  validAfter: EpochMs,
  validBefore: EpochMs,
  extensions: z.array(z.string()),
  criticalOptions: z.record(z.string(), z.string()),
  issuedAt: EpochMs,
  /** `ssh-ed25519-cert-v01@openssh.com AAAA…`: public, safe to show. */
  certificate: z.string(),
})
export type IssuedCertificate = z.infer<typeof IssuedCertificate>

export const Authority = z.object({
  kind: z.literal('ssh-user'),
  fingerprint: z.string(),
  /** One authorized_keys style line. */
  publicKey: z.string(),
  createdAt: EpochMs,
  /** How its key is sealed, in words. */
  sealedBy: z.string(),
})
export type Authority = z.infer<typeof Authority>
