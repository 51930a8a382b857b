import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { directoryOn } from './places.ts'

/** Where the plan has to do with the node, as far as the node's name decides it. */
function placeBy(plan: Plan, nodeName: string): string {
  if (plan.kind === 'repository') return directoryOn(plan.spec, nodeName)
  if (plan.kind !== 'tree') return ''
  const { push, pull } = plan.spec
  return [push?.source ?? '', pull?.target ?? ''].map((path) => path.replaceAll('{node}', nodeName)).join('\n')
}

/** Plans that mean another place since the node has another name: what was read back was read from the old one. */
export function plansMovedByName(
  before: Pick<FleetNode, 'name'>,
  after: Pick<FleetNode, 'name'>,
  plans: readonly Plan[],
): ReadonlySet<Plan['id']> {
  if (before.name === after.name) return new Set()
  const moved = plans.filter((plan) => placeBy(plan, before.name) !== placeBy(plan, after.name))
  return new Set(moved.map(({ id }) => id))
}

/** The node without the proofs of these plans. */
export function withoutProofsOf(node: FleetNode, planIds: ReadonlySet<Plan['id']>): FleetNode {
  if (planIds.size === 0) return node
  const plans = node.plans.map((state) =>
    planIds.has(state.planId) ? { ...state, observed: null, driftSince: null, driftReason: null } : state,
  )
  return { ...node, plans }
}
