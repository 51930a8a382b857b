import { z } from 'zod'
import {
  Authority,
  AuthorityExport,
  AuthorityKind,
  CertificatePurpose,
  ExpiryBucket,
  IssuedCertificate,
  KrlStatus,
  RotationProgress,
} from '../model/certificate.ts'
import { CertificateId, EpochMs, IdempotencyKey, NodeId } from '../model/ids.ts'
import { FleetNode } from '../model/node.ts'
import { Principal } from '../model/text.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'
import { PushTargets } from './runs.ts'

export const CertificateFilter = z.object({
  node: NodeReference.optional(),
  purposes: z.array(CertificatePurpose).optional(),
  /** `live`: neither expired nor revoked now. */
  standing: z.enum(['all', 'live', 'expired', 'revoked']).default('all'),
  /** Text that appears in key id, serial, principals, node name, requester or reason. */
  search: z.string().max(200).default(''),
  /** Ends in this span; for a day of the calendar. */
  endsFrom: EpochMs.optional(),
  endsBefore: EpochMs.optional(),
  /** Certificates issued before this one, newest first: the cursor. */
  before: CertificateId.optional(),
  limit: z.number().int().min(1).max(10_000).default(200),
})
export type CertificateFilter = z.infer<typeof CertificateFilter>

/** Certificates by id, by serial (of the embedded SSH authorities), or all live ones of nodes. */
export const RevocationTargets = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('certificates'), ids: z.array(CertificateId).min(1).max(10_000) }),
  z.object({
    kind: z.literal('serials'),
    serials: z
      .array(z.string().regex(/^[1-9][0-9]{0,19}$/, 'a serial is a decimal number, as in the issue log'))
      .min(1)
      .max(10_000),
  }),
  z.object({ kind: z.literal('nodes'), nodes: z.array(NodeReference).min(1).max(10_000) }),
])
export type RevocationTargets = z.infer<typeof RevocationTargets>

export const RevocationPreview = z.object({
  certificates: z.array(IssuedCertificate),
  /** Already revoked or over: left alone. */
  skipped: z.number().int().nonnegative(),
  /** Nodes whose logins these certificates serve. */
  nodes: z.array(NodeId),
  /** Open terminals and runs that use them now. */
  openTerminals: z.number().int().nonnegative(),
  openRuns: z.number().int().nonnegative(),
  /** Nodes a revocation list is delivered to, and push nodes that get none: there the certificate keeps working. */
  coveredNodes: z.number().int().nonnegative(),
  uncoveredNodes: z.array(z.string()),
  /** Nodes that are logged in to with a static key, which no revocation stops (D9). */
  staticKeyNodes: z.array(z.string()),
})
export type RevocationPreview = z.infer<typeof RevocationPreview>

/** One node of a grouped renewal; `accepted` only where a login with the new certificate succeeded. */
export const Renewal = z.object({ node: FleetNode, serial: z.string(), accepted: z.boolean() })
export type Renewal = z.infer<typeof Renewal>

export const certificatesContract = {
  authorities: procedure.output(z.array(Authority)),
  /** Makes the authorities that do not exist yet (S0.4); safe to repeat. */
  createAuthorities: procedure
    .input(z.object({ kinds: z.array(AuthorityKind).min(1).default(['ssh-user', 'ssh-host', 'x509']) }))
    .output(z.array(Authority)),
  /** What nodes and clients need to trust it (S0.17). */
  exportAuthority: procedure.input(z.object({ kind: AuthorityKind })).output(z.array(AuthorityExport)),

  rotationProgress: procedure.input(z.object({ kind: AuthorityKind })).output(RotationProgress.nullable()),
  /** Begins phase `trust`. @throws PRECONDITION_FAILED while one is under way */
  startRotation: procedure.input(z.object({ kind: AuthorityKind })).output(Authority),
  /**
   * The next phase. @throws ROTATION_BLOCKED with those that are not proven; `leaveBehind` names the ones a person gives up.
   */
  advanceRotation: procedure
    .input(z.object({ kind: AuthorityKind, leaveBehind: z.array(z.string().min(1).max(255)).max(1_000).default([]) }))
    .output(Authority),
  /** Back to the old one, from `trust` or `sign`. */
  rollBackRotation: procedure.input(z.object({ kind: AuthorityKind })).output(Authority),

  /** The issue log, newest first. */
  list: procedure.input(CertificateFilter).output(z.array(IssuedCertificate)),
  /** How many end when; `stepMs` wide steps from `from` on. */
  calendar: procedure
    .input(
      z.object({
        from: EpochMs,
        to: EpochMs,
        stepMs: z.number().int().min(60_000),
      }),
    )
    .output(z.array(ExpiryBucket)),
  /** Signs a public key a person brings (`ssh-ed25519 AAAA… comment`). */
  issue: procedure
    .input(
      z.object({
        publicKey: z.string().max(4096),
        principals: z.array(Principal).min(1).max(16),
        lifetimeSeconds: z.number().int().min(60).max(57_600),
        permitPty: z.boolean().default(false),
        forceCommand: z.string().max(1024).optional(),
        sourceAddress: z.string().max(1024).optional(),
        reason: z.string().min(1).max(500),
      }),
    )
    .output(IssuedCertificate),
  /**
   * New certificates for these nodes, as one operation with one key for each node: asked again with the same
   * `idempotencyKey`, a node that accepted its new certificate is left alone.
   */
  renew: procedure
    .input(z.object({ idempotencyKey: IdempotencyKey.optional(), targets: PushTargets }))
    .output(z.array(Renewal)),

  previewRevocation: procedure.input(z.object({ targets: RevocationTargets })).output(RevocationPreview),
  /** Durable with the next version of the list when it resolves; runs of the `krl` plans bring it to the nodes. */
  revoke: procedure
    .input(z.object({ targets: RevocationTargets, reason: z.string().min(1).max(500) }))
    .output(z.object({ revoked: z.array(IssuedCertificate), krl: KrlStatus, runs: z.number().int().nonnegative() })),
  krl: procedure.output(KrlStatus),
  /** The list as sshd reads it, base64. */
  krlFile: procedure.output(z.object({ krl: KrlStatus, base64: z.string() })),
}
