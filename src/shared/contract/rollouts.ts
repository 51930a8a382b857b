import { z } from 'zod'
import { IdempotencyKey, RolloutId } from '../model/ids.ts'
import { Rollout, RolloutSettings } from '../model/rollout.ts'
import { Run } from '../model/run.ts'
import { procedure } from './base.ts'
import { PlanReference } from './plans.ts'
import { PushTargets } from './runs.ts'

export const rolloutsContract = {
  /** Newest first. */
  list: procedure
    .input(z.object({ before: RolloutId.optional(), limit: z.int().min(1).max(500).default(50) }))
    .output(z.array(Rollout)),
  /** With the newest run of each plan on each node, for the matrix of nodes and states. */
  get: procedure.input(z.object({ id: RolloutId })).output(z.object({ rollout: Rollout, runs: z.array(Run) })),
  /** Asked again with the same key it is the same rollout. No plans: all of kind `routes` and `hosts`. */
  start: procedure
    .input(
      z.object({
        idempotencyKey: IdempotencyKey,
        plans: z.array(PlanReference).default([]),
        targets: PushTargets,
        settings: RolloutSettings.prefault({}),
      }),
    )
    .output(Rollout),
  /** Nothing more is started; what is being worked on is let finish. */
  pause: procedure.input(z.object({ id: RolloutId })).output(Rollout),
  /** After a pause, or in spite of failures. */
  resume: procedure.input(z.object({ id: RolloutId })).output(Rollout),
  /** Nothing more is started, and what is being worked on is canceled. */
  abort: procedure.input(z.object({ id: RolloutId })).output(Rollout),
  /** A new rollout to the nodes where this one failed or was canceled (U28). @throws PRECONDITION_FAILED when there are none */
  retryFailed: procedure.input(z.object({ id: RolloutId, idempotencyKey: IdempotencyKey })).output(Rollout),
  /** How changes of the registry go out from now on. */
  settings: procedure.output(RolloutSettings),
  setSettings: procedure.input(RolloutSettings).output(RolloutSettings),
}
