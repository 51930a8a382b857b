import { z } from 'zod'
import { ErrorBody, ErrorCode } from '../errors.ts'
import { AgentActivity, AgentLock } from '../model/agent.ts'
import { AgentId, Digest, EpochMs, NodeId, PlanId, RunId } from '../model/ids.ts'
import { PulledKind } from '../model/node.ts'
import { AgentSpec } from '../model/plan.ts'
import { Halt, HaltApproval, Run } from '../model/run.ts'

/*
 * What agents and the gateway say to each other: versioned REST over mutual TLS, JSON in both directions. Agents and
 * engine are upgraded apart, so this may grow within a version but never changes: receivers take unknown fields.
 */

/** In every path: `/v1/sync/…`. An agent that needs a newer one is told so with AGENT_VERSION_UNSUPPORTED. */
export const agentApiVersion = 1

export const agentApiPaths = {
  health: '/healthz',
  openApi: '/v1/openapi.json',
  /** The current root certificates (PEM). Public: the caller compares their hash with its pin. */
  roots: '/v1/sync/roots',
  enroll: '/v1/sync/enroll',
  heartbeat: '/v1/sync/heartbeat',
  clientCertificate: '/v1/sync/client-certificate',
  sshCertificate: '/v1/sync/ssh-certificate',
  /** PUT with the client's own key: same key, same run (S0.60, S0.88). */
  /** What the plans of kinds `routes` and `hosts` have for its node (S1F.5). */
  deliveries: '/v1/sync/deliveries',
  /** PUT with the agent's own key: what became of one of them on its machine. */
  delivery: (key: string) => `/v1/sync/deliveries/${encodeURIComponent(key)}`,
  registration: (key: string) => `/v1/sync/registrations/${encodeURIComponent(key)}`,
  state: (runId: string) => `/v1/sync/runs/${runId}/state`,
  log: (runId: string) => `/v1/sync/runs/${runId}/log`,
} as const

export const agentApiLimits = {
  /** JSON bodies; larger ones are refused with 413. */
  bodyBytes: 1_048_576,
  /** One piece of a log. */
  logChunkBytes: 262_144,
} as const

/** Sent with every request; the gateway logs it and refuses what it cannot serve. */
export const agentVersionHeader = 'lockstep-agent-version'

/** Every answer that is not 2xx. */
export const AgentApiError = z.object({ error: ErrorBody })

export const RootsResponse = z.object({ roots: z.array(z.string()) })
export type RootsResponse = z.infer<typeof RootsResponse>

export const EnrollRequest = z.object({
  /** Secret part of the join token, used once. */
  token: z.string().min(16).max(256),
  hostname: z.string().min(1).max(253),
  platform: z.string().max(100),
  version: z.string().max(50),
  /** PKCS#10 request in PEM; proves that the agent has the key. */
  certificateRequest: z.string().max(8192),
  /** OpenSSH public key line of the agent's long-lived key (S0.32). */
  sshPublicKey: z.string().max(4096),
})
export type EnrollRequest = z.infer<typeof EnrollRequest>

export const EnrollResponse = z.object({
  agentId: AgentId,
  nodeId: NodeId,
  nodeName: z.string(),
  /** Client certificate and the roots to trust from now on, PEM. */
  clientCertificate: z.string(),
  roots: z.array(z.string()),
})
export type EnrollResponse = z.infer<typeof EnrollResponse>

export const ClientCertificateRequest = z.object({ certificateRequest: z.string().max(8192) })
export const ClientCertificateResponse = z.object({ clientCertificate: z.string(), roots: z.array(z.string()) })
export type ClientCertificateResponse = z.infer<typeof ClientCertificateResponse>

/** The key to certify has to be the one the agent enrolled with, or the request is signed by nobody. */
export const SshCertificateRequest = z.object({
  publicKey: z.string().max(4096),
  /** How long the run that needs it is expected to take. */
  minValidSeconds: z.number().int().min(0).max(57_600).default(3_600),
})
export const SshCertificateResponse = z.object({
  /** `ssh-ed25519-cert-v01@openssh.com AAAA…` */
  certificate: z.string(),
  serial: z.string(),
  validBefore: EpochMs,
})
export type SshCertificateResponse = z.infer<typeof SshCertificateResponse>

