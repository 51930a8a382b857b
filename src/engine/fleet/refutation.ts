import { inDoubt } from '../../core/fleet/drift.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Store } from '../ports.ts'

export interface RefutationDependencies {
  readonly store: Store
  readonly clock: Clock
}

export interface Refutation {
  /** As it was before the look. */
  readonly node: FleetNode
  /** As it was when what the node should have was computed. */
  readonly plan: Pick<Plan, 'id' | 'revision'>
  /** What was read from the node. */
  readonly refutation: Diagnosis
}

/**
 * Keeps what a look outside any run has found, so that no green stays which is known to be wrong; the next run that proves
 * the plan clears it. A proof that came meanwhile is newer than the look and stays, as does the word of a run that is at
 * work on the plan; a node that is behind is not green anyway.
 */
export async function recordRefutation(
  { store, clock }: RefutationDependencies,
  { node, plan, refutation }: Refutation,
): Promise<void> {
  const seen = stateOf(node, plan)
  if (seen?.observed == null) return
  const { runId, verifiedAt } = seen.observed
  await store.transact(async (transaction) => {
    const now = await transaction.getNode(node.id)
    const state = now === null ? undefined : stateOf(now, plan)
    if (now === null || state?.observed == null) return
    const isSameProof = state.observed.runId === runId && state.observed.verifiedAt === verifiedAt
    if (!isSameProof || state.lastRunId !== seen.lastRunId) return
    if (state.observed.revision !== plan.revision || state.desiredRevision !== plan.revision) return
    const open = await transaction.openRunsOf(node.id)
    if (open.some(({ planId, status }) => planId === plan.id && status === 'running')) return
    const doubted = inDoubt(state, refutation, clock.nowMs())
    if (JSON.stringify(doubted) === JSON.stringify(state)) return
    await transaction.saveNode({ ...now, plans: now.plans.map((each) => (each === state ? doubted : each)) })
  })
}

const stateOf = ({ plans }: FleetNode, plan: Refutation['plan']) => plans.find(({ planId }) => planId === plan.id)
