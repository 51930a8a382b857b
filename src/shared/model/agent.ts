import { z } from 'zod'
import { AgentId, EpochMs, JoinTokenId, NodeId, RunId } from './ids.ts'
import { RunState, RunStatus } from './run.ts'
import { DisplayName, HostName } from './text.ts'

/** What an agent has told about the lock file of its machine (S0.53-57). */
export const AgentLock = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  hostname: z.string(),
  /** Run id, or the idempotency key before there is one (D5). */
  runId: z.string(),
  /** `foreign`: written on another machine, never taken away by itself (D7). */
  standing: z.enum(['ours', 'alive', 'dead', 'foreign', 'corrupt']),
})
export type AgentLock = z.infer<typeof AgentLock>

/** The machine of an agent, as it reported last. */
export const AgentActivity = z.discriminatedUnion('status', [
  z.object({ status: z.literal('idle'), nextRunAt: EpochMs.nullable() }),
  z.object({ status: z.literal('running'), runId: RunId, state: RunState, since: EpochMs }),
  /** Another agent holds the lock. */
  z.object({ status: z.literal('locked-out'), since: EpochMs }),
])
export type AgentActivity = z.infer<typeof AgentActivity>

/** A host that pushes by itself and reports here (D10). */
export const Agent = z.object({
  id: AgentId,
  nodeId: NodeId,
  /** Name of its node. */
  name: z.string(),
  status: z.enum(['active', 'revoked']),
  hostname: z.string(),
  /** e.g. `linux x64`. */
  platform: z.string(),
  version: z.string(),
  enrolledAt: EpochMs,
  enrolledBy: z.string(),
  /** Last request that proved its client certificate. */
  lastSeenAt: EpochMs.nullable(),
  lastSeenFrom: z.string().nullable(),
  /** Agent clock minus ours at the last request. */
  clockSkewMs: z.number().int().nullable(),
  /** X.509 client certificate. */
  certificate: z.object({
    serial: z.string(),
    authorityFingerprint: z.string(),
    validAfter: EpochMs,
    validBefore: EpochMs,
  }),
  /** SHA-256 fingerprints of the roots it trusts, as it said last. */
  trustedRoots: z.array(z.string()),
  /** Serial and end of the SSH certificate it uses; null before the first. */
  sshCertificate: z.object({ serial: z.string(), validBefore: EpochMs }).nullable(),
  activity: AgentActivity,
  lock: AgentLock.nullable(),
  /** Reports that wait on the agent because they could not be sent (D8). */
  spooledReports: z.number().int().nonnegative(),
  lastRun: z.object({ runId: RunId, status: RunStatus, finishedAt: EpochMs.nullable() }).nullable(),
})
export type Agent = z.infer<typeof Agent>

/** A permission to enroll one agent, once. The secret is shown when it is made and never again. */
export const JoinToken = z.object({
  id: JoinTokenId,
  /** Name the node gets; null: the host name of the agent. */
  nodeName: DisplayName.nullable(),
  createdAt: EpochMs,
  createdBy: z.string(),
  expiresAt: EpochMs,
  usedAt: EpochMs.nullable(),
  usedBy: AgentId.nullable(),
  revokedAt: EpochMs.nullable(),
})
export type JoinToken = z.infer<typeof JoinToken>

/** Made once, shown once. */
export const NewJoinToken = z.object({
  token: JoinToken,
  /** Holds the address, the pin of the root and the secret; one word without spaces. */
  secret: z.string(),
  /** The one command to run on the host. */
  command: z.string(),
})
export type NewJoinToken = z.infer<typeof NewJoinToken>

/** Where the gateway listens, when it is switched on. */
export const GatewaySettings = z.strictObject({
  /** IP address to bind; chosen by a person, never all by default. */
  address: z.union([z.ipv4(), z.ipv6()]),
  port: z.number().int().min(0).max(65_535),
  /** Names and addresses agents use to reach it; go into its certificate. */
  names: z
    .array(z.union([HostName, z.ipv4(), z.ipv6()]))
    .min(1)
    .max(16),
})
export type GatewaySettings = z.infer<typeof GatewaySettings>

export const GatewayStatus = z.object({
  /** Null: switched off. */
  settings: GatewaySettings.nullable(),
  listening: z.boolean(),
  /** Port in use; differs from the settings when those say 0. */
  port: z.number().int().nullable(),
  /** Address for agents, e.g. `https://control.internal:8443`. */
  url: z.string().nullable(),
  /** Why it does not listen although it should. */
  problem: z.string().nullable(),
  rootFingerprint: z.string().nullable(),
  certificateValidBefore: EpochMs.nullable(),
  openConnections: z.number().int().nonnegative(),
})
export type GatewayStatus = z.infer<typeof GatewayStatus>
