import type { Run, RunState } from '../../../shared/model/run.ts'
import { isFinal } from '../../../shared/model/run.ts'
import { classNames } from '../../components/classNames.ts'
import { formatDuration } from '../../components/format.ts'
import { Tooltip } from '../../components/Tooltip.tsx'
import { useNow } from '../../stores/clock.ts'
import { stateWords } from './runWords.ts'
import { layoutTrack, type SegmentStatus, type TrackSegment } from './stateTrack.ts'

/** A state that went well is green only when the run ended in proof: before that it is just done. */
export function segmentClass(status: SegmentStatus, proven: boolean): string {
  switch (status) {
    case 'done':
      return proven ? 'bg-in-step border-in-step' : 'bg-faint border-faint'
    case 'active':
      return 'bg-raised border-busy'
    case 'failed':
      return 'bg-error border-error'
    case 'halted':
      return 'bg-halted border-halted'
    case 'retry':
    case 'interrupted':
      return 'bg-pending border-pending'
    case 'canceled':
      return 'bg-muted border-muted'
    case 'skipped':
      return 'border-line-strong border-dashed'
    default:
      return 'border-line'
  }
}

const statusWords: Readonly<Record<SegmentStatus, string>> = {
  ahead: 'not yet',
  unreached: 'not reached',
  active: 'now',
  done: 'done',
  skipped: 'skipped',
  retry: 'will try again',
  failed: 'failed',
  interrupted: 'interrupted',
  canceled: 'canceled',
  halted: 'held back',
}

/** The eleven states of a run as one line: width is time, and the one that went wrong says so. */
export function StateTrack({ run, onChoose }: { readonly run: Run; readonly onChoose: (state: RunState) => void }) {
  const now = useNow()
  const track = layoutTrack(run, isFinal(run.status) ? (run.finishedAt ?? now) : now)
  const proven = run.status === 'succeeded' && run.proof !== null
  return (
    <ol aria-label="States of this run" className="flex gap-1">
      {track.map((segment) => (
        <Segment key={segment.state} segment={segment} proven={proven} onChoose={onChoose} />
      ))}
    </ol>
  )
}

interface SegmentProps {
  readonly segment: TrackSegment
  readonly proven: boolean
  readonly onChoose: (state: RunState) => void
}

function Segment({ segment, proven, onChoose }: SegmentProps) {
  const { state, status, spentMs, visits, share } = segment
  const quiet = status === 'ahead' || status === 'unreached'
  const words = ['done', 'active'].includes(status) ? formatDuration(spentMs) : statusWords[status]
  const tries = visits.length > 1 ? ` ×${visits.length}` : ''
  const label = `${state}: ${statusWords[status]}${quiet ? '' : `, ${formatDuration(spentMs)}`}`
  return (
    <li
      aria-current={status === 'active' ? 'step' : undefined}
      aria-label={label}
      className="flex min-w-0"
      style={{ flex: `${share} 1 0` }}
    >
      <Tooltip content={visits.length > 1 ? `${label}, entered ${visits.length} times` : label}>
        <button
          type="button"
          disabled={visits.length === 0}
          onClick={() => onChoose(state)}
          className="flex min-w-0 flex-1 flex-col gap-1 text-left"
        >
          <span className="sr-only">Show in the log:</span>
          <span
            className={classNames(
              'relative block h-2.5 w-full overflow-hidden rounded-sm border',
              segmentClass(status, proven),
            )}
          >
            {status === 'active' && <span className="absolute inset-y-0 left-0 w-2/5 animate-travel bg-busy" />}
          </span>
          <span
            className={classNames(
              'w-full truncate text-12',
              quiet || status === 'skipped' ? 'text-faint' : 'text-text',
              status === 'failed' && 'text-error',
            )}
          >
            {stateWords[state]}
            {tries !== '' && <span className="text-pending">{tries}</span>}
          </span>
          <span
            className={classNames(
              '-mt-1 h-4 w-full truncate text-12',
              status === 'failed' ? 'text-error' : status === 'halted' ? 'text-halted' : 'text-faint',
            )}
          >
            {quiet ? '' : words}
          </span>
        </button>
      </Tooltip>
    </li>
  )
}
