import { z } from 'zod'
import { EpochMs, NodeId, PlanId, RolloutId } from './ids.ts'
import { RegistryKind } from './registry.ts'

/** A number of nodes, or a share of them in percent, rounded up. */
export const Portion = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('count'), count: z.int().min(1).max(100_000) }),
  z.strictObject({ kind: z.literal('percent'), percent: z.number().min(1).max(100) }),
])
export type Portion = z.infer<typeof Portion>

/** How a change goes through the fleet. */
export const RolloutSettings = z.strictObject({
  /** The first wave; null: all at once. */
  canary: Portion.nullable().default(null),
  /** Nodes that are worked on at once; null: as many as this machine carries. */
  maxParallel: z.int().min(1).max(10_000).nullable().default(null),
  /** So many failed nodes of a wave stop the rollout; null: none do. Nodes that do not answer never count (S1.72). */
  failureLimit: Portion.nullable().default({ kind: 'percent', percent: 25 }),
})
export type RolloutSettings = z.infer<typeof RolloutSettings>

/** `stopped`: by failures. Only a person goes on from there and from `paused`. The last three are final. */
export const RolloutStatus = z.enum(['running', 'paused', 'stopped', 'finished', 'aborted', 'superseded'])
export type RolloutStatus = z.infer<typeof RolloutStatus>

/** Why it began. */
export const RolloutCause = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('registry'), registry: RegistryKind, revision: z.int().positive() }),
  z.object({ kind: z.literal('operator') }),
  /** The failed nodes of an older one, again. */
  z.object({ kind: z.literal('failed-of'), rolloutId: RolloutId }),
])
export type RolloutCause = z.infer<typeof RolloutCause>

/** How it ended for a node. `unreachable` is no failure: it gets the newest revision when it is back. */
export const NodeOutcome = z.enum(['succeeded', 'failed', 'unreachable', 'canceled'])
export type NodeOutcome = z.infer<typeof NodeOutcome>

/** One change brought to many nodes: the parent of their runs, which carry its id (`Run.rolloutId`). */
export const Rollout = z.object({
  id: RolloutId,
  cause: RolloutCause,
  plans: z.array(z.object({ planId: PlanId, planName: z.string(), planRevision: z.int().positive() })),
  settings: RolloutSettings,
  status: RolloutStatus,
  /** In the order in which they are started; those before `canaryEnd` are the first wave. */
  nodes: z.array(NodeId),
  canaryEnd: z.int().nonnegative(),
  /** How many were started, from the beginning of `nodes`. */
  started: z.int().nonnegative(),
  /** Settled nodes. Those that were started and are in none of these counts are being worked on. */
  counts: z.record(NodeOutcome, z.int().nonnegative()),
  /** Failures that count towards the limit: of the wave, since it began or a person went on. */
  waveFailures: z.int().nonnegative(),
  requestedBy: z.string(),
  createdAt: EpochMs,
  updatedAt: EpochMs,
  finishedAt: EpochMs.nullable(),
  /** The one that took over, when `superseded`. */
  supersededBy: RolloutId.nullable(),
})
export type Rollout = z.infer<typeof Rollout>
