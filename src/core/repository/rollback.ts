import type { PlanState } from '../../shared/model/node.ts'
import type { CommitHash } from '../../shared/model/repository.ts'

type Observed = Pick<NonNullable<PlanState['observed']>, 'commit' | 'previousCommit' | 'verifiedAt'>

/** What the node had before the commit that is wanted now; a node that never got that one still has it. */
function before({ commit, previousCommit }: Observed, wanted: CommitHash | null): CommitHash | undefined {
  return commit === wanted ? previousCommit : commit
}

/** The commit that most nodes had before this one; of two with as many, the one that was verified last. */
export function commitBefore(states: readonly (Observed | null)[], wanted: CommitHash | null): CommitHash | null {
  const counted = new Map<CommitHash, { nodes: number; verifiedAt: number }>()
  for (const state of states) {
    const commit = state === null ? undefined : before(state, wanted)
    if (state === null || commit === undefined || commit === wanted) continue
    const known = counted.get(commit) ?? { nodes: 0, verifiedAt: 0 }
    counted.set(commit, { nodes: known.nodes + 1, verifiedAt: Math.max(known.verifiedAt, state.verifiedAt) })
  }
  const [best] = [...counted].sort(
    ([, left], [, right]) => right.nodes - left.nodes || right.verifiedAt - left.verifiedAt,
  )
  return best?.[0] ?? null
}
