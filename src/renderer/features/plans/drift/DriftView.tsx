import { useMemo } from 'react'
import { driftReasons } from '../../../../core/fleet/drift.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { ViewHeader } from '../../../components/ViewHeader.tsx'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../../stores/route.ts'
import { PlansTabs } from '../PlansTabs.tsx'
import { kindWords } from '../planWords.ts'
import { countStandings, type DriftRow, driftRows, type Standing, standings, standingWords } from './standing.ts'

const standingClass: Readonly<Record<Standing, string>> = {
  drifted: 'text-error',
  behind: 'text-pending',
  never: 'text-muted',
  'as-wanted': 'text-in-step',
}

/** The shape says the same as the colour: notch, half, empty, full. */
const standingSigns: Readonly<Record<Standing, string>> = { drifted: '◥', behind: '◪', never: '▢', 'as-wanted': '■' }

const isStanding = (text: string | undefined): text is Standing => standings.some((each) => each === text)

/** What should lie on each node against what was last read back from it, plan by plan. */
export function DriftView({ route }: { readonly route: Route }) {
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const loaded = useReplica((state) => state.loaded)
  const stale = useStale()
  const rows = useMemo(() => driftRows(nodes.values(), plans), [nodes, plans])
  const counts = useMemo(() => countStandings(rows), [rows])
  const { standing, node: nodeText = '', plan: planName = '' } = route.query
  const shown = useMemo(
    () =>
      rows.filter(
        (row) =>
          (!isStanding(standing) || row.standing === standing) &&
          row.node.name.toLowerCase().includes(nodeText.toLowerCase()) &&
          (planName === '' || row.state.planName === planName),
      ),
    [rows, standing, nodeText, planName],
  )
  const columns = useColumns()
  const wrong = rows.length - counts['as-wanted']
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Plans"
        summary={
          <>
            <PlansTabs current="drift" />
            {loaded ? summaryWords(rows.length, wrong) : 'Loading'}
          </>
        }
      />
      <search aria-label="Filter" className="flex shrink-0 flex-wrap items-center gap-2 border-b px-4 py-2">
        <input
          type="search"
          aria-label="Node"
          placeholder="Node"
          value={nodeText}
          onChange={({ target }) => updateQuery({ node: target.value }, { replace: true })}
          className="h-7 w-44 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
        />
        <select
          aria-label="Plan"
          value={planName}
          onChange={({ target }) => updateQuery({ plan: target.value })}
          className="h-7 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
        >
          <option value="">All plans</option>
          {[...plans.values()].map(({ id, name }) => (
            <option key={id}>{name}</option>
          ))}
        </select>
        {standings.map((each) => (
          <Button
            key={each}
            size="small"
            variant={standing === each ? 'default' : 'quiet'}
            aria-pressed={standing === each}
            icon={
              <span aria-hidden className={standingClass[each]}>
                {standingSigns[each]}
              </span>
            }
            onClick={() => updateQuery({ standing: standing === each ? undefined : each })}
          >
            {formatCount(counts[each])} {standingWords[each]}
          </Button>
        ))}
      </search>
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        <DataTable
          label="Desired against observed"
          rows={shown}
          rowKey={({ key }) => key}
          columns={columns}
          onOpen={({ node }) => navigate(formatHash({ view: 'fleet', query: { node: node.id } }))}
          empty={loaded && <NothingToCompare any={rows.length > 0} />}
        />
      </div>
    </div>
  )
}

function summaryWords(all: number, wrong: number): string {
  if (all === 0) return ''
  return wrong === 0
    ? `All ${formatCount(all)} are as wanted`
    : `${formatCount(wrong)} of ${formatCount(all)} are not as wanted`
}

function NothingToCompare({ any }: { readonly any: boolean }) {
  if (any)
    return (
      <div className="flex flex-col items-center gap-3 p-8 text-muted">
        Nothing matches this filter.
        <Button size="small" onClick={() => updateQuery({ node: undefined, plan: undefined, standing: undefined })}>
          Clear the filter
        </Button>
      </div>
    )
  return (
    <EmptyState
      title="Nothing to compare yet"
      actions={<Button onClick={() => navigate(formatHash({ view: 'plans', path: ['new'] }))}>New plan</Button>}
    >
      Once a plan selects a node, this says what should lie there and what was last read back from it.
    </EmptyState>
  )
}

function useColumns(): readonly Column<DriftRow>[] {
  return useMemo(
    () => [
      {
        id: 'standing',
        header: 'Standing',
        width: '150px',
        cell: ({ standing }) => (
          <span className={standingClass[standing]}>
            <span aria-hidden>{standingSigns[standing]}</span> {standingWords[standing]}
          </span>
        ),
        sortValue: ({ standing }) => standings.indexOf(standing),
      },
      {
        id: 'node',
        header: 'Node',
        width: 'minmax(130px, 1fr)',
        cell: ({ node }) => node.name,
        sortValue: ({ node }) => node.name,
      },
      {
        id: 'plan',
        header: 'Plan',
        width: 'minmax(130px, 1fr)',
        cell: ({ state, kind }) => (
          <>
            {state.planName} <span className="text-faint">{kind === null ? '' : kindWords[kind]}</span>
          </>
        ),
        sortValue: ({ state }) => state.planName,
      },
      {
        id: 'desired',
        header: 'Desired',
        width: '90px',
        align: 'right',
        cell: ({ state }) => `r${state.desiredRevision}`,
        sortValue: ({ state }) => state.desiredRevision,
      },
      {
        id: 'observed',
        header: 'Observed',
        width: '190px',
        align: 'right',
        cell: ({ state }) => <Observed row={state} />,
        sortValue: ({ state }) => state.observed?.revision ?? null,
      },
      {
        id: 'read',
        header: 'Read back',
        width: '120px',
        align: 'right',
        cell: ({ state }) => <Time at={state.observed?.verifiedAt ?? null} className="text-muted" />,
        sortValue: ({ state }) => state.observed?.verifiedAt ?? null,
      },
      {
        id: 'why',
        header: 'Why',
        width: 'minmax(200px, 2fr)',
        cell: (row) => <Why row={row} />,
      },
    ],
    [],
  )
}

/** The revision, and the beginning of the digest that was read back. */
function Observed({ row }: { readonly row: DriftRow['state'] }) {
  const { observed } = row
  if (observed === null) return <span className="text-faint">nothing</span>
  return (
    <>
      r{observed.revision} <code className="text-12 text-faint">{observed.digest.slice(0, 12)}</code>
    </>
  )
}

function Why({ row }: { readonly row: DriftRow }) {
  const { node, state, kind, standing } = row
  const lastRun = useReplica(({ runs }) => (state.lastRunId === null ? null : (runs.get(state.lastRunId) ?? null)))
  const registry = useReplica(({ registries }) => registries.get('services') ?? null)
  if (standing === 'as-wanted') return ''
  const words = driftReasons({ node, state, kind, lastRun, registry }).join(', ')
  return (
    <span className="truncate text-muted" title={state.driftReason?.sentence ?? words}>
      {words}
      {state.driftSince !== null && (
        <>
          , since <Time at={state.driftSince} />
        </>
      )}
    </span>
  )
}
