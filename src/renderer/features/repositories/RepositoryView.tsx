import { useMemo, useState } from 'react'
import type { Repository, ScanReport } from '../../../shared/model/repository.ts'
import type { RunStatus } from '../../../shared/model/run.ts'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { formatCount, plural } from '../../components/format.ts'
import { RunMark, runStatusWords } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, repositoryHash } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import type { Begun } from './begun.ts'
import { Commits } from './commits/Commits.tsx'
import { Findings } from './findings/Findings.tsx'
import { RepositoryActions } from './RepositoryActions.tsx'
import { RepositoryTrouble } from './RepositoryTrouble.tsx'
import { useFindings } from './repositoryQueries.ts'
import { openFindings, placeWords, shortHash } from './repositoryWords.ts'
import { Settings } from './settings/Settings.tsx'
import { Targets } from './targets/Targets.tsx'

const pages = [
  { id: 'targets', label: 'Targets' },
  { id: 'commits', label: 'Commits' },
  { id: 'findings', label: 'Findings' },
  { id: 'settings', label: 'Settings' },
] as const
export type PageId = (typeof pages)[number]['id']

export const pageOf = (text: string | undefined): PageId => pages.find(({ id }) => id === text)?.id ?? 'targets'

interface RepositoryViewProps {
  readonly repository: Repository
  readonly page: PageId
  readonly route: Route
}

/** One repository: what its targets have, its commits, what the scan found, and what an operator says about it. */
export function RepositoryView({ repository, page, route }: RepositoryViewProps) {
  const { id, settings, state } = repository
  const stale = useStale()
  const findings = useFindings(repository)
  const [begun, setBegun] = useState<Begun | null>(null)
  useShortcuts(
    pages.map(({ id: each, label }) => ({
      keys: '',
      label: `${settings.name}: ${label.toLowerCase()}`,
      group: 'Repositories',
      run: () => navigate(repositoryHash(id, each)),
    })),
  )
  const head = state.heads[settings.defaultBranch]
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title={
          <>
            <a className="text-faint hover:text-text" href={formatHash({ view: 'repositories' })}>
              Repositories
            </a>
            <span className="text-faint">/</span>
            <span className="truncate">{settings.name}</span>
          </>
        }
        summary={
          <>
            <span>
              {settings.defaultBranch}{' '}
              {head === undefined ? 'not fetched yet' : <code className="text-12">{shortHash(head)}</code>}
            </span>
            {state.fetchedAt !== null && (
              <span>
                fetched <Time at={state.fetchedAt} />
              </span>
            )}
            <span className="min-w-0 truncate text-faint" title={placeWords(settings)}>
              {placeWords(settings)}
            </span>
          </>
        }
        actions={<RepositoryActions repository={repository} onBegun={setBegun} />}
      />
      <PageTabs repository={repository} current={page} report={findings.data ?? null} />
      <RepositoryTrouble repository={repository} report={findings.data ?? null} page={page} />
      {begun !== null && <BegunNote begun={begun} onClose={() => setBegun(null)} />}
      <div className={classNames('relative min-h-0 flex-1', stale && 'stale')}>
        {page === 'targets' && <Targets repository={repository} onBegun={setBegun} />}
        {page === 'commits' && <Commits repository={repository} route={route} onBegun={setBegun} />}
        {page === 'findings' && <Findings repository={repository} />}
        {page === 'settings' && <Settings repository={repository} />}
      </div>
    </div>
  )
}

interface PageTabsProps {
  readonly repository: Repository
  readonly current: PageId
  readonly report: ScanReport | null
}

/** Links, so that each page can be opened in a window of its own. */
function PageTabs({ repository, current, report }: PageTabsProps) {
  const open = report === null ? 0 : openFindings(report)
  return (
    <nav aria-label={repository.settings.name} className="flex shrink-0 gap-4 border-b bg-surface px-4">
      {pages.map(({ id, label }) => (
        <a
          key={id}
          href={repositoryHash(repository.id, id)}
          aria-current={id === current ? 'page' : undefined}
          className={classNames(
            '-mb-px flex h-8 items-center gap-1.5 border-b-2',
            id === current ? 'border-accent text-text' : 'border-transparent text-muted hover:text-text',
          )}
        >
          {label}
          {id === 'findings' && open > 0 && (
            <span className={report?.status === 'blocked' ? 'text-halted' : 'text-pending'}>{open}</span>
          )}
        </a>
      ))}
    </nav>
  )
}

/** Follows the runs to their end: what began a while ago is not said to begin. */
function BegunNote({ begun, onClose }: { readonly begun: Begun; readonly onClose: () => void }) {
  const runs = useReplica((state) => state.runs)
  const own = useMemo(() => [...runs.values()].filter(({ batchId }) => batchId === begun.batchId), [runs, begun])
  const parts = shownStatuses
    .map((status) => [status, own.filter((run) => run.status === status).length] as const)
    .filter(([, count]) => count > 0)
  return (
    <p role="status" className="flex shrink-0 items-center gap-3 border-b bg-surface px-4 py-1.5">
      {begun.runs === 0 ? (
        <span>{begun.words}: no plan reaches any of these nodes, so there is nothing to do.</span>
      ) : (
        <>
          <span>
            {begun.words}: {plural(begun.runs, 'run')}
          </span>
          {parts.map(([status, count]) => (
            <span key={status} className="flex items-center gap-1.5">
              <span aria-hidden className="inline-flex">
                <RunMark status={status} />
              </span>
              {formatCount(count)} {status === 'succeeded' ? 'verified' : runStatusWords[status]}
            </span>
          ))}
          <a className="text-accent underline" href={formatHash({ view: 'runs', path: ['batch', begun.batchId] })}>
            Watch them
          </a>
        </>
      )}
      <Button size="small" variant="quiet" className="ml-auto" onClick={onClose}>
        Close
      </Button>
    </p>
  )
}

const shownStatuses: readonly RunStatus[] = ['failed', 'halted', 'canceled', 'running', 'queued', 'succeeded']
