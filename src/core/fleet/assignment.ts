import type { FleetNode, PlanState } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { agentPlanSelector } from './agentPlan.ts'
import { type Filter, type FilterResult, matchesFilter, parseFilter } from './filter.ts'

/** Conditions whose answer changes from minute to minute; a plan's reach must not depend on them. */
const volatileFields = new Set(['status', 'tile', 'plan'])

function volatileFieldOf(filter: Filter): string | null {
  switch (filter.kind) {
    case 'all':
      return null
    case 'condition':
      return volatileFields.has(filter.field) ? filter.field : null
    case 'not':
      return volatileFieldOf(filter.operand)
    case 'and':
    case 'or':
      return volatileFieldOf(filter.left) ?? volatileFieldOf(filter.right)
  }
}

/** Parses the selector of a plan: the filter language without the conditions that describe the moment. */
export function parseSelector(text: string): FilterResult {
  const result = parseFilter(text)
  if (!result.ok) return result
  const field = volatileFieldOf(result.filter)
  if (field === null) return result
  const message = `a plan selects by name, kind, address, user, login or label; "${field}:" changes while the plan runs`
  return { ok: false, position: Math.max(0, text.indexOf(`${field}:`)), message }
}

/**
 * Does the plan reach this node? A selector that does not parse reaches nobody. We never log in to nodes of agents: they are
 * reached by the plan of their own agent and by what it says it fetches, another plan would leave them pending for ever.
 */
export function selects(plan: Plan, node: FleetNode): boolean {
  return selectorOf(plan)(node)
}

/** The same question for many nodes: the selector is read once. */
export function selectorOf(plan: Pick<Plan, 'kind' | 'selector'>): (node: FleetNode) => boolean {
  if (plan.kind === 'agent')
    return (node) => node.transport === 'poll' && plan.selector === agentPlanSelector(node.name)
  const result = parseSelector(plan.selector)
  if (!result.ok) return () => false
  const isServed = ({ transport, pulls = [] }: FleetNode): boolean =>
    transport === 'push' || pulls.some((kind) => kind === plan.kind)
  return (node) => isServed(node) && matchesFilter(result.filter, node, 0)
}

function stateOf(plan: Plan, previous: PlanState | undefined): PlanState {
  const blank: PlanState = {
    planId: plan.id,
    planName: plan.name,
    desiredRevision: plan.revision,
    observed: null,
    driftSince: null,
    lastRunId: null,
  }
  if (previous === undefined) return blank
  if (previous.planName === plan.name && previous.desiredRevision === plan.revision) return previous
  return { ...previous, planName: plan.name, desiredRevision: plan.revision }
}

/**
 * The node with one state for each plan that selects it. What was observed stays, so that a new revision shows as
 * behind, not as never synced; the state of a plan that no longer selects the node goes.
 */
export function assignPlans(node: FleetNode, plans: readonly Plan[]): FleetNode {
  return assignerOf(plans)(node)
}

/** The same for many nodes. @returns the very node when nothing about its plans has changed */
export function assignerOf(plans: readonly Plan[]): (node: FleetNode) => FleetNode {
  const chosen = plans.map((plan) => ({ plan, selected: selectorOf(plan) }))
  return (node) => {
    const byPlan = new Map(node.plans.map((state) => [state.planId, state]))
    // A node that was renamed keeps the plan of its agent, which learns the new name with the next heartbeat.
    const isOwn = (plan: Plan): boolean => plan.kind === 'agent' && node.transport === 'poll' && byPlan.has(plan.id)
    const assigned = chosen
      .filter(({ plan, selected }) => isOwn(plan) || selected(node))
      .map(({ plan }) => stateOf(plan, byPlan.get(plan.id)))
    const same = assigned.length === node.plans.length && assigned.every((state, index) => state === node.plans[index])
    return same ? node : { ...node, plans: assigned }
  }
}

/** The node with the state of this one plan brought up to date, or added; those of other plans stay. */
export function withPlan(node: FleetNode, plan: Plan): FleetNode {
  const known = node.plans.find((state) => state.planId === plan.id)
  const state = stateOf(plan, known)
  const plans = known === undefined ? [...node.plans, state] : node.plans.map((each) => (each === known ? state : each))
  return { ...node, plans }
}
