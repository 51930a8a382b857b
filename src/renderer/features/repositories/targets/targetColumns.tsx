import { useMemo } from 'react'
import { tileFills } from '../../../../core/fleet/health.ts'
import type { Commit, CommitHash, SentinelReading } from '../../../../shared/model/repository.ts'
import { ChoiceMark } from '../../../components/ChoiceMark.tsx'
import type { Column } from '../../../components/DataTable.tsx'
import { FillMark, RunMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { runHash } from '../../../stores/route.ts'
import { CommitName } from '../CommitName.tsx'
import { readingWords } from './ReadingNote.tsx'
import { behindWords, type TargetRow } from './targetRows.ts'

interface ColumnWorld {
  readonly known: ReadonlyMap<CommitHash, Commit>
  readonly readings: ReadonlyMap<string, SentinelReading>
  readonly chosen: ReadonlySet<string>
  readonly onToggle: (row: TargetRow) => void
  /** With one plan its name in every row says nothing. */
  readonly severalPlans: boolean
}

const planColumn: Column<TargetRow> = {
  id: 'plan',
  header: 'Plan',
  width: 'minmax(96px, 0.6fr)',
  cell: ({ planName }) => <span className="text-muted">{planName}</span>,
  sortValue: ({ planName }) => planName,
}

export function useTargetColumns(world: ColumnWorld): readonly Column<TargetRow>[] {
  const { known, readings, chosen, onToggle, severalPlans } = world
  return useMemo(
    () => [
      {
        id: 'choice',
        header: '',
        width: '38px',
        cell: (row) => <ChoiceMark chosen={chosen.has(row.key)} onToggle={() => onToggle(row)} />,
      },
      {
        id: 'state',
        header: 'State',
        width: '150px',
        cell: (row) => (
          <span className="flex items-center gap-1.5">
            <span aria-hidden className="inline-flex">
              <FillMark fill={row.fill} />
            </span>
            <span className="truncate">{row.words}</span>
          </span>
        ),
        sortValue: ({ fill, nodeName }) => `${tileFills.indexOf(fill)} ${nodeName}`,
      },
      {
        id: 'node',
        header: 'Node',
        width: 'minmax(110px, 0.8fr)',
        cell: ({ nodeName }) => nodeName,
        sortValue: ({ nodeName }) => nodeName,
      },
      ...(severalPlans ? [planColumn] : []),
      {
        id: 'observed',
        header: 'Read back',
        width: 'minmax(150px, 1.2fr)',
        cell: ({ target }) =>
          target.observed === null ? (
            <span className="text-faint">nothing yet</span>
          ) : (
            <CommitName commit={target.observed} subject={known.get(target.observed)?.subject} />
          ),
        sortValue: ({ target }) => target.observed,
      },
      {
        id: 'desired',
        header: 'Wanted',
        width: 'minmax(150px, 1.2fr)',
        cell: ({ target }) =>
          target.desired === null ? (
            <span className="text-faint">nothing fetched</span>
          ) : target.desired === target.observed ? (
            <span className="text-faint">the same</span>
          ) : (
            <CommitName commit={target.desired} subject={known.get(target.desired)?.subject} />
          ),
        sortValue: ({ target }) => target.desired,
      },
      {
        id: 'behind',
        header: 'Behind',
        width: '104px',
        cell: ({ target }) => <span className="text-pending">{behindWords(target)}</span>,
        sortValue: ({ target }) => (target.observed === target.desired ? 0 : target.behind),
      },
      {
        id: 'strategy',
        header: 'Lies there',
        width: '92px',
        cell: ({ strategy }) => (
          <span className="text-muted">{strategy === 'release' ? 'as release' : 'in place'}</span>
        ),
        sortValue: ({ strategy }) => strategy,
      },
      {
        id: 'verified',
        header: 'Verified',
        width: '148px',
        cell: (row) => <Verified row={row} reading={readings.get(row.key)} />,
        sortValue: ({ target }) => target.verifiedAt,
      },
      {
        id: 'run',
        header: 'Run',
        width: '112px',
        cell: (row) => <RunLink row={row} />,
      },
    ],
    [known, readings, chosen, onToggle, severalPlans],
  )
}

function Verified({ row, reading }: { readonly row: TargetRow; readonly reading: SentinelReading | undefined }) {
  if (reading === undefined) return <Time at={row.target.verifiedAt} className="text-muted" />
  return (
    <span className={reading.status === 'matches' ? 'text-in-step' : 'text-pending'}>
      {readingWords[reading.status]} <Time at={reading.readAt} className="text-12 text-faint" />
    </span>
  )
}

/** Opens the run, not the row. */
function RunLink({ row: { run, target } }: { readonly row: TargetRow }) {
  const id = run?.id ?? target.runId
  if (id === null) return null
  return (
    <a
      href={runHash(id)}
      className="text-accent underline"
      onClick={(event) => event.stopPropagation()}
      onKeyDown={(event) => event.stopPropagation()}
    >
      {run === null ? 'last run' : <RunMark status={run.status} withWord />}
    </a>
  )
}
