import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { NodeId } from '../../../../shared/model/ids.ts'
import type { Run } from '../../../../shared/model/run.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { formatAbsolute } from '../../../components/format.ts'
import { RunMark, runStatusWords } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { Tooltip } from '../../../components/Tooltip.tsx'
import { usePreference } from '../../../stores/preferences.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash, runHash } from '../../../stores/route.ts'
import { Section } from './Section.tsx'

const shownRuns = 16

/** History from the engine, with whatever the replica knows newer laid over it. */
function useNodeRuns(nodeId: NodeId): readonly Run[] {
  const { client } = useLink()
  const live = useReplica((state) => state.runs)
  const history = useQuery({
    queryKey: ['node runs', nodeId],
    queryFn: () => client.runs.list({ node: nodeId, limit: shownRuns }),
  })
  return useMemo(() => {
    const known = new Map((history.data?.runs ?? []).map((run) => [run.id, run]))
    for (const run of live.values()) if (run.nodeId === nodeId) known.set(run.id, run)
    return [...known.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, shownRuns)
  }, [history.data, live, nodeId])
}

/** The last runs of the node, newest at the right. */
export function RunsStrip({ nodeId }: { readonly nodeId: NodeId }) {
  const runs = useNodeRuns(nodeId)
  const newest = runs[0]
  return (
    <Section
      title="Runs"
      aside={
        <a className="text-12 text-accent hover:underline" href={formatHash({ view: 'runs', query: { node: nodeId } })}>
          All runs
        </a>
      }
    >
      {newest === undefined ? (
        <p className="text-muted">No run yet.</p>
      ) : (
        <>
          <ol className="flex flex-row-reverse -ml-1.5 justify-end">
            {runs.map((run) => (
              <li key={run.id}>
                <StripMark run={run} />
              </li>
            ))}
          </ol>
          <p className="mt-1 text-muted">
            Newest: {newest.planName}, {runStatusWords[newest.status]}{' '}
            <Time at={newest.finishedAt ?? newest.createdAt} />
          </p>
        </>
      )}
    </Section>
  )
}

function StripMark({ run }: { readonly run: Run }) {
  const utc = usePreference((state) => state.utc)
  const words = `${run.planName}, ${runStatusWords[run.status]}, ${formatAbsolute(run.createdAt, utc)}`
  return (
    <Tooltip content={words}>
      <a
        href={runHash(run.id)}
        aria-label={words}
        className="flex size-6 items-center justify-center rounded-sm hover:bg-hover"
      >
        <RunMark status={run.status} />
      </a>
    </Tooltip>
  )
}
