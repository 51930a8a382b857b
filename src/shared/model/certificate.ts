import { z } from 'zod'
import { CertificateId, EpochMs, NodeId } from './ids.ts'

/** What a certificate is for; decides its policy and its extensions. */
export const CertificatePurpose = z.enum(['automation', 'terminal', 'external', 'agent', 'host', 'probe'])
export type CertificatePurpose = z.infer<typeof CertificatePurpose>

/** Three authorities, kept apart: none can sign what another is trusted for. */
export const authorityKinds = ['ssh-user', 'ssh-host', 'x509'] as const
export const AuthorityKind = z.enum(authorityKinds)
export type AuthorityKind = z.infer<typeof AuthorityKind>

/** Who made the signature: the embedded authority or a step-ca behind the same interface. */
export const CertificateIssuer = z.enum(['embedded', 'step-ca'])
export type CertificateIssuer = z.infer<typeof CertificateIssuer>

export const Revocation = z.object({
  revokedAt: EpochMs,
  revokedBy: z.string(),
  reason: z.string(),
})
export type Revocation = z.infer<typeof Revocation>

/** One line of the issue log. */
export const IssuedCertificate = z.object({
  id: CertificateId,
  /** Decimal, because serials are 64 bits wide. Unique for each authority. */
  serial: z.string(),
  issuer: CertificateIssuer,
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
  /** Null while it counts. */
  revocation: Revocation.nullable(),
})
export type IssuedCertificate = z.infer<typeof IssuedCertificate>

/**
 * Phases of replacing an authority; each is proven on every node before the next may begin.
 * `trust`: old and new are trusted, the old one signs. `sign`: both are trusted, the new one signs. `retire`: only the
 * new one is trusted. `rollback`: the old one signs again and the new one is being taken away.
 */
export const RotationPhase = z.enum(['trust', 'sign', 'retire', 'rollback'])
export type RotationPhase = z.infer<typeof RotationPhase>

export const Rotation = z.object({
  phase: RotationPhase,
  startedAt: EpochMs,
  startedBy: z.string(),
  phaseStartedAt: EpochMs,
  oldFingerprint: z.string(),
  newFingerprint: z.string(),
})
export type Rotation = z.infer<typeof Rotation>

/** How far the current phase is proven. */
export const RotationProgress = z.object({
  /** Nodes, agents or files that have to follow. */
  total: z.number().int().nonnegative(),
  proven: z.number().int().nonnegative(),
  /** Names of those that have not, the first hundred, each with why. */
  waiting: z.array(z.object({ name: z.string(), why: z.string() })),
  /** Names of the nodes with static keys: they hold nothing up, and the rotation does nothing for them. */
  outside: z.array(z.string()),
  /** May the next phase begin? */
  ready: z.boolean(),
})
export type RotationProgress = z.infer<typeof RotationProgress>

export const Authority = z.object({
  kind: AuthorityKind,
  fingerprint: z.string(),
  /** One authorized_keys style line, or a PEM certificate for `x509`. */
  publicKey: z.string(),
  createdAt: EpochMs,
  /** How its key is sealed, in words. */
  sealedBy: z.string(),
  /** The end of the root certificate; null for SSH authorities, whose keys do not end. */
  validBefore: EpochMs.nullable(),
  rotation: Rotation.nullable(),
})
export type Authority = z.infer<typeof Authority>

/** What a node or client needs to trust an authority, ready to be installed. */
export const AuthorityExport = z.object({
  kind: AuthorityKind,
  /** e.g. `trusted_user_ca.pub` (S0.17), `known_hosts`, `root_ca.crt` (S0.11). */
  fileName: z.string(),
  /** What to do with it, in one sentence. */
  use: z.string(),
  content: z.string(),
  fingerprints: z.array(z.string()),
})
export type AuthorityExport = z.infer<typeof AuthorityExport>

/** The revocation list as it is now. */
export const KrlStatus = z.object({
  /** Grows with every revocation; 0 is the empty list. */
  version: z.number().int().nonnegative(),
  revokedCertificates: z.number().int().nonnegative(),
  updatedAt: EpochMs.nullable(),
  sizeBytes: z.number().int().nonnegative(),
  digest: z.string(),
})
export type KrlStatus = z.infer<typeof KrlStatus>

/** Certificates that end within one step of the calendar. */
export const ExpiryBucket = z.object({
  from: EpochMs,
  to: EpochMs,
  user: z.number().int().nonnegative(),
  host: z.number().int().nonnegative(),
  agent: z.number().int().nonnegative(),
  revoked: z.number().int().nonnegative(),
})
export type ExpiryBucket = z.infer<typeof ExpiryBucket>
