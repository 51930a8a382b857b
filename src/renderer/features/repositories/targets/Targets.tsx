import { useCallback, useMemo, useState } from 'react'
import type { PlanId } from '../../../../shared/model/ids.ts'
import type { Repository, SentinelReading } from '../../../../shared/model/repository.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { engineNowMs } from '../../../stores/clock.ts'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../../stores/route.ts'
import type { Begun } from '../begun.ts'
import { useKnownCommits, useRepositoryPlans, useTargets } from '../repositoryQueries.ts'
import { PreviewDrawer } from './PreviewDrawer.tsx'
import { ReadingNote } from './ReadingNote.tsx'
import { SelectionBar } from './SelectionBar.tsx'
import { SyncDialog } from './SyncDialog.tsx'
import { TargetDrawer } from './TargetDrawer.tsx'
import { useTargetColumns } from './targetColumns.tsx'
import { isBehind, type TargetRow, targetKey, targetRows } from './targetRows.ts'

interface TargetsProps {
  readonly repository: Repository
  readonly onBegun: (begun: Begun) => void
}

type Readings = ReadonlyMap<string, SentinelReading>
const noReadings: Readings = new Map()

/** Each node of each plan: the commit it should have, the one that was read back, and how far apart they are. */
export function Targets({ repository, onBegun }: TargetsProps) {
  const { client } = useLink()
  const stale = useStale()
  const targets = useTargets(repository)
  const { rows, chosen, setChosen } = useRows(repository, targets.data)
  const verify = useCall<SentinelReading[]>()
  const [readings, setReadings] = useState<Readings>(noReadings)
  const [syncing, setSyncing] = useState<readonly TargetRow[] | null>(null)
  const [opened, setOpened] = useState<string | null>(null)
  const [previewed, setPreviewed] = useState<string | null>(null)
  const known = useKnownCommits(repository)
  const severalPlans = useRepositoryPlans(repository.settings.name).length > 1
  const onToggle = useCallback((row: TargetRow) => setChosen((before) => toggled(before, row.key)), [setChosen])
  const columns = useTargetColumns({ known, readings, chosen, onToggle, severalPlans })
  const readNow = async (of: readonly TargetRow[]): Promise<void> => {
    const nodes = [...new Set(of.map(({ target }) => target.nodeId))]
    const plans = [...new Set(of.map(({ target }) => target.planId))]
    const answer = await verify.run(() => client.repositories.verify({ repository: repository.id, plans, nodes }))
    if (answer !== null)
      setReadings((before) => new Map([...before, ...answer.map((each) => [targetKey(each), each] as const)]))
  }
  if (targets.data === undefined)
    return targets.error === null ? null : (
      <div className="p-4">
        <ErrorNote error={toErrorBody(targets.error)} onRetry={() => void targets.refetch()} />
      </div>
    )
  if (rows.length === 0) return <NoTargets repository={repository} />
  const selected = rows.filter(({ key }) => chosen.has(key))
  const openedRow = rows.find(({ key }) => key === opened)
  const previewedRow = rows.find(({ key }) => key === previewed)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Summary rows={rows} onChoose={(meant) => setChosen(new Set(meant.map(({ key }) => key)))}>
        <Button size="small" busy={verify.busy} disabled={stale} onClick={() => void readNow(rows)}>
          Verify all now
        </Button>
      </Summary>
      {verify.error !== null && (
        <div className="shrink-0 px-4 py-2">
          <ErrorNote error={verify.error} />
        </div>
      )}
      {verify.answer !== null && <ReadingNote readings={verify.answer} onClose={verify.reset} />}
      <div className="relative min-h-0 flex-1">
        <DataTable
          label="Targets"
          rows={rows}
          rowKey={({ key }) => key}
          columns={columns}
          defaultSort={{ columnId: 'state', direction: 'ascending' }}
          onOpen={({ key }) => setOpened(key)}
          isSelected={({ key }) => chosen.has(key)}
          onToggleSelected={({ key }) => setChosen(toggled(chosen, key))}
        />
        {selected.length > 0 && (
          <SelectionBar
            rows={selected}
            total={rows.length}
            disabled={stale}
            verifying={verify.busy}
            onSync={() => setSyncing(selected)}
            onVerify={() => void readNow(selected)}
            onPreview={() => setPreviewed(selected[0]?.key ?? null)}
            onClear={() => setChosen(new Set())}
          />
        )}
      </div>
      {openedRow !== undefined && (
        <TargetDrawer
          row={openedRow}
          known={known}
          reading={readings.get(openedRow.key) ?? null}
          verifying={verify.busy}
          onClose={() => setOpened(null)}
          onSync={() => setSyncing([openedRow])}
          onVerify={() => void readNow([openedRow])}
          onPreview={() => {
            setOpened(null)
            setPreviewed(openedRow.key)
          }}
        />
      )}
      {previewedRow !== undefined && (
        <PreviewDrawer key={previewedRow.key} row={previewedRow} known={known} onClose={() => setPreviewed(null)} />
      )}
      {syncing !== null && (
        <SyncDialog
          repository={repository}
          chosen={syncing}
          force={false}
          onClose={() => setSyncing(null)}
          onBegun={(begun) => {
            setReadings(noReadings)
            onBegun(begun)
          }}
        />
      )}
    </div>
  )
}

