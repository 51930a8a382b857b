import { directoryOn } from '../../core/repository/places.ts'
import { resolveRef } from '../../core/repository/resolveRef.ts'
import type { CommitHash, Repository, RepositoryTarget } from '../../shared/model/repository.ts'
import { plansOf, type RepositoryParts, resolveRepository } from './parts.ts'

/** Every node of every plan that delivers from the repository: what should be there, and what was read back last. */
export async function repositoryTargets(
  { store, mirrors }: Pick<RepositoryParts, 'store' | 'mirrors'>,
  reference: string,
): Promise<RepositoryTarget[]> {
  const repository = await resolveRepository(store, reference)
  const nodes = await store.listNodes()
  const behind = distances({ mirrors }, repository)
  const targets: RepositoryTarget[] = []
  for (const plan of await plansOf(store, repository)) {
    const desired = resolveRef(repository, plan.spec.ref)
    for (const node of nodes) {
      const state = node.plans.find(({ planId }) => planId === plan.id)
      if (state === undefined) continue
      const observed = state.observed?.commit ?? null
      targets.push({
        planId: plan.id,
        nodeId: node.id,
        directory: directoryOn(plan.spec, node.name),
        desired,
        observed,
        verifiedAt: state.observed?.verifiedAt ?? null,
        behind: await behind(observed, desired),
        previous: state.observed?.previousCommit ?? null,
        runId: state.observed?.runId ?? null,
      })
    }
  }
  return targets
}

/** Asked once for each pair of commits: a thousand nodes have the same few. */
function distances({ mirrors }: Pick<RepositoryParts, 'mirrors'>, { id }: Repository) {
  const known = new Map<string, number | null>()
  return async (from: CommitHash | null, to: CommitHash | null): Promise<number | null> => {
    if (from === null || to === null) return null
    if (from === to) return 0
    const key = `${from} ${to}`
    const distance = known.get(key)
    if (distance !== undefined) return distance
    const counted = await mirrors.commitsBetween(id, from, to)
    known.set(key, counted)
    return counted
  }
}
