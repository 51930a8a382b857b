import type { PlanId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { Plan } from '../../../../shared/model/plan.ts'

/**
 * Whether a node obeys the revocation list. `behind`: an older version was proven. `unproven`: a plan brings it, but
 * nothing was proven yet. `none`: no plan brings it, so nothing revoked is refused there.
 */
export type KrlStanding = 'current' | 'behind' | 'unproven' | 'none'

export const krlStandings: readonly KrlStanding[] = ['behind', 'unproven', 'none', 'current']

export interface KrlCoverage {
  readonly node: FleetNode
  readonly standing: KrlStanding
  /** The plan that brings the list; null when none does. */
  readonly planId: PlanId | null
}

/** One row for each node we push to: agents get what they trust another way. */
export function krlCoverage(
  nodes: Iterable<FleetNode>,
  plans: ReadonlyMap<PlanId, Plan>,
  version: number,
): readonly KrlCoverage[] {
  const rows: KrlCoverage[] = []
  for (const node of nodes) {
    if (node.transport !== 'push') continue
    const plan = node.plans.find(({ planId }) => plans.get(planId)?.kind === 'krl')
    rows.push({ node, standing: standingOf(node, plan !== undefined, version), planId: plan?.planId ?? null })
  }
  return rows
}

/** @param plans of kind `krl` */
export function krlStandingOf(node: FleetNode, plans: ReadonlySet<PlanId>, version: number): KrlStanding {
  return standingOf(
    node,
    node.plans.some(({ planId }) => plans.has(planId)),
    version,
  )
}

function standingOf({ krl }: FleetNode, hasPlan: boolean, version: number): KrlStanding {
  if (!hasPlan) return 'none'
  if (krl === null) return 'unproven'
  return krl.version >= version ? 'current' : 'behind'
}

export function countStandings(rows: readonly KrlCoverage[]): Readonly<Record<KrlStanding, number>> {
  const counts = { current: 0, behind: 0, unproven: 0, none: 0 }
  for (const { standing } of rows) counts[standing] += 1
  return counts
}
