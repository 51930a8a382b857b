import type { NodeId } from '../../../shared/model/ids.ts'
import { isFinal, type Run, runStates } from '../../../shared/model/run.ts'
import { classNames } from '../../components/classNames.ts'
import { formatDuration } from '../../components/format.ts'
import { RunMark } from '../../components/StatusMark.tsx'
import { Tooltip } from '../../components/Tooltip.tsx'
import { VirtualList } from '../../components/VirtualList.tsx'
import { useNow } from '../../stores/clock.ts'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { runHash } from '../../stores/route.ts'
import { runReason, stateWords } from './runWords.ts'
import { segmentClass } from './StateTrack.tsx'
import { layoutTrack, type TrackSegment } from './stateTrack.ts'

const rowHeight = 28
const grid = { gridTemplateColumns: 'minmax(140px, 1.3fr) 104px repeat(11, minmax(44px, 1fr)) minmax(120px, 1.5fr)' }

/** A node that has no run yet. */
export interface WaitingNode {
  readonly nodeId: NodeId
  readonly nodeName: string
  /** What it waits for, in a few words. */
  readonly words: string
}

/** Nodes down, states across (F18): those with a run first, then those that wait for theirs. */
export function RunMatrix({
  runs,
  waiting = [],
}: {
  readonly runs: readonly Run[]
  readonly waiting?: readonly WaitingNode[]
}) {
  const stale = useStale()
  const items: readonly (Run | WaitingNode)[] = waiting.length === 0 ? runs : [...runs, ...waiting]
  return (
    <div className={classNames('flex min-h-0 flex-1 flex-col', stale && 'stale')}>
      <div
        className="grid h-8 shrink-0 items-center border-b bg-surface px-4 text-12 text-faint"
        style={grid}
        aria-hidden
      >
        <span>Node</span>
        <span>Status</span>
        {runStates.map((state) => (
          <span key={state} title={state} className="truncate pr-1">
            {stateWords[state]}
          </span>
        ))}
        <span>Where it stands</span>
      </div>
      <div className="min-h-0 flex-1">
        <VirtualList
          label="Runs by node and state"
          items={items}
          itemKey={(item) => ('id' in item ? item.id : item.nodeId)}
          rowHeight={rowHeight}
          renderItem={(item) => ('id' in item ? <RunRow run={item} /> : <WaitingRow node={item} />)}
        />
      </div>
    </div>
  )
}

function WaitingRow({ node }: { readonly node: WaitingNode }) {
  return (
    <div className="grid h-full items-center border-b px-4 text-faint" style={grid}>
      <span className="truncate pr-2">{node.nodeName}</span>
      <span>not begun</span>
      {runStates.map((state) => (
        <span key={state} aria-hidden className="mr-1 block h-2.5 rounded-sm border border-line" />
      ))}
      <span className="truncate">{node.words}</span>
    </div>
  )
}

function RunRow({ run }: { readonly run: Run }) {
  // Only a run that is under way changes with time.
  const now = useNow(isFinal(run.status) ? Number.MAX_SAFE_INTEGER : 1000)
  const proven = run.status === 'succeeded' && run.proof !== null
  return (
    <a href={runHash(run.id)} className="grid h-full items-center border-b px-4 hover:bg-hover" style={grid}>
      <span className="truncate pr-2">{run.nodeName}</span>
      <RunMark status={run.status} withWord />
      {layoutTrack(run, now).map((segment) => (
        <Cell key={segment.state} segment={segment} proven={proven} />
      ))}
      <span className="truncate text-muted">{runReason(run)}</span>
    </a>
  )
}

function Cell({ segment, proven }: { readonly segment: TrackSegment; readonly proven: boolean }) {
  const visited = segment.visits.length > 0
  const words = `${segment.state}: ${segment.status}${visited ? `, ${formatDuration(segment.spentMs)}` : ''}`
  return (
    <Tooltip content={words}>
      <span
        role="img"
        aria-label={words}
        className={classNames(
          'relative mr-1 block h-2.5 overflow-hidden rounded-sm border',
          segmentClass(segment.status, proven),
        )}
      >
        {segment.status === 'active' && <span className="absolute inset-y-0 left-0 w-2/5 animate-travel bg-busy" />}
      </span>
    </Tooltip>
  )
}
