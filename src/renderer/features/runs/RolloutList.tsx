import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { Rollout } from '../../../shared/model/rollout.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, rolloutHash } from '../../stores/route.ts'
import { RolloutBar } from './RolloutBar.tsx'
import { RolloutSettingsDialog } from './RolloutSettingsDialog.tsx'
import { RunsTabs } from './RunsTabs.tsx'
import { causeWords, isHeld, openNodes, statusWords } from './rolloutWords.ts'

const pageSize = 50

/** Changes that went through the fleet as one, newest first. */
export function RolloutList() {
  const { rollouts, older } = useRollouts()
  const loaded = useReplica((state) => state.loaded)
  const stale = useStale()
  const columns = useColumns()
  const [editing, setEditing] = useState(false)
  const held = rollouts.filter(isHeld)
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Runs"
        summary={
          loaded ? (
            <>
              <RunsTabs current="rollouts" />
              <span>{plural(rollouts.length, 'rollout')}</span>
              {held.length > 0 && (
                <span className="text-pending">{plural(held.length, 'rollout')} waiting for a person</span>
              )}
            </>
          ) : (
            'Loading'
          )
        }
        actions={<Button onClick={() => setEditing(true)}>How changes go out…</Button>}
      />
      {editing && <RolloutSettingsDialog onClose={() => setEditing(false)} />}
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        <DataTable
          label="Rollouts"
          rows={rollouts}
          rowKey={(rollout) => rollout.id}
          columns={columns}
          onOpen={(rollout) => navigate(rolloutHash(rollout.id))}
          empty={<NoRollouts />}
        />
      </div>
      {older.error !== null && (
        <div className="p-2">
          <ErrorNote error={older.error} onRetry={older.load} />
        </div>
      )}
      {older.hasMore && older.error === null && (
        <div className="flex h-10 shrink-0 items-center justify-center border-t">
          <Button size="small" variant="quiet" busy={older.busy} onClick={older.load}>
            Load older rollouts
          </Button>
        </div>
      )}
    </div>
  )
}

const leftBehind = ({ status, counts }: Rollout): boolean => status === 'finished' && counts.failed > 0

function NoRollouts() {
  return (
    <EmptyState
      title="No rollouts yet"
      actions={<Button onClick={() => navigate(formatHash({ view: 'registry' }))}>Open the registry</Button>}
    >
      A rollout brings one change of the registry to every node it concerns: a few first, then the rest, and it stops by
      itself when nodes fail. Save a registry, and one begins.
    </EmptyState>
  )
}

function useColumns(): readonly Column<Rollout>[] {
  return useMemo(
    () => [
      {
        id: 'status',
        header: 'Status',
        width: '196px',
        cell: (rollout) => (
          <span className={classNames(isHeld(rollout) && 'text-pending', leftBehind(rollout) && 'text-error')}>
            {statusWords(rollout)}
          </span>
        ),
        sortValue: ({ status }) => status,
      },
      {
        id: 'cause',
        header: 'Change',
        width: 'minmax(180px, 1.4fr)',
        cell: causeWords,
        sortValue: causeWords,
      },
      {
        id: 'plans',
        header: 'Plans',
        width: 'minmax(120px, 1fr)',
        cell: ({ plans }) => <span className="text-muted">{plans.map(({ planName }) => planName).join(', ')}</span>,
      },
      {
        id: 'nodes',
        header: 'Nodes',
        width: 'minmax(160px, 1.2fr)',
        cell: (rollout) => <RolloutBar rollout={rollout} />,
        sortValue: ({ nodes }) => nodes.length,
      },
      {
        id: 'open',
        header: 'Verified',
        width: '120px',
        align: 'right',
        cell: ({ counts, nodes }) => `${formatCount(counts.succeeded)} of ${formatCount(nodes.length)}`,
        sortValue: (rollout) => openNodes(rollout).waiting,
      },
      {
        id: 'when',
        header: 'Began',
        width: '128px',
        align: 'right',
        cell: ({ createdAt }) => <Time at={createdAt} className="text-muted" />,
        sortValue: ({ createdAt }) => createdAt,
      },
    ],
    [],
  )
}

/** Those of the replica, which are live, and pages of older ones. */
function useRollouts() {
  const { client } = useLink()
  const live = useReplica((state) => state.rollouts)
  const oldest = [...live.keys()].sort()[0]
  const query = useInfiniteQuery({
    queryKey: ['rollouts', oldest],
    queryFn: ({ pageParam }) =>
      client.rollouts.list({ limit: pageSize, ...(pageParam === null ? {} : { before: pageParam }) }),
    initialPageParam: oldest ?? null,
    getNextPageParam: (page) => (page.length < pageSize ? null : (page.at(-1)?.id ?? null)),
    enabled: live.size > 0,
  })
  const rollouts = useMemo(() => {
    const byId = new Map((query.data?.pages ?? []).flat().map((rollout) => [rollout.id, rollout]))
    for (const [id, rollout] of live) byId.set(id, rollout)
    return [...byId.values()].sort((left, right) => (left.id < right.id ? 1 : -1))
  }, [live, query.data])
  const older = {
    hasMore: query.hasNextPage,
    busy: query.isFetching,
    error: query.error === null ? null : toErrorBody(query.error),
    load: () => void query.fetchNextPage(),
  }
  return { rollouts, older }
}
