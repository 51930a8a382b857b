import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { Digest, EpochMs, NodeId, PlanId, RunId } from './ids.ts'
import { CommitHash } from './repository.ts'
import { StorageSetup } from './storage.ts'
import { Address, DisplayName, FilePath, KeyFilePath, Labels, LoginUser, Port, Principal } from './text.ts'

export const NodeKind = z.enum(['laptop', 'vps', 'worker', 'storage', 'vm'])
export type NodeKind = z.infer<typeof NodeKind>

/** `push`: we SSH in. `poll`: its agent calls us (D10). */
export const NodeTransport = z.enum(['push', 'poll'])
export type NodeTransport = z.infer<typeof NodeTransport>

/** A host key a person has accepted. Compared per key type: another type is unknown, not changed (U5). */
export const PinnedHostKey = z.object({
  /** As on the wire, e.g. `ssh-ed25519`. */
  keyType: z.string(),
  /** The key blob, base64. */
  publicKey: z.string(),
  /** `SHA256:…` as `ssh-keygen -lf` prints it. */
  fingerprint: z.string(),
  pinnedAt: EpochMs,
  pinnedBy: z.string(),
})
export type PinnedHostKey = z.infer<typeof PinnedHostKey>

/** What an agent can fetch for its own machine, instead of being pushed to (S1F.5). */
export const PulledKind = z.enum(['routes', 'hosts'])
export type PulledKind = z.infer<typeof PulledKind>

/** How sshd of a node takes a new configuration: reload, never restart (S0.25). */
export const SshdReload = z.discriminatedUnion('kind', [
  /** `systemctl reload`, of `ssh` or `sshd`, whichever there is. */
  z.strictObject({ kind: z.literal('systemd') }),
  /** SIGHUP to the process in this file. */
  z.strictObject({ kind: z.literal('pid-file'), file: FilePath }),
])
export type SshdReload = z.infer<typeof SshdReload>

/** Where sshd of a node is configured, and whether the login user needs sudo for that. */
export const SshdControl = z.strictObject({
  configFile: FilePath.default('/etc/ssh/sshd_config'),
  program: FilePath.default('/usr/sbin/sshd'),
  reload: SshdReload.default({ kind: 'systemd' }),
  /** `auto`: unless the login user is root. Sudo must not ask for a password. */
  sudo: z.enum(['auto', 'never']).default('auto'),
})
export type SshdControl = z.infer<typeof SshdControl>

/** What we log in to a node with (D9). Certificates are the rule; static keys work and are marked everywhere. */
export const NodeLogin = z.discriminatedUnion('kind', [
  /** Of our authority, over a key that exists in memory only. */
  z.strictObject({ kind: z.literal('certificate') }),
  /**
   * A private key in a file of this machine, with its public half in authorized_keys there. Whether it is a node's own
   * or shared is not kept: it is how many nodes name the same file (S1.88, S2).
   */
  z.strictObject({ kind: z.literal('static-key'), keyFile: KeyFilePath }),
])
export type NodeLogin = z.infer<typeof NodeLogin>

/** What an operator may say about a node. */
export const NodeInput = z.strictObject({
  name: DisplayName,
  kind: NodeKind,
  address: Address,
  port: Port.default(22),
  user: LoginUser,
  /** Principal our certificate carries for this node (S0.37). */
  principal: Principal.default('sync-agent'),
  transport: NodeTransport.default('push'),
  labels: Labels.default({}),
  maintenance: z.boolean().default(false),
  sshd: SshdControl.prefault({}),
  login: NodeLogin.default({ kind: 'certificate' }),
})
export type NodeInput = z.infer<typeof NodeInput>

/** Fields of {@link NodeInput} that may be changed later. */
export const NodePatch = z.strictObject({
  name: DisplayName.optional(),
  kind: NodeKind.optional(),
  address: Address.optional(),
  port: Port.optional(),
  user: LoginUser.optional(),
  principal: Principal.optional(),
  labels: Labels.optional(),
  maintenance: z.boolean().optional(),
  sshd: SshdControl.optional(),
  login: NodeLogin.optional(),
})
export type NodePatch = z.infer<typeof NodePatch>

/** Whether the last attempts ended well (S1.62-69). Live facts are kept apart. */
export const NodeStatus = z.enum(['active', 'pending_sync', 'error'])
export type NodeStatus = z.infer<typeof NodeStatus>

