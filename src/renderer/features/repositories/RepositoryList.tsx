import { useQueries } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { RepositoryId } from '../../../shared/model/ids.ts'
import type { Repository, ScanReport } from '../../../shared/model/repository.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { FillMark } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { engineNowMs } from '../../stores/clock.ts'
import { useReplica, useRevision, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, repositoryHash } from '../../stores/route.ts'
import { openFindings, placeWords, remedyOf, scanWords, shortHash } from './repositoryWords.ts'
import { type RepositoryStanding, standingOf, standingRank, standingWords } from './standing.ts'
import { noTargets, type TargetTally, tallyTargets } from './tally.ts'

interface Row {
  readonly repository: Repository
  readonly standing: RepositoryStanding
  readonly tally: TargetTally
  /** Undefined while it is asked for. */
  readonly report: ScanReport | null | undefined
}

const openAdd = (): void => navigate(formatHash({ view: 'repositories', path: ['add'] }))

/** Every source of truth: what was heard of it, what is wrong with it, and how far its targets are. */
export function RepositoryList({ repositories }: { readonly repositories: readonly Repository[] }) {
  const stale = useStale()
  const rows = useRows(repositories)
  const troubled = rows.filter(({ standing }) => standing !== 'fine' && standing !== 'new').length
  if (repositories.length === 0)
    return (
      <EmptyState
        title="No repositories yet"
        actions={
          <>
            <Button variant="primary" disabled={stale} onClick={openAdd}>
              Add a repository
            </Button>
            <Button
              disabled={stale}
              onClick={() => navigate(formatHash({ view: 'repositories', path: ['add'], query: { by: 'import' } }))}
            >
              Take over a configuration
            </Button>
          </>
        }
      >
        A repository is the one place that says what lies on the nodes. Its commits are scanned for secrets, sent as
        whole trees, and proven by what is read back. No node ever runs git.
      </EmptyState>
    )
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Repositories"
        summary={
          <>
            {plural(repositories.length, 'repository', 'repositories')}
            {troubled > 0 && <span className="text-pending">{formatCount(troubled)} need a look</span>}
          </>
        }
        actions={
          <Button disabled={stale} onClick={openAdd}>
            Add a repository
          </Button>
        }
      />
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        <DataTable
          label="Repositories"
          rows={rows}
          rowKey={({ repository }) => repository.id}
          columns={columns}
          defaultSort={{ columnId: 'standing', direction: 'ascending' }}
          onOpen={({ repository }) => navigate(repositoryHash(repository.id))}
        />
      </div>
    </div>
  )
}

function useRows(repositories: readonly Repository[]): readonly Row[] {
  const { client } = useLink()
  const revision = useRevision('repositories')
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const reports = useQueries({
    queries: repositories.map(({ id }) => ({
      queryKey: ['repository findings', id, revision],
      queryFn: () => client.repositories.findings({ repository: id }),
      placeholderData: (before: ScanReport | null | undefined) => before,
    })),
    combine: (results) => new Map(results.map(({ data }, index) => [repositories[index]?.id as RepositoryId, data])),
  })
  const tallies = useMemo(() => tallyTargets(plans.values(), nodes.values(), engineNowMs()), [plans, nodes])
  return useMemo(
    () =>
      repositories.map((repository) => {
        const report = reports.get(repository.id)
        return {
          repository,
          report,
          standing: standingOf(repository, report ?? null),
          tally: tallies.get(repository.settings.name) ?? noTargets,
        }
      }),
    [repositories, reports, tallies],
  )
}

