import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { BatchId, Digest, EpochMs, EventSeq, IdempotencyKey, NodeId, PlanId, RolloutId, RunId } from './ids.ts'
import { PlanKind, TreeVerify } from './plan.ts'
import { CommitHash } from './repository.ts'

/** The eleven states of every run, in order; `FAILED` is the error terminal (S0.41). */
export const runStates = [
  'INIT',
  'ENSURE_CERT',
  'ACQUIRE_LOCK',
  'REGISTER_RUN',
  'PRE_FLIGHT_CHECK',
  'PUSH_SYNC',
  'PULL_SYNC',
  'VERIFY',
  'REPORT',
  'FINALIZE',
  'FAILED',
] as const
export const RunState = z.enum(runStates)
export type RunState = z.infer<typeof RunState>

/** `halted` waits for a person's explicit action; `canceled`, `succeeded` and `failed` are final. */
export const RunStatus = z.enum(['queued', 'running', 'succeeded', 'failed', 'canceled', 'halted'])
export type RunStatus = z.infer<typeof RunStatus>

/** Why a run stopped itself before doing harm. */
export const HaltReason = z.enum(['source-empty', 'mass-delete', 'host-key-changed', 'secrets-found'])
export type HaltReason = z.infer<typeof HaltReason>

/** A stay in one state. `leftAt` is null in the current one. A state entered again by a later attempt has another visit. */
export const StateVisit = z.object({
  state: RunState,
  attempt: z.number().int().positive(),
  enteredAt: EpochMs,
  leftAt: EpochMs.nullable(),
  outcome: z.enum(['active', 'done', 'skipped', 'retry', 'failed', 'interrupted', 'canceled', 'halted']),
})
export type StateVisit = z.infer<typeof StateVisit>

/** One try of a run. A retry is not a new run (S0.86). */
export const Attempt = z.object({
  number: z.number().int().positive(),
  status: z.enum(['running', 'succeeded', 'failed', 'canceled', 'halted', 'interrupted']),
  startedAt: EpochMs,
  finishedAt: EpochMs.nullable(),
  diagnosis: Diagnosis.nullable(),
})
export type Attempt = z.infer<typeof Attempt>

/** Live figures, coalesced to at most four a second; not kept in the event log. */
export const RunProgress = z.object({
  /** Bytes moved so far in this direction. */
  bytes: z.number().int().nonnegative(),
  /** Null until rsync knows the file list. */
  totalBytes: z.number().int().nonnegative().nullable(),
  files: z.number().int().nonnegative(),
  bytesPerSecond: z.number().nonnegative(),
  remainingMs: z.number().int().nonnegative().nullable(),
  direction: z.enum(['push', 'pull']),
})
export type RunProgress = z.infer<typeof RunProgress>

/** Times and volume, reported at the end (S0.76-78). */
export const RunSummary = z.object({
  filesTotal: z.number().int().nonnegative(),
  filesTransferred: z.number().int().nonnegative(),
  filesDeleted: z.number().int().nonnegative(),
  bytesTotal: z.number().int().nonnegative(),
  /** What went over the wire, both ways. */
  bytesTransferred: z.number().int().nonnegative(),
  durationMs: z.number().int().nonnegative(),
})
export type RunSummary = z.infer<typeof RunSummary>

/** By which rule something counts as proven. */
export const ProofRule = z.discriminatedUnion('mode', [
  ...TreeVerify.options,
  /** The list was read back, sshd obeys it, and a login with a revoked certificate was refused; null: none to try. */
  z.object({
    mode: z.literal('krl'),
    krlVersion: z.number().int().nonnegative(),
    refusedSerial: z.string().nullable(),
  }),
  /** The file was read back, sshd obeys it, and a login with each of these authorities' certificates succeeded. */
  z.object({ mode: z.literal('trust'), authorities: z.array(z.string()), loggedInWith: z.array(z.string()) }),
  /** The node offered this host certificate to a client that trusts the host authority alone. */
  z.object({
    mode: z.literal('host-certificate'),
    serial: z.string(),
    validAfter: EpochMs,
    validBefore: EpochMs,
    authorityFingerprint: z.string(),
  }),
  /**
   * The routes file was read back. `traefik`: it was seen running; `unchecked` where the plan asks for nothing.
   * `routers`: so many routers of ours its API listed; null without an API.
   */
  z.object({
    mode: z.literal('routes'),
    traefik: z.enum(['running', 'unchecked']),
    routers: z.number().int().nonnegative().nullable(),
  }),
  /** The hosts file was read back and holds exactly our block. */
  z.object({ mode: z.literal('hosts'), entries: z.number().int().nonnegative() }),
  /**
   * The sentinel was read back and names the commit; `compared`: all files, or a sample of them, were hashed on the node.
   * `release`: the directory that `current` points at; null where the tree lies in place.
   */
  z.object({
    mode: z.literal('repository'),
    commit: CommitHash,
    compared: z.enum(['full', 'sample']),
    release: z.string().nullable(),
  }),
  /** The agent compared both sides after the transfer: nothing differed. */
  z.object({ mode: z.literal('agent'), compared: z.enum(['listing', 'checksum']) }),
])
export type ProofRule = z.infer<typeof ProofRule>