/** Can we talk to it? `since` is when this answer began, `checkedAt` when it was last confirmed. */
export const Reachability = z.discriminatedUnion('status', [
  z.object({ status: z.literal('unknown') }),
  z.object({
    status: z.literal('reachable'),
    since: EpochMs,
    checkedAt: EpochMs,
    /** Node clock minus ours; positive when the node is ahead. Null when it was not measured. */
    clockSkewMs: z.number().int().nullable(),
  }),
  z.object({ status: z.literal('unreachable'), since: EpochMs, checkedAt: EpochMs, diagnosis: Diagnosis }),
])
export type Reachability = z.infer<typeof Reachability>

/** The certificate the node accepted last. */
export const NodeCertificate = z.object({
  /** Decimal, because serials are 64 bits wide. */
  serial: z.string(),
  /** Who signed it; null for one from before this was kept. */
  authorityFingerprint: z.string().nullable(),
  validAfter: EpochMs,
  validBefore: EpochMs,
  /** When a login with it succeeded; null while it is issued but not yet proven. */
  acceptedAt: EpochMs.nullable(),
})
export type NodeCertificate = z.infer<typeof NodeCertificate>

/** Desired against observed for one plan on one node. */
export const PlanState = z.object({
  planId: PlanId,
  planName: z.string(),
  /** Revision of the plan that should be there now. */
  desiredRevision: z.number().int().positive(),
  /** What was last read back from the node; null when nothing was ever verified. */
  observed: z
    .object({
      revision: z.number().int().positive(),
      digest: Digest,
      verifiedAt: EpochMs,
      runId: RunId,
      /** Of a plan of kind `repository`: what lies there. */
      commit: CommitHash.optional(),
      /** The commit that was verified there before it. */
      previousCommit: CommitHash.optional(),
    })
    .nullable(),
  /** Set when a later look at the node found something else than what was verified. */
  driftSince: EpochMs.nullable(),
  /** What that look found; null or absent where it left no words, and while nothing is in doubt. */
  driftReason: Diagnosis.nullable().optional(),
  lastRunId: RunId.nullable(),
})
export type PlanState = z.infer<typeof PlanState>

/** The host certificate a node was last seen to offer. */
export const NodeHostCertificate = z.object({
  serial: z.string(),
  authorityFingerprint: z.string(),
  validAfter: EpochMs,
  validBefore: EpochMs,
  verifiedAt: EpochMs,
})
export type NodeHostCertificate = z.infer<typeof NodeHostCertificate>

/** The revocation list sshd of a node was last proven to obey. */
export const NodeKrl = z.object({ version: z.number().int().nonnegative(), verifiedAt: EpochMs })
export type NodeKrl = z.infer<typeof NodeKrl>

/** A registered node with everything known about it. */
export const FleetNode = NodeInput.extend({
  id: NodeId,
  hostKeys: z.array(PinnedHostKey),
  createdAt: EpochMs,
  updatedAt: EpochMs,
  status: NodeStatus,
  /** Why it is not `active`; null when it is, or was never tried. */
  statusReason: Diagnosis.nullable(),
  /** Failed cycles in a row; three make `error` (D12). */
  consecutiveFailures: z.number().int().nonnegative(),
  /** Last successful sync (S1.20). */
  lastSyncAt: EpochMs.nullable(),
  /** Last try, successful or not (S1.21). */
  lastAttemptAt: EpochMs.nullable(),
  reachability: Reachability,
  certificate: NodeCertificate.nullable(),
  hostCertificate: NodeHostCertificate.nullable(),
  krl: NodeKrl.nullable(),
  /** Set while the node is a storage set up by us. */
  storage: StorageSetup.nullable(),
  /** What its agent fetches by itself; nothing where there is no agent, or an older one. */
  pulls: z.array(PulledKind).optional(),
  plans: z.array(PlanState),
  /** The run that works on this node now. */
  activeRunId: RunId.nullable(),
  /** Set while a run of this node waits for a person, with the reason. */
  haltedRunId: RunId.nullable(),
  /** A lock is held on one of its targets. */
  locked: z.boolean(),
})
export type FleetNode = z.infer<typeof FleetNode>

/** A host key as offered on first contact, before anybody trusts it. */
export const OfferedHostKey = z.object({
  keyType: z.string(),
  publicKey: z.string(),
  fingerprint: z.string(),
  /** Server identification, e.g. `SSH-2.0-OpenSSH_9.2p1`. */
  banner: z.string(),
})
export type OfferedHostKey = z.infer<typeof OfferedHostKey>
