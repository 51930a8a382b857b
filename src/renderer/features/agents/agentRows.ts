import { useMemo } from 'react'
import type { Agent } from '../../../shared/model/agent.ts'
import type { PlanId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan, PlanOf } from '../../../shared/model/plan.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { type AgentRow, standingOf } from './agentStanding.ts'

/** The plan that the agent.yaml of this node became; undefined before its agent has said what it does. */
export function agentPlanOf(
  node: FleetNode | undefined,
  plans: ReadonlyMap<PlanId, Plan>,
): PlanOf<'agent'> | undefined {
  for (const { planId } of node?.plans ?? []) {
    const plan = plans.get(planId)
    if (plan?.kind === 'agent') return plan
  }
  return undefined
}

/** @param now the engine's time, in steps */
export function useAgentRows(now: number): readonly AgentRow[] {
  const agents = useReplica((state) => state.agents)
  const rowOf = useRowOf(now)
  return useMemo(() => [...agents.values()].map(rowOf), [agents, rowOf])
}

export function useAgentRow(agent: Agent, now: number): AgentRow {
  return useRowOf(now)(agent)
}

function useRowOf(now: number): (agent: Agent) => AgentRow {
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  return useMemo(
    () => (agent) => {
      const node = nodes.get(agent.nodeId)
      const schedule = agentPlanOf(node, plans)?.spec.schedule ?? null
      return { agent, node, schedule, standing: standingOf(agent, node, now) }
    },
    [nodes, plans, now],
  )
}
