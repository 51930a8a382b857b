import { useState } from 'react'
import type { BatchId } from '../../../shared/model/ids.ts'
import { isFinal, type Run, RunStatus, runStates } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { CopyButton } from '../../components/CopyButton.tsx'
import { classNames } from '../../components/classNames.ts'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, formatDuration, plural } from '../../components/format.ts'
import { RunMark, runStatusWords } from '../../components/StatusMark.tsx'
import { Tooltip } from '../../components/Tooltip.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { VirtualList } from '../../components/VirtualList.tsx'
import { useNow } from '../../stores/clock.ts'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, runHash } from '../../stores/route.ts'
import { newIdempotencyKey, resyncTargets, useBatch, useResync } from './runQueries.ts'
import { runReason, stateWords } from './runWords.ts'
import { segmentClass } from './StateTrack.tsx'
import { layoutTrack, type TrackSegment } from './stateTrack.ts'

const rowHeight = 28
const grid = { gridTemplateColumns: 'minmax(140px, 1.3fr) 104px repeat(11, minmax(44px, 1fr)) minmax(120px, 1.5fr)' }

/** Everything one press started: nodes down, states across. */
export function BatchView({ batchId }: { readonly batchId: BatchId }) {
  const { value: runs, error, retry } = useBatch(batchId)
  const stale = useStale()
  if (runs === undefined && error !== null) {
    return (
      <div className="p-4">
        <ErrorNote error={error} onRetry={retry} />
      </div>
    )
  }
  if (runs === undefined) return <ViewHeader title="Runs of one press" summary="Loading" />
  if (runs.length === 0)
    return <EmptyState title="No runs in this batch">The link may come from another console.</EmptyState>
  return (
    <div className="flex h-full flex-col">
      <BatchHeader runs={runs} />
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
            items={runs}
            itemKey={(run) => run.id}
            rowHeight={rowHeight}
            renderItem={(run) => <BatchRow run={run} />}
          />
        </div>
      </div>
    </div>
  )
}

function BatchHeader({ runs }: { readonly runs: readonly Run[] }) {
  const [deciding, setDeciding] = useState(false)
  const failed = runs.filter((run) => run.status === 'failed' || run.status === 'canceled')
  const names = [...new Set(failed.map((run) => run.nodeName))]
  const plans = [...new Set(runs.map((run) => run.planName))]
  return (
    <ViewHeader
      title={
        <>
          <a className="text-faint hover:text-text" href={formatHash({ view: 'runs' })}>
            Runs
          </a>
          <span className="text-faint">/</span>
          {plans.length === 1 ? plans[0] : plural(plans.length, 'plan')} on{' '}
          {plural(new Set(runs.map((run) => run.nodeId)).size, 'node')}
        </>
      }
      summary={RunStatus.options.map((status) => {
        const count = runs.filter((run) => run.status === status).length
        return count === 0 ? null : (
          <span key={status} className="flex items-center gap-1.5">
            <span aria-hidden className="inline-flex">
              <RunMark status={status} />
            </span>
            {formatCount(count)} {runStatusWords[status]}
          </span>
        )
      })}
      actions={
        failed.length > 0 && (
          <div className="flex items-center gap-2">
            <CopyButton
              text={names.join('\n')}
              what={`names of ${plural(names.length, 'node')} that did not succeed`}
            />
            <Button onClick={() => setDeciding(true)}>Resync failed ({formatCount(failed.length)})…</Button>
            {deciding && <ResyncFailedDialog runs={runs} failed={failed} onClose={() => setDeciding(false)} />}
          </div>
        )
      }
    />
  )
}

interface ResyncFailedProps {
  readonly runs: readonly Run[]
  readonly failed: readonly Run[]
  readonly onClose: () => void
}

function ResyncFailedDialog({ runs, failed, onClose }: ResyncFailedProps) {
  const resync = useResync()
  const [key] = useState(newIdempotencyKey)
  const targets = resyncTargets(failed)
  const done = (started: readonly Run[]): void => {
    onClose()
    if (started[0] !== undefined) navigate(formatHash({ view: 'runs', path: ['batch', started[0].batchId] }))
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Resync the ${plural(failed.length, 'run')} that did not succeed?`}
      blastRadius={`${formatCount(new Set(failed.map((run) => run.nodeId)).size)} of ${plural(new Set(runs.map((run) => run.nodeId)).size, 'node')}`}
      effect={`Pushes ${targets.map((target) => target.planName).join(', ')} again, to these nodes only. What they already have is not sent twice.`}
      undo="Not needed when nothing has changed; otherwise resync an earlier source."
      confirmLabel={`Resync ${plural(failed.length, 'run')}`}
      busy={resync.isPending}
      error={resync.error === null ? null : toErrorBody(resync.error)}
      onConfirm={() => resync.mutate({ runs: failed, key }, { onSuccess: done })}
    >
      {targets.map((target) => (
        <CliEquivalent
          key={target.planName}
          command={`lockstep push --plan ${shellQuote(target.planName)} ${target.nodeNames.map((name) => `--node ${shellQuote(name)}`).join(' ')}`}
        />
      ))}
    </DecisionDialog>
  )
}

function BatchRow({ run }: { readonly run: Run }) {
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
