import { refWords, resolveRef, shortCommit } from '../../core/repository/resolveRef.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { CommitHash, Repository } from '../../shared/model/repository.ts'
import { resolveNode, resolvePlan } from '../fleet/resolve.ts'
import type { StoreReader } from '../ports.ts'
import { plansOf, type RepositoryPlan } from './parts.ts'

/**
 * Nodes that are named, where no plan is: each gets those of the plans that select it. Null: none are named.
 * @throws NOT_FOUND; PRECONDITION_FAILED for one that nothing can be brought to, which is not left out silently
 */
export async function namedNodes(
  reader: StoreReader,
  plans: readonly RepositoryPlan[],
  targets: PushTargets,
): Promise<NodeId[] | null> {
  if (targets.kind !== 'nodes') return null
  const nodes = await Promise.all(targets.nodes.map((reference) => resolveNode(reader, reference)))
  for (const { name, maintenance, plans: states } of nodes) {
    const why = maintenance
      ? 'It is in maintenance. End the maintenance first.'
      : 'No plan of this repository selects it.'
    if (!maintenance && states.some(({ planId }) => plans.some(({ id }) => id === planId))) continue
    throw new AppError('PRECONDITION_FAILED', `Nothing can be brought to node "${name}". ${why}`, {
      data: { node: name },
    })
  }
  return nodes.map(({ id }) => id)
}

/** @throws UNSUPPORTED for plans that deliver something else */
export function repositoryPlan(plan: Plan): RepositoryPlan {
  if (plan.kind === 'repository') return plan
  throw new AppError('UNSUPPORTED', `Plan "${plan.name}" delivers no repository. Name one of kind repository.`, {
    data: { plan: plan.name },
  })
}

/** @throws PRECONDITION_FAILED without any plan; NOT_FOUND and INVALID_INPUT for a named one that is another's */
export async function chosenPlans(
  reader: StoreReader,
  repository: Repository,
  references: readonly string[],
): Promise<RepositoryPlan[]> {
  const plans = await plansOf(reader, repository)
  const { name } = repository.settings
  if (plans.length === 0)
    throw new AppError('PRECONDITION_FAILED', `No plan delivers from repository "${name}". Make one first.`, {
      data: { repository: name },
    })
  if (references.length === 0) return plans
  const chosen = new Map<PlanId, RepositoryPlan>()
  for (const reference of references) {
    const plan = await resolvePlan(reader, reference)
    const own = plans.find(({ id }) => id === plan.id)
    if (own === undefined)
      throw new AppError('INVALID_INPUT', `Plan "${plan.name}" does not deliver from repository "${name}".`, {
        data: { field: 'plans' },
      })
    chosen.set(own.id, own)
  }
  return [...chosen.values()]
}

/** @throws REF_NOT_FOUND with the heads there are */
export function wantedOf(repository: Repository, { name, spec }: RepositoryPlan): CommitHash {
  const commit = resolveRef(repository, spec.ref)
  if (commit !== null) return commit
  const { name: repositoryName, defaultBranch } = repository.settings
  const known = Object.entries(repository.state.heads)
    .slice(0, 20)
    .map(([ref, head]) => `${ref} ${shortCommit(head)}`)
  throw new AppError(
    'REF_NOT_FOUND',
    `Repository "${repositoryName}" has no ${refWords(spec.ref, defaultBranch)}, which plan "${name}" wants. Correct the plan or the default branch.`,
    { data: { plan: name, evidence: known } },
  )
}
