import { useState } from 'react'
import type { BatchId } from '../../../shared/model/ids.ts'
import { type Run, RunStatus } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { CopyButton } from '../../components/CopyButton.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { RunMark, runStatusWords } from '../../components/StatusMark.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { formatHash, navigate } from '../../stores/route.ts'
import { RunMatrix } from './RunMatrix.tsx'
import { newIdempotencyKey, resyncTargets, useBatch, useResync } from './runQueries.ts'

/** Everything one press started: nodes down, states across. */
export function BatchView({ batchId }: { readonly batchId: BatchId }) {
  const { value: runs, error, retry } = useBatch(batchId)
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
      <RunMatrix runs={runs} />
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
