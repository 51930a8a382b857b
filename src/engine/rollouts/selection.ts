import { severityOf } from '../../core/run/severity.ts'
import type { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Rollout } from '../../shared/model/rollout.ts'

/** Plans whose content follows the registry: what a rollout is about when it names none. */
export const followsRegistry = (plan: Pick<Plan, 'kind'>): boolean => plan.kind === 'routes' || plan.kind === 'hosts'

export const namedPlans = (plans: Iterable<Plan>): Rollout['plans'] =>
  [...new Map([...plans].map((plan) => [plan.id, plan])).values()].map(({ id, name, revision }) => ({
    planId: id,
    planName: name,
    planRevision: revision,
  }))

/** True while one of these plans was not read back from the node in the revision that is wanted now. */
export function lacks(node: FleetNode, planIds: ReadonlySet<PlanId>): boolean {
  return node.plans.some(
    ({ planId, observed, desiredRevision, driftSince }) =>
      planIds.has(planId) && (observed?.revision !== desiredRevision || driftSince !== null),
  )
}

export const canBePushedTo = (node: FleetNode): boolean => !node.maintenance && node.transport === 'push'

/** At the last look nobody answered: whoever looks after lost nodes brings it what it lacks when it is back (S1.72, S1.78). */
export function isAway({ reachability }: FleetNode): boolean {
  return reachability.status === 'unreachable' && severityOf(reachability.diagnosis.code) === 'unreachable'
}

const order = { reachable: 0, unknown: 1, unreachable: 2 } as const

/** Those that answered last time first, so that canaries do; then by name, so that it is the same each time. */
export function inOrder(nodes: Iterable<FleetNode>): NodeId[] {
  return [...nodes]
    .sort(
      (left, right) =>
        order[left.reachability.status] - order[right.reachability.status] || (left.name < right.name ? -1 : 1),
    )
    .map(({ id }) => id)
}