const columns: readonly Column<Row>[] = [
  {
    id: 'standing',
    header: 'State',
    width: '152px',
    cell: ({ standing }) => <StandingMark standing={standing} />,
    sortValue: ({ standing, repository }) => `${standingRank(standing)} ${repository.settings.name}`,
  },
  {
    id: 'name',
    header: 'Repository',
    width: 'minmax(140px, 0.9fr)',
    cell: ({ repository }) => repository.settings.name,
    sortValue: ({ repository }) => repository.settings.name,
  },
  {
    id: 'why',
    header: 'What is wrong, and what to do',
    width: 'minmax(220px, 2fr)',
    cell: (row) => <Why row={row} />,
  },
  {
    id: 'head',
    header: 'Default branch',
    width: '168px',
    cell: ({ repository: { settings, state } }) => {
      const commit = state.heads[settings.defaultBranch]
      return (
        <>
          {settings.defaultBranch}{' '}
          {commit === undefined ? (
            <span className="text-faint">not fetched</span>
          ) : (
            <code className="text-12 text-muted" title={commit}>
              {shortHash(commit)}
            </code>
          )}
        </>
      )
    },
    sortValue: ({ repository }) => repository.settings.defaultBranch,
  },
  {
    id: 'targets',
    header: 'Targets verified',
    width: '204px',
    cell: ({ tally }) => <Tally tally={tally} />,
    sortValue: ({ tally }) => (tally.wanted === 0 ? null : tally.verified / tally.wanted),
  },
  {
    id: 'findings',
    header: 'Secrets',
    width: '128px',
    cell: ({ report }) => <Findings report={report} />,
    sortValue: ({ report }) => (report == null ? null : openFindings(report)),
  },
  {
    id: 'fetched',
    header: 'Fetched',
    width: '104px',
    align: 'right',
    cell: ({ repository }) => <Time at={repository.state.fetchedAt} className="text-muted" />,
    sortValue: ({ repository }) => repository.state.fetchedAt,
  },
]

const standingFill = {
  blocked: 'halted',
  failing: 'error',
  warned: 'pending',
  new: 'never-synced',
  fine: 'in-step',
} as const

function StandingMark({ standing }: { readonly standing: RepositoryStanding }) {
  return (
    <span className="flex items-center gap-1.5">
      <span aria-hidden className="inline-flex">
        <FillMark fill={standingFill[standing]} />
      </span>
      {standingWords[standing]}
    </span>
  )
}

/** The one thing that matters, with the one next step; where nothing does, where it comes from. */
function Why({ row: { repository, standing, report } }: { readonly row: Row }) {
  const { diagnosis, warnings } = repository.state
  if (standing === 'failing' && diagnosis !== null) {
    const { kind, label } = remedyOf(diagnosis)
    return (
      <NextStep
        words={diagnosis.short}
        sentence={diagnosis.sentence}
        colour="text-error"
        label={label}
        href={kind === 'settings' ? repositoryHash(repository.id, kind) : repositoryHash(repository.id)}
      />
    )
  }
  if (standing === 'blocked' && report != null)
    return (
      <NextStep
        words={scanWords(report)}
        sentence={scanWords(report)}
        colour="text-text"
        label="See the findings"
        href={repositoryHash(repository.id, 'findings')}
      />
    )
  if (warnings.length > 0)
    return (
      <span className="text-pending" title={warnings.join('\n')}>
        {warnings[0]}
        {warnings.length > 1 && ` (and ${warnings.length - 1} more)`}
      </span>
    )
  return <span className="text-muted">{placeWords(repository.settings)}</span>
}

interface NextStepProps {
  readonly words: string
  readonly sentence: string
  readonly colour: string
  readonly label: string
  readonly href: string
}

/** The link is not the row: it goes where the step is taken. */
function NextStep({ words, sentence, colour, label, href }: NextStepProps) {
  return (
    <span className="flex min-w-0 items-baseline gap-3">
      <span className={classNames('min-w-0 truncate', colour)} title={sentence}>
        {words}
      </span>
      <a
        href={href}
        className="shrink-0 text-accent underline"
        onClick={(event) => event.stopPropagation()}
        onKeyDown={(event) => event.stopPropagation()}
      >
        {label}
      </a>
    </span>
  )
}

function Findings({ report }: { readonly report: ScanReport | null | undefined }) {
  if (report === undefined) return null
  if (report === null) return <span className="text-faint">never scanned</span>
  const open = openFindings(report)
  if (report.status === 'failed') return <span className="text-error">scan failed</span>
  if (report.status === 'off') return <span className="text-faint">switched off</span>
  if (open === 0) return <span className="text-muted">none open</span>
  return <span className={report.status === 'blocked' ? 'text-halted' : 'text-pending'}>{formatCount(open)} open</span>
}

function Tally({ tally: { wanted, verified, inStep } }: { readonly tally: TargetTally }) {
  if (wanted === 0) return <span className="text-faint">no plan delivers it</span>
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-1 w-16 overflow-hidden rounded-full bg-line">
        <span
          className={classNames('block h-full', inStep === wanted ? 'bg-in-step' : 'bg-pending')}
          style={{ width: `${(verified / wanted) * 100}%` }}
        />
      </span>
      {formatCount(verified)} of {formatCount(wanted)}
      {inStep < verified && `, ${formatCount(inStep)} in step`}
    </span>
  )
}
