import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'
import { type Commit, CommitHash, type Repository, type WantedRef } from '../../../../shared/model/repository.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { type Route, updateQuery } from '../../../stores/route.ts'
import type { Begun } from '../begun.ts'
import { type Deployed, deployedOf, useRepositoryPlans, useTargets } from '../repositoryQueries.ts'
import { headNames, headWords, refOfHead, shortHash } from '../repositoryWords.ts'
import { CommitDrawer } from './CommitDrawer.tsx'
import { DeployDialog } from './DeployDialog.tsx'
import { RollbackDialog } from './RollbackDialog.tsx'

interface CommitsProps {
  readonly repository: Repository
  readonly route: Route
  readonly onBegun: (begun: Begun) => void
}

const pageSize = 100

/** The line of a branch or tag, newest first, and where each commit lies now. */
export function Commits({ repository, route, onBegun }: CommitsProps) {
  const stale = useStale()
  const plans = useRepositoryPlans(repository.settings.name)
  const targets = useTargets(repository)
  const deployed = useMemo(() => deployedOf(targets.data ?? []), [targets.data])
  const heads = headNames(repository)
  const head = heads.find((name) => name === route.query.ref) ?? null
  const { commits, query } = useLine(repository, head === null ? { kind: 'branch', name: null } : refOfHead(head))
  const [rollingBack, setRollingBack] = useState(false)
  const [deploying, setDeploying] = useState<Commit | null>(null)
  const columns = useColumns(deployed)
  const chosen = CommitHash.safeParse(route.query.commit)
  const opened = chosen.success ? commits.find(({ commit }) => commit === chosen.data) : undefined
  const closeDrawer = useCallback(() => updateQuery({ commit: undefined }), [])
  const { hasNextPage, isFetching, fetchNextPage } = query
  const loadMore = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage()
  }, [hasNextPage, isFetching, fetchNextPage])
  if (repository.state.fetchedAt === null) return <NothingFetched repository={repository} />
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex shrink-0 flex-wrap items-center gap-3 border-b px-4 py-1.5">
        <label className="flex items-center gap-2 text-muted">
          Line of
          <select
            value={head ?? repository.settings.defaultBranch}
            onChange={(event) =>
              updateQuery({
                ref: event.target.value === repository.settings.defaultBranch ? undefined : event.target.value,
                commit: undefined,
              })
            }
            className="h-7 max-w-64 rounded-md border border-line-strong bg-ground px-2 text-text"
          >
            {heads.map((name) => (
              <option key={name} value={name}>
                {headWords(name)}
              </option>
            ))}
          </select>
        </label>
        <Button
          size="small"
          className="ml-auto"
          disabled={stale || plans.length === 0}
          onClick={() => setRollingBack(true)}
        >
          Roll back…
        </Button>
      </div>
      {query.error !== null && (
        <div className="shrink-0 px-4 py-2">
          <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
        </div>
      )}
      <div className="relative min-h-0 flex-1">
        <DataTable
          label="Commits"
          rows={commits}
          rowKey={({ commit }) => commit}
          columns={columns}
          isSelected={({ commit }) => commit === opened?.commit}
          onOpen={({ commit }) => updateQuery({ commit })}
          onEndInSight={loadMore}
          empty={query.isFetched && query.error === null ? <EmptyLine /> : null}
        />
      </div>
      {opened !== undefined && (
        <CommitDrawer
          commit={opened}
          deployed={deployed}
          canDeploy={!stale && plans.length > 0}
          onClose={closeDrawer}
          onDeploy={() => setDeploying(opened)}
        />
      )}
      {deploying !== null && (
        <DeployDialog repository={repository} commit={deploying} onClose={() => setDeploying(null)} onBegun={onBegun} />
      )}
      {rollingBack && (
        <RollbackDialog repository={repository} onClose={() => setRollingBack(false)} onBegun={onBegun} />
      )}
    </div>
  )
}

function useLine(repository: Repository, ref: WantedRef) {
  const { client } = useLink()
  const heads = JSON.stringify(repository.state.heads)
  const query = useInfiniteQuery({
    queryKey: ['repository commits', repository.id, ref, heads],
    queryFn: ({ pageParam }) =>
      client.repositories.commits({
        repository: repository.id,
        ref,
        limit: pageSize,
        ...(pageParam === null ? {} : { after: pageParam }),
      }),
    initialPageParam: null as CommitHash | null,
    getNextPageParam: (page) => (page.length < pageSize ? null : (page.at(-1)?.commit ?? null)),
    enabled: repository.state.fetchedAt !== null,
    placeholderData: keepPreviousData,
  })
  const commits = useMemo(() => (query.data?.pages ?? []).flat(), [query.data])
  return { commits, query }
}

function useColumns(deployed: Deployed): readonly Column<Commit>[] {
  return useMemo(
    () => [
      {
        id: 'commit',
        header: 'Commit',
        width: '116px',
        cell: ({ commit }) => (
          <code className="text-12" title={commit}>
            {shortHash(commit)}
          </code>
        ),
      },
      {
        id: 'subject',
        header: 'Subject',
        width: 'minmax(220px, 2.4fr)',
        cell: ({ subject, refs }) => (
          <span className="flex min-w-0 items-center gap-2">
            {refs.map((name) => (
              <RefChip key={name} name={name} />
            ))}
            <span className="min-w-0 truncate" title={subject}>
              {subject}
            </span>
          </span>
        ),
      },
      {
        id: 'deployed',
        header: 'Lies on',
        width: '190px',
        cell: ({ commit }) => <LiesOn count={deployed.at.get(commit)?.size ?? 0} total={deployed.total} />,
      },
      { id: 'author', header: 'Author', width: 'minmax(100px, 0.7fr)', cell: ({ author }) => author },
      {
        id: 'when',
        header: 'Committed',
        width: '120px',
        align: 'right',
        cell: ({ committedAt }) => <Time at={committedAt} className="text-muted" />,
      },
    ],
    [deployed],
  )
}

export function RefChip({ name }: { readonly name: string }) {
  return (
    <span className="shrink-0 rounded-sm border border-line-strong px-1 text-12 text-muted">{headWords(name)}</span>
  )
}

/** Green is not claimed here: it says where the commit was last read back, not that it still lies there. */
function LiesOn({ count, total }: { readonly count: number; readonly total: number }) {
  if (count === 0) return null
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className="block h-full bg-accent" style={{ width: `${(count / total) * 100}%` }} />
      </span>
      {formatCount(count)} of {formatCount(total)} nodes
    </span>
  )
}

function EmptyLine() {
  return <EmptyState title="No commits">This line has none that were fetched.</EmptyState>
}

function NothingFetched({ repository }: { readonly repository: Repository }) {
  const { client } = useLink()
  const stale = useStale()
  const call = useCall<Repository>()
  return (
    <EmptyState
      title="Nothing was fetched yet"
      actions={
        <Button
          variant="primary"
          busy={call.busy}
          disabled={stale}
          onClick={() => void call.run(() => client.repositories.refresh({ repository: repository.id, force: false }))}
        >
          Fetch it now
        </Button>
      }
    >
      Its commits show here once git has heard the remote. Nothing is sent to any node by fetching.
      {call.error !== null && (
        <div className="mt-3 text-left">
          <ErrorNote error={call.error} />
        </div>
      )}
    </EmptyState>
  )
}
