import { createHash } from 'node:crypto'
import { agentPlanName, agentPlanSelector, sameSpec } from '../../core/fleet/agentPlan.ts'
import { withPlan } from '../../core/fleet/assignment.ts'
import { planContent } from '../../core/fleet/planContent.ts'
import { AppError } from '../../shared/errors.ts'
import { type NodeId, PlanId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { AgentSpec, PlanOf } from '../../shared/model/plan.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/** Follows from the node, so that two reports at the same instant mean the same plan. A UUID of version 8. */
export function agentPlanId(nodeId: NodeId): PlanId {
  const hex = createHash('sha256').update(`agent plan\n${nodeId}`).digest('hex')
  return PlanId.parse(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
  )
}

/** The plan of the agent on this node; null before it has said what it does. */
export async function findAgentPlan(store: StoreReader, nodeId: NodeId): Promise<PlanOf<'agent'> | null> {
  const plan = await store.getPlan(agentPlanId(nodeId))
  return plan?.kind === 'agent' ? plan : null
}

/**
 * Makes what an agent says it does its plan, and the plan's state part of the node. The revision grows when the work
 * changes, not when only the node was renamed.
 * @returns the plan, and the node as it is to be saved: the same object when nothing about it is new
 */
export async function ensureAgentPlan(
  transaction: StoreTransaction,
  node: FleetNode,
  { spec, nowMs }: { readonly spec: AgentSpec; readonly nowMs: number },
): Promise<{ readonly plan: PlanOf<'agent'>; readonly node: FleetNode }> {
  const before = await findAgentPlan(transaction, node.id)
  const unchanged = before !== null && sameSpec(before.spec, spec) && before.selector === agentPlanSelector(node.name)
  const plan = unchanged ? before : await savePlan(transaction, node, { spec, nowMs, before })
  const state = node.plans.find((candidate) => candidate.planId === plan.id)
  if (state?.desiredRevision === plan.revision && state.planName === plan.name) return { plan, node }
  return { plan, node: withPlan(node, plan) }
}

interface Saving {
  readonly spec: AgentSpec
  readonly nowMs: number
  readonly before: PlanOf<'agent'> | null
}

async function savePlan(
  transaction: StoreTransaction,
  node: FleetNode,
  { spec, nowMs, before }: Saving,
): Promise<PlanOf<'agent'>> {
  const id = agentPlanId(node.id)
  const content = { kind: 'agent' as const, selector: agentPlanSelector(node.name), spec }
  const isSameWork = before !== null && sameSpec(before.spec, spec)
  const plan: PlanOf<'agent'> = {
    ...content,
    id,
    name: await freeName(transaction, node.name, { spec, id }),
    revision: (before?.revision ?? 0) + (isSameWork ? 0 : 1),
    digest: createHash('sha256').update(planContent(content)).digest('hex'),
    createdAt: before?.createdAt ?? nowMs,
    updatedAt: nowMs,
  }
  await transaction.savePlan(plan)
  return plan
}

const mostNames = 1_000

async function freeName(
  store: StoreReader,
  nodeName: string,
  { spec, id }: { readonly spec: AgentSpec; readonly id: PlanId },
): Promise<string> {
  for (let number = 1; number <= mostNames; number += 1) {
    const name = agentPlanName(nodeName, spec, number)
    const holder = await store.findPlanByName(name)
    if (holder === null || holder.id === id) return name
  }
  throw new AppError('CONFLICT', `Too many plans are named like that of the agent on ${nodeName}. Remove some.`)
}
