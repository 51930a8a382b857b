import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { RunId } from '../../../shared/model/ids.ts'
import { isFinal, type Run, RunStatus } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { Drawer } from '../../components/Drawer.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatBytes, formatCount, formatDuration, plural } from '../../components/format.ts'
import { RunMark, runStatusWords } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, runHash, updateQuery } from '../../stores/route.ts'
import { Guide } from '../guides/Guide.tsx'
import { RunsTabs } from './RunsTabs.tsx'
import { matchesRun, type RunListFilter, readFilter, timeRanges } from './runFilter.ts'
import { isAgentRun, runDurationMs, runReason } from './runWords.ts'

const pageSize = 200

/** The history, newest first: what runs is live, what is older is fetched as one asks for it. */
export function RunList({ route }: { readonly route: Route }) {
  const filter = useMemo(() => readFilter(route.query), [route.query])
  const { runs, total, older } = useRunHistory(filter)
  const loaded = useReplica((state) => state.loaded)
  const stale = useStale()
  const columns = useColumns()
  if (!loaded) return <ViewHeader title="Runs" summary="Loading the history" />
  if (total === 0 && !older.hasMore && older.error === null) return <NoRuns />
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Runs"
        summary={
          <>
            <RunsTabs current="runs" />
            <Counts runs={runs} />
          </>
        }
        actions={<NothingIsSynced />}
      />
      <FilterBar filter={filter} since={route.query.since ?? ''} />
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        <DataTable
          label="Runs"
          rows={runs}
          rowKey={(run) => run.id}
          columns={columns}
          onOpen={(run) => navigate(runHash(run.id))}
          empty={<NoMatch />}
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
            Load older runs
          </Button>
        </div>
      )}
    </div>
  )
}

/** For whoever waits for runs that do not come. */
function NothingIsSynced() {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button size="small" variant="quiet" onClick={() => setOpen(true)}>
        Nothing is synced?
      </Button>
      {open && (
        <Drawer
          label="Nothing is synced?"
          header={<h2 className="text-18 font-semibold">Nothing is synced?</h2>}
          onClose={() => setOpen(false)}
          paneName="guide"
          defaultWidth={440}
        >
          <div className="p-4">
            <Guide guide="nothing-is-synced" label="Go through it" />
          </div>
        </Drawer>
      )}
    </>
  )
}

function NoRuns() {
  return (
    <EmptyState
      title="No runs yet"
      actions={<Button onClick={() => navigate(formatHash({ view: 'plans' }))}>Write a plan</Button>}
    >
      A run is one plan delivered to one node, with its eleven states, its output and the proof that was read back.
      Apply a plan, then press Resync on the map.
    </EmptyState>
  )
}

function NoMatch() {
  return (
    <div className="flex flex-col items-center gap-3 p-8 text-muted">
      No run matches this filter.
      <Button
        size="small"
        onClick={() => updateQuery({ node: undefined, plan: undefined, status: undefined, since: undefined })}
      >
        Clear the filter
      </Button>
    </div>
  )
}

function Counts({ runs }: { readonly runs: readonly Run[] }) {
  const counts = new Map<RunStatus, number>()
  for (const run of runs) counts.set(run.status, (counts.get(run.status) ?? 0) + 1)
  return (
    <>
      <span>{plural(runs.length, 'run')}</span>
      {(['running', 'queued', 'halted', 'failed'] as const).map((status) => {
        const count = counts.get(status) ?? 0
        return count === 0 ? null : (
          <button
            key={status}
            type="button"
            className="flex items-center gap-1.5 hover:text-text"
            onClick={() => updateQuery({ status })}
          >
            <span aria-hidden className="inline-flex">
              <RunMark status={status} />
            </span>
            {formatCount(count)} {runStatusWords[status]}
          </button>
        )
      })}
    </>
  )
}

const fieldClass = 'h-7 rounded-md border border-line-strong bg-ground px-2 text-13 text-text'

function FilterBar({ filter, since }: { readonly filter: RunListFilter; readonly since: string }) {
  const plans = useReplica((state) => state.plans)
  const toggle = (status: RunStatus): void => {
    const next = filter.statuses.includes(status)
      ? filter.statuses.filter((each) => each !== status)
      : [...filter.statuses, status]
    updateQuery({ status: next.join(',') })
  }
  return (
    <search aria-label="Filter runs" className="flex shrink-0 flex-wrap items-center gap-2 border-b px-4 py-2">
      <input
        type="search"
        aria-label="Node"
        placeholder="Node"
        value={filter.node}
        onChange={(event) => updateQuery({ node: event.target.value }, { replace: true })}
        className={classNames(fieldClass, 'w-44')}
      />
      <select
        aria-label="Plan"
        value={filter.plan}
        onChange={(event) => updateQuery({ plan: event.target.value })}
        className={fieldClass}
      >
        <option value="">All plans</option>
        {[...plans.values()].map((plan) => (
          <option key={plan.id}>{plan.name}</option>
        ))}
      </select>
      <select
        aria-label="Time"
        value={since}
        onChange={(event) => updateQuery({ since: event.target.value })}
        className={fieldClass}
      >
        <option value="">Any time</option>
        {timeRanges.map((range) => (
          <option key={range.id} value={range.id}>
            {range.label}
          </option>
        ))}
      </select>
      {RunStatus.options.map((status) => (
        <Button
          key={status}
          size="small"
          variant={filter.statuses.includes(status) ? 'default' : 'quiet'}
          aria-pressed={filter.statuses.includes(status)}
          icon={
            <span aria-hidden className="inline-flex">
              <RunMark status={status} />
            </span>
          }
          onClick={() => toggle(status)}
        >
          {runStatusWords[status]}
        </Button>
      ))}
    </search>
  )
}

