import { computeTile } from '../../../core/fleet/health.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/** Targets of one repository: pairs of plan and node. */
export interface TargetTally {
  readonly wanted: number
  /** Read back at the revision wanted now, and nothing else was found since. */
  readonly verified: number
  /** Of these, on nodes that show green now: the others went silent, failed or halted since. */
  readonly inStep: number
}

export const noTargets: TargetTally = { wanted: 0, verified: 0, inStep: 0 }

/** By name of the repository; one walk over the fleet for all of them. */
export function tallyTargets(
  plans: Iterable<Plan>,
  nodes: Iterable<FleetNode>,
  nowMs: number,
): ReadonlyMap<string, TargetTally> {
  const repositoryOf = new Map<string, string>()
  for (const plan of plans) if (plan.kind === 'repository') repositoryOf.set(plan.id, plan.spec.repository)
  const tallies = new Map<string, { wanted: number; verified: number; inStep: number }>()
  if (repositoryOf.size === 0) return tallies
  for (const node of nodes) {
    let isGreen: boolean | null = null
    for (const { planId, observed, desiredRevision, driftSince } of node.plans) {
      const name = repositoryOf.get(planId)
      if (name === undefined) continue
      const tally = tallies.get(name) ?? { ...noTargets }
      tally.wanted += 1
      tallies.set(name, tally)
      if (observed?.revision !== desiredRevision || driftSince !== null) continue
      tally.verified += 1
      isGreen ??= computeTile(node, nowMs).fill === 'in-step'
      if (isGreen) tally.inStep += 1
    }
  }
  return tallies
}
