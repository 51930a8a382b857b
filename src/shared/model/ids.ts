import { z } from 'zod'

/** Text ids: UUID v7, so that lexical order is creation order. Branded, so that a run id is never taken for a node id. */
const uuid = z.uuid()

export const NodeId = uuid.brand<'NodeId'>()
export type NodeId = z.infer<typeof NodeId>

export const PlanId = uuid.brand<'PlanId'>()
export type PlanId = z.infer<typeof PlanId>

export const RunId = uuid.brand<'RunId'>()
export type RunId = z.infer<typeof RunId>

/** Groups the runs that one press of a button started. */
export const BatchId = uuid.brand<'BatchId'>()
export type BatchId = z.infer<typeof BatchId>

export const CertificateId = uuid.brand<'CertificateId'>()
export type CertificateId = z.infer<typeof CertificateId>

export const AgentId = uuid.brand<'AgentId'>()
export type AgentId = z.infer<typeof AgentId>

export const JoinTokenId = uuid.brand<'JoinTokenId'>()
export type JoinTokenId = z.infer<typeof JoinTokenId>

/** One change brought to many nodes. */
export const RolloutId = uuid.brand<'RolloutId'>()
export type RolloutId = z.infer<typeof RolloutId>

/** A place outside that a registry follows. */
export const SourceId = uuid.brand<'SourceId'>()
export type SourceId = z.infer<typeof SourceId>

/** A source of truth that is distributed to nodes. */
export const RepositoryId = uuid.brand<'RepositoryId'>()
export type RepositoryId = z.infer<typeof RepositoryId>

export const TerminalId = uuid.brand<'TerminalId'>()
export type TerminalId = z.infer<typeof TerminalId>

/** Made by the client before it asks, so that asking twice gives the same run (S0.60, S0.88). */
export const IdempotencyKey = z
  .string()
  .min(8, 'an idempotency key has at least 8 characters')
  .max(128, 'an idempotency key has at most 128 characters')
  .regex(/^[A-Za-z0-9._:-]+$/, 'an idempotency key holds letters, digits and . _ : - only')
  .brand<'IdempotencyKey'>()
export type IdempotencyKey = z.infer<typeof IdempotencyKey>

/** Position in the event log; grows by one with every committed change and never goes back. */
export const EventSeq = z.number().int().nonnegative()
export type EventSeq = z.infer<typeof EventSeq>

/** Milliseconds since 1970-01-01 UTC. */
export const EpochMs = z.number().int()
export type EpochMs = z.infer<typeof EpochMs>

/** SHA-256 in lower-case hexadecimal. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'a digest is 64 hexadecimal digits')
export type Digest = z.infer<typeof Digest>
