import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { BatchId, IdempotencyKey, RunId } from '../model/ids.ts'
import { HaltReason, Run, RunStatus } from '../model/run.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'
import { PlanReference } from './plans.ts'

/** A piece of a run's output, base64 because a byte stream need not be text. */
export const LogChunk = z.object({
  offset: z.number().int().nonnegative(),
  nextOffset: z.number().int().nonnegative(),
  totalBytes: z.number().int().nonnegative(),
  base64: z.string(),
  /** No more will come: the run is final and all was read. */
  complete: z.boolean(),
})
export type LogChunk = z.infer<typeof LogChunk>

export const RunFilter = z.object({
  node: NodeReference.optional(),
  plan: PlanReference.optional(),
  batchId: BatchId.optional(),
  statuses: z.array(RunStatus).optional(),
  /** Runs created before this id, newest first: the cursor. */
  before: RunId.optional(),
  limit: z.number().int().min(1).max(1000).default(100),
})
export type RunFilter = z.infer<typeof RunFilter>

/** Which nodes a push means. */
export const PushTargets = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('all') }),
  z.object({ kind: z.literal('nodes'), nodes: z.array(NodeReference).min(1).max(10_000) }),
  z.object({ kind: z.literal('filter'), filter: z.string().min(1).max(2000) }),
])
export type PushTargets = z.infer<typeof PushTargets>

export const runsContract = {
  /**
   * One run for each chosen plan and node that the plan selects. The key of each run is derived from `idempotencyKey`,
   * plan and node, so that sending this twice returns the same runs (S0.88).
   */
  push: procedure
    .input(
      z.object({ idempotencyKey: IdempotencyKey, plans: z.array(PlanReference).default([]), targets: PushTargets }),
    )
    .output(z.object({ batchId: BatchId, runs: z.array(Run) })),
  list: procedure.input(RunFilter).output(z.object({ runs: z.array(Run), next: RunId.nullable() })),
  get: procedure.input(z.object({ runId: RunId })).output(Run),
  /** Stops the remote process group too, and says whether that was proven. */
  cancel: procedure.input(z.object({ runId: RunId })).output(Run),
  /** Lifts one safety stop of one run; the run goes on under its id. */
  approve: procedure.input(z.object({ runId: RunId, reason: HaltReason })).output(Run),
  log: procedure
    .input(
      z.object({
        runId: RunId,
        offset: z.number().int().nonnegative().default(0),
        maxBytes: z.number().int().min(1).max(4_194_304).default(262_144),
      }),
    )
    .output(LogChunk),
  /** The output from `offset` on, as it comes; ends when the run is final. */
  followLog: procedure
    .input(z.object({ runId: RunId, offset: z.number().int().nonnegative().default(0) }))
    .output(eventIterator(LogChunk)),
}
