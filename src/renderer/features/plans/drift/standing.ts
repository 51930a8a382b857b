import type { FleetNode, PlanState } from '../../../../shared/model/node.ts'
import type { Plan } from '../../../../shared/model/plan.ts'

/** How what lies on a node stands to what should lie there; the order is the order of severity, worst first. */
export const standings = ['drifted', 'behind', 'never', 'as-wanted'] as const
export type Standing = (typeof standings)[number]

export const standingWords: Readonly<Record<Standing, string>> = {
  drifted: 'no longer proven',
  behind: 'behind',
  never: 'never read back',
  'as-wanted': 'as wanted',
}

export function standingOf({ observed, desiredRevision, driftSince }: PlanState): Standing {
  if (observed === null) return 'never'
  if (driftSince !== null) return 'drifted'
  return observed.revision === desiredRevision ? 'as-wanted' : 'behind'
}

/** One plan on one node: desired against observed (N12). */
export interface DriftRow {
  readonly key: string
  readonly node: FleetNode
  readonly state: PlanState
  readonly kind: Plan['kind'] | null
  readonly standing: Standing
}

export function driftRows(nodes: Iterable<FleetNode>, plans: ReadonlyMap<Plan['id'], Plan>): DriftRow[] {
  const rows: DriftRow[] = []
  for (const node of nodes)
    for (const state of node.plans)
      rows.push({
        key: `${node.id} ${state.planId}`,
        node,
        state,
        kind: plans.get(state.planId)?.kind ?? null,
        standing: standingOf(state),
      })
  return rows.sort(
    (left, right) =>
      standings.indexOf(left.standing) - standings.indexOf(right.standing) ||
      left.node.name.localeCompare(right.node.name, 'en', { numeric: true }) ||
      left.state.planName.localeCompare(right.state.planName),
  )
}

export function countStandings(rows: readonly DriftRow[]): Readonly<Record<Standing, number>> {
  const counts = { drifted: 0, behind: 0, never: 0, 'as-wanted': 0 }
  for (const { standing } of rows) counts[standing] += 1
  return counts
}