/** What was read back from the node: the reason a tile may be green. */
export const RunProof = z.object({
  digest: Digest,
  /** How many files were hashed or compared on the node. */
  filesVerified: z.number().int().nonnegative(),
  verify: ProofRule,
  verifiedAt: EpochMs,
  /** Null when it logs in with a static key. */
  certificateSerial: z.string().nullable(),
  /** Fingerprint of the static key it logged in with, in the place of a certificate (D9). */
  staticKey: z.string().optional(),
})
export type RunProof = z.infer<typeof RunProof>

/** What a dry run found when deletes are on. */
export const DeletePreview = z.object({
  filesDeleted: z.number().int().nonnegative(),
  filesOnTarget: z.number().int().nonnegative(),
  /** Median share of earlier successful runs; null without history. */
  usualShare: z.number().nullable(),
  /** The first thousand paths. */
  sample: z.array(z.string()),
})
export type DeletePreview = z.infer<typeof DeletePreview>

export const Halt = z.object({
  reason: HaltReason,
  diagnosis: Diagnosis,
  haltedAt: EpochMs,
  deletePreview: DeletePreview.nullable(),
})
export type Halt = z.infer<typeof Halt>

/** A safety stop that a person has lifted for this one run. */
export const HaltApproval = z.object({
  reason: HaltReason,
  by: z.string(),
  at: EpochMs,
  /** What the person was shown, so that the word holds for that and nothing larger. */
  planRevision: z.number().int().positive().optional(),
  state: RunState.optional(),
  filesDeleted: z.number().int().nonnegative().optional(),
})
export type HaltApproval = z.infer<typeof HaltApproval>

/** `agent`: an agent decided by itself and does the work. `registry`, `repository`: what is to be delivered has changed. */
export const RunTrigger = z.enum(['operator', 'reconcile', 'agent', 'registry', 'repository'])
export type RunTrigger = z.infer<typeof RunTrigger>

export const Cancellation = z.object({
  by: z.string(),
  requestedAt: EpochMs,
  /** Proven: the remote process group is gone. Null until known. */
  stopConfirmed: z.boolean().nullable(),
})
export type Cancellation = z.infer<typeof Cancellation>

/** One persisted execution of a plan on a node. It outlives attempts and restarts of the engine. */
export const Run = z.object({
  id: RunId,
  idempotencyKey: IdempotencyKey,
  batchId: BatchId,
  /** Sends also what the node seems to have already (D18). */
  force: z.literal(true).optional(),
  /** The change it is part of; none for runs outside a rollout. */
  rolloutId: RolloutId.optional(),
  planId: PlanId,
  planName: z.string(),
  planKind: PlanKind,
  planRevision: z.number().int().positive(),
  nodeId: NodeId,
  nodeName: z.string(),
  trigger: RunTrigger,
  requestedBy: z.string(),
  status: RunStatus,
  state: RunState,
  /** Wall-clock time before which a retry or a lock wait does not continue; null when not waiting. */
  notBefore: EpochMs.nullable(),
  /** Tries used up by this run, counting the first; at most three (D13). Interruptions and halts use none up. */
  tries: z.number().int().nonnegative(),
  visits: z.array(StateVisit),
  attempts: z.array(Attempt),
  warnings: z.array(z.object({ code: z.string(), message: z.string(), evidence: z.array(z.string()) })),
  failure: Diagnosis.nullable(),
  halt: Halt.nullable(),
  approvals: z.array(HaltApproval),
  cancellation: Cancellation.nullable(),
  /** Null until one is there, and for good where a static key is used. */
  certificateSerial: z.string().nullable(),
  /** `SHA256:…` of the static key it logs in with, in the place of a certificate (D9). */
  staticKey: z.string().optional(),
  summary: RunSummary.nullable(),
  proof: RunProof.nullable(),
  createdAt: EpochMs,
  startedAt: EpochMs.nullable(),
  finishedAt: EpochMs.nullable(),
  /** Bytes in the log store at the last commit. */
  logBytes: z.number().int().nonnegative(),
  /** Event in which this version of the run was committed. */
  seq: EventSeq,
})
export type Run = z.infer<typeof Run>

/** Final: nothing will change any more. */
export const isFinal = (status: RunStatus): boolean =>
  status === 'succeeded' || status === 'failed' || status === 'canceled'
