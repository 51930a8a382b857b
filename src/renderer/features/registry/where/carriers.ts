import type { NodeId } from '../../../../shared/model/ids.ts'
import type { FleetNode, PlanState } from '../../../../shared/model/node.ts'
import type { Plan, PlanOf } from '../../../../shared/model/plan.ts'
import type { RegistryService } from '../../../../shared/model/registry.ts'

export type DeliveryPlan = PlanOf<'routes'> | PlanOf<'hosts'>

/**
 * How sure it is that a node carries the newest text. `silent`: it was proven, but the node does not answer now;
 * `drift`: it was proven, and is no longer; `behind`: an older text was read back.
 */
export const carryStates = ['proven', 'silent', 'behind', 'drift', 'never'] as const
export type CarryState = (typeof carryStates)[number]

export function carryState(state: PlanState, { reachability }: Pick<FleetNode, 'reachability'>): CarryState {
  if (state.observed === null) return 'never'
  if (state.driftSince !== null) return 'drift'
  if (state.observed.revision !== state.desiredRevision) return 'behind'
  return reachability.status === 'unreachable' ? 'silent' : 'proven'
}

/** A plan that delivers the registry, and how each of its nodes fares. */
export interface Carrier {
  readonly plan: DeliveryPlan
  readonly nodes: ReadonlyMap<NodeId, CarryState>
  readonly counts: Readonly<Record<CarryState, number>>
}

const isDelivery = (plan: Plan): plan is DeliveryPlan => plan.kind === 'routes' || plan.kind === 'hosts'

/** Every plan that delivers services, by name. One walk over the nodes, however many services there are. */
export function carriersOf(plans: Iterable<Plan>, nodes: Iterable<FleetNode>): readonly Carrier[] {
  const tallies = new Map(
    [...plans].filter(isDelivery).map((plan) => [plan.id, { plan, nodes: new Map<NodeId, CarryState>() }]),
  )
  for (const node of nodes)
    for (const state of node.plans) tallies.get(state.planId)?.nodes.set(node.id, carryState(state, node))
  return [...tallies.values()]
    .map(({ plan, nodes: states }) => ({ plan, nodes: states, counts: countsOf(states.values()) }))
    .sort((left, right) => (left.plan.name < right.plan.name ? -1 : 1))
}

function countsOf(states: Iterable<CarryState>): Record<CarryState, number> {
  const counts: Record<CarryState, number> = { proven: 0, silent: 0, behind: 0, drift: 0, never: 0 }
  for (const state of states) counts[state] += 1
  return counts
}

/** Who carries a service: routes are for public ones alone (S1.26), hosts files for all (S1.54). */
export const carriersFor = (
  carriers: readonly Carrier[],
  service: Pick<RegistryService, 'public'>,
): readonly Carrier[] => carriers.filter(({ plan }) => plan.kind === 'hosts' || service.public)

export interface Tally {
  readonly wanted: number
  readonly proven: number
}

/** All nodes of all these plans; a node that two of them reach counts twice, because it carries two texts. */
export const tallyOf = (carriers: readonly Carrier[]): Tally => ({
  wanted: carriers.reduce((sum, { nodes }) => sum + nodes.size, 0),
  proven: carriers.reduce((sum, { counts }) => sum + counts.proven, 0),
})

/** The filter of the map for the nodes of a plan. */
export const planFilter = ({ name }: Pick<Plan, 'name'>, onlyOpen = false): string =>
  `plan:"${name.replaceAll('"', '*')}"${onlyOpen ? ' and not tile:in-step' : ''}`