export const HeartbeatRequest = z.object({
  sentAt: EpochMs,
  version: z.string().max(50),
  activity: AgentActivity,
  lock: AgentLock.nullable(),
  spooledReports: z.number().int().nonnegative(),
  /** SHA-256 of the DER of every root it trusts. */
  trustedRoots: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(16),
  /** The work of its `agent.yaml`; becomes its plan. */
  spec: AgentSpec,
  /** What it fetches for its machine, by its own decision; absent from agents that cannot. */
  pulls: z.array(PulledKind).max(PulledKind.options.length).optional(),
})
export type HeartbeatRequest = z.infer<typeof HeartbeatRequest>

/** The whole text of one file, or of the block in one, as its machine should have it now. */
export const Delivery = z.object({
  planId: PlanId,
  planName: z.string(),
  kind: PulledKind,
  revision: z.number().int().positive(),
  /** SHA-256 of `text` in UTF-8; what is read back on the machine has to have it. */
  digest: Digest,
  text: z.string(),
})
export type Delivery = z.infer<typeof Delivery>

export const DeliveriesResponse = z.object({ deliveries: z.array(Delivery) })
export type DeliveriesResponse = z.infer<typeof DeliveriesResponse>

/** What the agent did with one delivery, and what it read back. */
export const DeliveryReport = z.object({
  planId: PlanId,
  revision: z.number().int().positive(),
  startedAt: EpochMs,
  finishedAt: EpochMs,
  outcome: z.discriminatedUnion('status', [
    z.object({
      status: z.literal('verified'),
      /** Of what was read back. */
      digest: Digest,
      /** False: it was there already. */
      written: z.boolean(),
    }),
    z.object({
      status: z.literal('failed'),
      code: ErrorCode,
      message: z.string().max(1_000),
    }),
  ]),
})
export type DeliveryReport = z.infer<typeof DeliveryReport>

/** 201 for a new run, 200 for one that was reported under this key before. */
export const DeliveryResponse = z.object({ runId: RunId })
export type DeliveryResponse = z.infer<typeof DeliveryResponse>

export const HeartbeatResponse = z.object({
  now: EpochMs,
  /** Roots to trust from now on, PEM; differs from what the agent has during a rotation. */
  roots: z.array(z.string()),
  /** The agent should ask for a new client certificate now. */
  renewClientCertificate: z.boolean(),
})
export type HeartbeatResponse = z.infer<typeof HeartbeatResponse>

export const RegisterRequest = z.object({
  requestedBy: z.string().min(1).max(255),
  spec: AgentSpec,
  startedAt: EpochMs,
})
export type RegisterRequest = z.infer<typeof RegisterRequest>

/** 201 for a new run, 200 for one that was registered under this key before. */
export const RegisterResponse = z.object({ run: Run, logBytes: z.number().int().nonnegative() })
export type RegisterResponse = z.infer<typeof RegisterResponse>

/** The part of a run its agent decides. The engine keeps id, key, node, plan and who asked. */
export const AgentRunState = Run.pick({
  status: true,
  state: true,
  notBefore: true,
  tries: true,
  visits: true,
  attempts: true,
  warnings: true,
  failure: true,
  certificateSerial: true,
  summary: true,
  proof: true,
  startedAt: true,
  finishedAt: true,
}).extend({
  /** Why it stopped itself; lifted on the host of the agent, by `lockstep-agent run --approve`. */
  halt: Halt.nullable().default(null),
  approvals: z.array(HaltApproval).default([]),
})
export type AgentRunState = z.infer<typeof AgentRunState>

/** `sequence` grows with every change of the run on the agent; an older one than known is ignored, not an error. */
export const StateRequest = z.object({ sequence: z.number().int().positive(), run: AgentRunState })
export type StateRequest = z.infer<typeof StateRequest>

export const StateResponse = z.object({
  /** The highest sequence the engine has made durable. */
  sequence: z.number().int().nonnegative(),
  /** Somebody asked for it to stop; the agent stops and reports `canceled`. */
  cancelRequestedBy: z.string().nullable(),
})
export type StateResponse = z.infer<typeof StateResponse>

/** PUT of raw bytes with `?offset=`: what the engine has already is skipped; a gap is answered with its size. */
export const LogResponse = z.object({ sizeBytes: z.number().int().nonnegative() })
export type LogResponse = z.infer<typeof LogResponse>