function useColumns(): readonly Column<Run>[] {
  return useMemo(
    () => [
      {
        id: 'status',
        header: 'Status',
        width: '120px',
        cell: (run) => <RunMark status={run.status} withWord />,
        sortValue: (run) => run.status,
      },
      {
        id: 'node',
        header: 'Node',
        width: 'minmax(120px, 1.2fr)',
        cell: (run) => run.nodeName,
        sortValue: (run) => run.nodeName,
      },
      {
        id: 'plan',
        header: 'Plan',
        width: 'minmax(120px, 1fr)',
        cell: (run) => (
          <>
            {run.planName} <span className="text-faint">r{run.planRevision}</span>
          </>
        ),
        sortValue: (run) => run.planName,
      },
      {
        id: 'reason',
        header: 'Where it stands',
        width: 'minmax(140px, 1.6fr)',
        cell: (run) => <span className="text-muted">{runReason(run)}</span>,
      },
      {
        id: 'moved',
        header: 'Moved',
        width: '96px',
        align: 'right',
        cell: (run) => (run.summary === null ? '' : formatBytes(run.summary.bytesTransferred)),
        sortValue: (run) => run.summary?.bytesTransferred ?? null,
      },
      {
        id: 'took',
        header: 'Took',
        width: '104px',
        align: 'right',
        cell: (run) => <Took run={run} />,
        sortValue: (run) => (run.startedAt === null || run.finishedAt === null ? null : run.finishedAt - run.startedAt),
      },
      {
        id: 'when',
        header: 'Asked',
        width: '128px',
        align: 'right',
        cell: (run) => <Time at={run.createdAt} className="text-muted" />,
        sortValue: (run) => run.createdAt,
      },
      {
        id: 'by',
        header: 'By',
        width: 'minmax(90px, 0.8fr)',
        cell: (run) => <span className="text-muted">{askedBy(run)}</span>,
        sortValue: askedBy,
      },
    ],
    [],
  )
}

const askedBy = (run: Run): string =>
  run.trigger === 'operator'
    ? run.requestedBy
    : isAgentRun(run)
      ? 'its agent'
      : run.trigger === 'registry'
        ? 'the registry'
        : 'reconcile'

function Took({ run }: { readonly run: Run }) {
  if (run.finishedAt === null) return <TookUntilNow run={run} />
  const durationMs = runDurationMs(run, run.finishedAt)
  return durationMs === null ? '' : formatDuration(durationMs)
}

function TookUntilNow({ run }: { readonly run: Run }) {
  const now = useNow()
  const durationMs = runDurationMs(run, now)
  return durationMs === null ? '' : formatDuration(durationMs)
}

/** Runs in the replica and pages of older ones, as one list without doubles. */
function useRunHistory(filter: RunListFilter) {
  const { client } = useLink()
  const now = useNow(60_000)
  const live = useReplica((state) => state.runs)
  const nodes = useReplica((state) => state.nodes)
  const wholeName = [...nodes.values()].find((node) => node.name.toLowerCase() === filter.node.toLowerCase())?.name
  const oldestFinal = useMemo(
    () =>
      [...live.values()].reduce<RunId | undefined>(
        (oldest, run) => (isFinal(run.status) && (oldest === undefined || run.id < oldest) ? run.id : oldest),
        undefined,
      ),
    [live],
  )
  const server = {
    ...(wholeName === undefined ? {} : { node: wholeName }),
    ...(filter.plan === '' ? {} : { plan: filter.plan }),
    ...(filter.statuses.length === 0 ? {} : { statuses: [...filter.statuses] }),
  }
  const query = useInfiniteQuery({
    queryKey: ['runs', server],
    queryFn: ({ pageParam }) =>
      client.runs.list({ ...server, limit: pageSize, ...(pageParam === null ? {} : { before: pageParam }) }),
    initialPageParam: (oldestFinal ?? null) as RunId | null,
    getNextPageParam: (page) => page.next,
    enabled: live.size > 0,
  })
  const runs = useMemo(() => {
    const byId = new Map<RunId, Run>((query.data?.pages ?? []).flatMap((page) => page.runs).map((run) => [run.id, run]))
    for (const [id, run] of live) byId.set(id, run)
    return [...byId.values()].filter((run) => matchesRun(run, filter, now)).sort((a, b) => (a.id < b.id ? 1 : -1))
  }, [live, query.data, filter, now])
  const older = {
    hasMore: query.hasNextPage,
    busy: query.isFetching,
    error: query.error === null ? null : toErrorBody(query.error),
    load: () => void query.fetchNextPage(),
  }
  return { runs, total: live.size, older }
}