function useRows(repository: Repository, targets: Parameters<typeof targetRows>[0] | undefined) {
  const nodes = useReplica((state) => state.nodes)
  const runs = useReplica((state) => state.runs)
  const plans = useRepositoryPlans(repository.settings.name)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const rows = useMemo(() => {
    const byId = new Map<PlanId, (typeof plans)[number]>(plans.map((plan) => [plan.id, plan]))
    return targetRows(targets ?? [], { nodes, runs, plans: byId, nowMs: engineNowMs() })
  }, [targets, nodes, runs, plans])
  return { rows, chosen, setChosen }
}

function toggled(before: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const after = new Set(before)
  if (!after.delete(key)) after.add(key)
  return after
}

interface SummaryProps {
  readonly rows: readonly TargetRow[]
  readonly onChoose: (rows: readonly TargetRow[]) => void
  readonly children: React.ReactNode
}

/** Counts are buttons that choose what they count. */
function Summary({ rows, onChoose, children }: SummaryProps) {
  const groups = [
    { words: 'at the commit', colour: 'text-in-step', meant: rows.filter(({ fill }) => fill === 'in-step') },
    {
      words: 'behind',
      colour: 'text-pending',
      meant: rows.filter((row) => row.target.observed !== null && isBehind(row)),
    },
    { words: 'never delivered', colour: 'text-muted', meant: rows.filter(({ target }) => target.observed === null) },
    { words: 'held back', colour: 'text-halted', meant: rows.filter(({ fill }) => fill === 'halted') },
  ]
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-x-1 gap-y-1 border-b px-3 py-1.5">
      <span className="mr-2 px-1 text-muted">{plural(rows.length, 'target')}</span>
      {groups
        .filter(({ meant }) => meant.length > 0)
        .map(({ words, colour, meant }) => (
          <button
            key={words}
            type="button"
            title={`Select the ${formatCount(meant.length)} that are ${words}`}
            onClick={() => onChoose(meant)}
            className="h-6 rounded-md px-2 hover:bg-hover"
          >
            <span className={colour}>{formatCount(meant.length)}</span> <span className="text-muted">{words}</span>
          </button>
        ))}
      <span className="ml-auto">{children}</span>
    </div>
  )
}

function NoTargets({ repository }: { readonly repository: Repository }) {
  const query = { kind: 'repository', repository: repository.settings.name }
  return (
    <EmptyState
      title="No plan delivers it yet"
      actions={
        <Button variant="primary" onClick={() => navigate(formatHash({ view: 'plans', path: ['new'], query }))}>
          Write the plan
        </Button>
      }
    >
      A plan says which commit of {repository.settings.name} lies in which directory of which nodes. Until there is one,
      the repository is fetched and looked at, and nothing is sent.
    </EmptyState>
  )
}
