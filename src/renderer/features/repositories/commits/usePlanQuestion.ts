import { useState } from 'react'
import type { Repository } from '../../../../shared/model/repository.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { useKnownCommits, useRepositoryPlans, useTargets } from '../repositoryQueries.ts'

/** What both questions about a plan need: the plan, its targets, and words for commits. */
export function usePlanQuestion(repository: Repository) {
  const plans = useRepositoryPlans(repository.settings.name)
  const [planId, setPlanId] = useState<string>(plans[0]?.id ?? '')
  const plan = plans.find(({ id }) => id === planId) ?? plans[0]
  const all = useTargets(repository)
  const nodes = useReplica((state) => state.nodes)
  const known = useKnownCommits(repository)
  const targets = (all.data ?? []).filter((target) => target.planId === plan?.id)
  const names = targets.map(({ nodeId }) => [nodeId, nodes.get(nodeId)?.name ?? 'a removed node'] as const)
  return { plans, plan, setPlanId, targets, names, known }
}
