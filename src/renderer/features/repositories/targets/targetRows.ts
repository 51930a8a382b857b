import { computeTile, type TileFill } from '../../../../core/fleet/health.ts'
import type { NodeId, PlanId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { RepositoryTarget } from '../../../../shared/model/repository.ts'
import type { Run, RunStatus } from '../../../../shared/model/run.ts'
import { plural } from '../../../components/format.ts'

/** How one target stands. `run`: one of this plan works on the node, is held back, or did not succeed as the last one. */
export interface TargetStanding {
  readonly fill: TileFill
  readonly words: string
  readonly run: { readonly id: Run['id']; readonly status: RunStatus } | null
}

export interface TargetRow extends TargetStanding {
  readonly key: string
  readonly target: RepositoryTarget
  readonly nodeName: string
  readonly planName: string
  readonly strategy: PlanOf<'repository'>['spec']['strategy']['kind']
}

export const targetKey = ({ planId, nodeId }: Pick<RepositoryTarget, 'planId' | 'nodeId'>): string =>
  `${planId} ${nodeId}`

interface World {
  readonly nodes: ReadonlyMap<NodeId, FleetNode>
  readonly plans: ReadonlyMap<PlanId, PlanOf<'repository'>>
  readonly runs: ReadonlyMap<Run['id'], Run>
  readonly nowMs: number
}

export function targetRows(targets: readonly RepositoryTarget[], world: World): readonly TargetRow[] {
  return targets.map((target) => {
    const node = world.nodes.get(target.nodeId)
    const plan = world.plans.get(target.planId)
    return {
      key: targetKey(target),
      target,
      nodeName: node?.name ?? 'a removed node',
      planName: plan?.name ?? 'a removed plan',
      strategy: plan?.spec.strategy.kind ?? 'in-place',
      ...standingOf(target, node, world),
    }
  })
}

/** Green means: the wanted commit was read back, nothing else was found since, and the node still answers. */
function standingOf(target: RepositoryTarget, node: FleetNode | undefined, world: World): TargetStanding {
  if (node === undefined) return { fill: 'never-synced', words: 'removed', run: null }
  const run = runOf(target, node, world)
  const state = node.plans.find(({ planId }) => planId === target.planId)
  if (run?.status === 'halted') return { fill: 'halted', words: 'held back', run }
  if (state !== undefined && state.driftSince !== null)
    return { fill: 'pending', words: state.driftReason?.short ?? 'differs', run }
  if (target.observed === null) return { fill: 'never-synced', words: 'never delivered', run }
  if (target.desired === null) return { fill: 'pending', words: 'nothing fetched', run }
  if (target.observed !== target.desired) return { fill: 'pending', words: 'behind', run }
  if (state?.observed?.revision !== state?.desiredRevision)
    return { fill: 'pending', words: 'to be verified anew', run }
  if (node.maintenance) return { fill: 'maintenance', words: 'in maintenance', run }
  const { fill } = computeTile(node, world.nowMs)
  if (fill === 'unreachable') return { fill, words: 'does not answer', run }
  if (fill === 'error') return { fill, words: 'node is failing', run }
  return { fill: 'in-step', words: 'at the commit', run }
}

function runOf({ planId }: RepositoryTarget, node: FleetNode, { runs }: World): TargetStanding['run'] {
  const last = node.plans.find((state) => state.planId === planId)?.lastRunId ?? null
  for (const id of [node.activeRunId, node.haltedRunId, last]) {
    const run = id === null ? undefined : runs.get(id)
    if (run?.planId === planId && run.status !== 'succeeded') return { id: run.id, status: run.status }
  }
  return null
}

/** How far back it is, as far as that can be said. */
export function behindWords({ behind, observed, desired }: RepositoryTarget): string {
  if (desired === null || observed === null) return ''
  if (observed === desired) return ''
  if (behind === null) return 'on another line'
  return behind === 0 ? 'ahead' : plural(behind, 'commit')
}

export const isBehind = ({ target }: TargetRow): boolean =>
  target.desired !== null && target.observed !== target.desired
