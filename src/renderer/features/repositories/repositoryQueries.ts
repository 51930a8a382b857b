import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import type { NodeId, PlanId } from '../../../shared/model/ids.ts'
import type { PlanOf } from '../../../shared/model/plan.ts'
import type { Commit, CommitHash, Repository, RepositoryTarget } from '../../../shared/model/repository.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'

export function useRepositories() {
  const { client } = useLink()
  const revision = useRevision('repositories')
  return useQuery({
    queryKey: ['repositories', revision],
    queryFn: () => client.repositories.list(),
    placeholderData: keepPreviousData,
  })
}

/** The newest scan; null: never scanned. */
export function useFindings(repository: Repository) {
  const { client } = useLink()
  const revision = useRevision('repositories')
  return useQuery({
    queryKey: ['repository findings', repository.id, revision],
    queryFn: () => client.repositories.findings({ repository: repository.id }),
    placeholderData: keepPreviousData,
  })
}

export function useAllowed(repository: Repository) {
  const { client } = useLink()
  const revision = useRevision('repositories')
  return useQuery({
    queryKey: ['repository allowed', repository.id, revision],
    queryFn: () => client.repositories.allowed({ repository: repository.id }),
    placeholderData: keepPreviousData,
  })
}

/** Plans that deliver from a repository. */
export function useRepositoryPlans(name: string): readonly PlanOf<'repository'>[] {
  const plans = useReplica((state) => state.plans)
  return useMemo(
    () =>
      [...plans.values()]
        .filter((plan): plan is PlanOf<'repository'> => plan.kind === 'repository' && plan.spec.repository === name)
        .sort((left, right) => left.name.localeCompare(right.name, 'en', { numeric: true })),
    [plans, name],
  )
}

/** Runs end one by one; asking again for each of a thousand would be a thousand answers of a thousand rows. */
const askAgainMs = 400

/** Every node of every plan of a repository. Asked again, at most now and then, as plans and read-backs change. */
export function useTargets(repository: Repository) {
  const { client } = useLink()
  const queries = useQueryClient()
  const revision = useRevision('repositories')
  const plans = useRepositoryPlans(repository.settings.name)
  const nodes = useReplica((state) => state.nodes)
  const state = useMemo(() => {
    const revisions = new Map<PlanId, number>(plans.map((plan) => [plan.id, plan.revision]))
    let newest = 0
    let count = 0
    for (const node of nodes.values())
      for (const { planId, observed } of node.plans) {
        if (!revisions.has(planId)) continue
        count += 1
        newest = Math.max(newest, observed?.verifiedAt ?? 0)
      }
    return `${[...revisions.values()].join()} ${count} ${newest}`
  }, [plans, nodes])
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the state is what asks again
  useEffect(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null
      void queries.invalidateQueries({ queryKey: ['repository targets', repository.id] })
    }, askAgainMs)
  }, [state])
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current)
      timer.current = null
    },
    [],
  )
  return useQuery({
    queryKey: ['repository targets', repository.id, revision],
    queryFn: () => client.repositories.targets({ repository: repository.id }),
    placeholderData: keepPreviousData,
  })
}

const subjectsAtMost = 500

/** The newest commits of each line that plans follow, by hash: so that a commit has words beside its digits. */
export function useKnownCommits(repository: Repository): ReadonlyMap<CommitHash, Commit> {
  const { client } = useLink()
  const plans = useRepositoryPlans(repository.settings.name)
  const refs = useMemo(
    () => [...new Set(plans.flatMap(({ spec }) => (spec.ref.kind === 'branch' ? [spec.ref.name] : [])).concat(null))],
    [plans],
  )
  const heads = JSON.stringify(repository.state.heads)
  const { data } = useQuery({
    queryKey: ['repository known commits', repository.id, heads, refs],
    queryFn: async () => {
      const lines = await Promise.allSettled(
        refs.map((name) =>
          client.repositories.commits({
            repository: repository.id,
            ref: { kind: 'branch', name },
            limit: subjectsAtMost,
          }),
        ),
      )
      return new Map(
        lines
          .flatMap((line) => (line.status === 'fulfilled' ? line.value : []))
          .map((commit) => [commit.commit, commit] as const),
      )
    },
    enabled: repository.state.fetchedAt !== null,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return data ?? noCommits
}

const noCommits: ReadonlyMap<CommitHash, Commit> = new Map()

/** How many nodes were last verified at each commit, and how many there are. */
export interface Deployed {
  readonly at: ReadonlyMap<CommitHash, ReadonlySet<NodeId>>
  readonly total: number
}

export function deployedOf(targets: readonly RepositoryTarget[]): Deployed {
  const at = new Map<CommitHash, Set<NodeId>>()
  for (const { observed, nodeId } of targets) {
    if (observed === null) continue
    const nodes = at.get(observed) ?? new Set()
    nodes.add(nodeId)
    at.set(observed, nodes)
  }
  return { at, total: new Set(targets.map(({ nodeId }) => nodeId)).size }
}
