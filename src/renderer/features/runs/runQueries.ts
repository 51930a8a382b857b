import { useMutation, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { ErrorBody } from '../../../shared/errors.ts'
import type { BatchId, IdempotencyKey, RunId } from '../../../shared/model/ids.ts'
import type { Run } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useReplica, useRun } from '../../stores/ReplicaContext.tsx'

/** Made once for each press, before anything is sent: sending it again can start nothing twice (S0.88). */
export const newIdempotencyKey = (): IdempotencyKey => `page-${crypto.randomUUID()}` as IdempotencyKey

export interface Loaded<Value> {
  readonly value: Value | undefined
  readonly error: ErrorBody | null
  readonly retry: () => void
}

/** A run from the replica, or from the history when the replica no longer keeps it. */
export function useAnyRun(runId: RunId): Loaded<Run> {
  const { client } = useLink()
  const live = useRun(runId)
  const loaded = useReplica((state) => state.loaded)
  const query = useQuery({
    queryKey: ['run', runId],
    queryFn: () => client.runs.get({ runId }),
    enabled: live === undefined && loaded,
  })
  return {
    value: live ?? query.data,
    error: query.error === null ? null : toErrorBody(query.error),
    retry: () => void query.refetch(),
  }
}

/** The runs that one press has started, by node and plan; live where the replica knows them. */
export function useBatch(batchId: BatchId): Loaded<readonly Run[]> {
  const { client } = useLink()
  const live = useReplica((state) => state.runs)
  const query = useQuery({ queryKey: ['batch', batchId], queryFn: () => client.runs.list({ batchId, limit: 1000 }) })
  const value = useMemo(() => {
    const byId = new Map((query.data?.runs ?? []).map((run) => [run.id, run]))
    for (const run of live.values()) if (run.batchId === batchId) byId.set(run.id, run)
    if (query.data === undefined && byId.size === 0) return undefined
    return [...byId.values()].sort(
      (a, b) => a.nodeName.localeCompare(b.nodeName, 'en', { numeric: true }) || a.planName.localeCompare(b.planName),
    )
  }, [query.data, live, batchId])
  return { value, error: query.error === null ? null : toErrorBody(query.error), retry: () => void query.refetch() }
}

export interface ResyncTarget {
  readonly planName: string
  readonly nodeNames: readonly string[]
}

/** Which nodes to push again, by plan, so that nothing that succeeded is done twice. */
export function resyncTargets(runs: readonly Run[]): readonly ResyncTarget[] {
  const byPlan = new Map<string, Set<string>>()
  for (const run of runs) byPlan.set(run.planName, (byPlan.get(run.planName) ?? new Set()).add(run.nodeName))
  return [...byPlan].map(([planName, names]) => ({ planName, nodeNames: [...names] }))
}

/** Pushes again, keeping plan and nodes; the caller holds the key, so that a second try of the same press is the same push. */
export function useResync() {
  const { client } = useLink()
  return useMutation({
    mutationFn: async ({ runs, key }: { readonly runs: readonly Run[]; readonly key: IdempotencyKey }) => {
      const started: Run[] = []
      for (const [index, target] of resyncTargets(runs).entries()) {
        const idempotencyKey = `${key}.${index}` as IdempotencyKey
        const result = await client.runs.push({
          idempotencyKey,
          plans: [target.planName],
          targets: { kind: 'nodes', nodes: [...target.nodeNames] },
        })
        started.push(...result.runs)
      }
      return started
    },
  })
}

export function useCancel() {
  const { client } = useLink()
  return useMutation({ mutationFn: (runId: RunId) => client.runs.cancel({ runId }) })
}
