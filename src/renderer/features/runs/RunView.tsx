import { RotateCw, Square, SquareTerminal } from 'lucide-react'
import { useState } from 'react'
import type { RunId } from '../../../shared/model/ids.ts'
import { isFinal, type Run } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatDuration } from '../../components/format.ts'
import { RunMark } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useRunProgress, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, runHash } from '../../stores/route.ts'
import { requestTerminal } from '../../stores/terminalRequests.ts'
import { Evidence } from './Evidence.tsx'
import { HaltPanel } from './HaltPanel.tsx'
import { type LogJump, LogViewer } from './log/LogViewer.tsx'
import { RunFacts } from './RunFacts.tsx'
import { RunProgressBar } from './RunProgressBar.tsx'
import { newIdempotencyKey, useAnyRun, useCancel, useResync } from './runQueries.ts'
import { cancellationSentence, isAgentRun, runDurationMs, stateWords } from './runWords.ts'
import { StateTrack } from './StateTrack.tsx'
import { stoppedIn } from './stateTrack.ts'

/** One run: its eleven states, why it is where it is, its output, what was asked and what was proven. */
export function RunView({ runId }: { readonly runId: RunId }) {
  const { value: run, error, retry } = useAnyRun(runId)
  const stale = useStale()
  const [jump, setJump] = useState<LogJump | null>(null)
  if (run === undefined && error !== null) return <RunMissing error={error} onRetry={retry} />
  if (run === undefined) return null
  return (
    <div className={classNames('flex h-full flex-col', stale && !isFinal(run.status) && 'stale')}>
      <RunHeader run={run} />
      <div className="flex max-h-[60%] shrink-0 flex-col gap-3 overflow-auto border-b px-4 pt-3 pb-2">
        <StateTrack run={run} onChoose={(state) => setJump({ state })} />
        <RunNow run={run} />
      </div>
      <div className="flex min-h-0 flex-1">
        <LogViewer run={run} jump={jump} />
        <aside aria-label="Facts of this run" className="w-[336px] shrink-0 overflow-auto border-l bg-surface">
          <RunFacts run={run} />
        </aside>
      </div>
    </div>
  )
}

function RunMissing({
  error,
  onRetry,
}: {
  readonly error: ReturnType<typeof toErrorBody>
  readonly onRetry: () => void
}) {
  if (error.code === 'NOT_FOUND') {
    return (
      <EmptyState
        title="There is no such run"
        actions={<Button onClick={() => navigate(formatHash({ view: 'runs' }))}>Show all runs</Button>}
      >
        Its id is not in the history of this console. A shared link opens only where the run was made.
      </EmptyState>
    )
  }
  return (
    <div className="p-4">
      <ErrorNote error={error} onRetry={onRetry} />
    </div>
  )
}

function RunHeader({ run }: { readonly run: Run }) {
  const now = useNow()
  const durationMs = runDurationMs(run, now)
  return (
    <ViewHeader
      title={
        <>
          <a className="text-faint hover:text-text" href={formatHash({ view: 'runs' })}>
            Runs
          </a>
          <span className="text-faint">/</span>
          <span className="truncate">{isAgentRun(run) ? run.planName : `${run.planName} on ${run.nodeName}`}</span>
        </>
      }
      summary={
        <>
          <RunMark status={run.status} withWord className="text-text" />
          {durationMs !== null && <span>{formatDuration(durationMs)}</span>}
          <span>
            {run.finishedAt === null ? 'asked' : 'ended'} <Time at={run.finishedAt ?? run.createdAt} />
          </span>
          {run.attempts.length > 1 && <span>attempt {run.attempts.length}</span>}
        </>
      }
      actions={<RunActions run={run} />}
    />
  )
}

function RunActions({ run }: { readonly run: Run }) {
  const [decision, setDecision] = useState<'cancel' | 'resync' | null>(null)
  const over = isFinal(run.status)
  return (
    <div className="flex gap-2">
      {!isAgentRun(run) && (
        <Button
          icon={<SquareTerminal aria-hidden className="size-4" />}
          onClick={() => requestTerminal({ nodeId: run.nodeId })}
        >
          Terminal
        </Button>
      )}
      {over && !isAgentRun(run) && (
        <Button icon={<RotateCw aria-hidden className="size-4" />} onClick={() => setDecision('resync')}>
          Resync…
        </Button>
      )}
      {!over && (
        <Button
          icon={<Square aria-hidden className="size-3.5" />}
          disabled={run.cancellation !== null}
          onClick={() => setDecision('cancel')}
        >
          {run.cancellation === null ? 'Cancel…' : 'Stopping'}
        </Button>
      )}
      {decision === 'cancel' && <CancelDialog run={run} onClose={() => setDecision(null)} />}
      {decision === 'resync' && <ResyncDialog run={run} onClose={() => setDecision(null)} />}
    </div>
  )
}

const cancelFacts = {
  effect:
    'The transfer stops, here and on the node, and the run says whether the stop was confirmed. Files that are already there stay.',
  undo: 'Resync: what was transferred is not sent again.',
} as const

const cancelAgentFacts = {
  effect:
    'Its agent is asked to stop. It hears that with its next report, stops by itself and says so; a silent agent hears it when it is back. Files that are already there stay.',
  undo: 'The next run of the agent: what was transferred is not sent again.',
} as const

function CancelDialog({ run, onClose }: { readonly run: Run; readonly onClose: () => void }) {
  const cancel = useCancel()
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Cancel this run on ${run.nodeName}?`}
      blastRadius={`1 node, ${run.nodeName}`}
      {...(isAgentRun(run) ? cancelAgentFacts : cancelFacts)}
      confirmLabel="Cancel the run"
      busy={cancel.isPending}
      error={cancel.error === null ? null : toErrorBody(cancel.error)}
      onConfirm={() => cancel.mutate(run.id, { onSuccess: onClose })}
    >
      <CliEquivalent command={`lockstep runs cancel ${run.id}`} />
    </DecisionDialog>
  )
}

function ResyncDialog({ run, onClose }: { readonly run: Run; readonly onClose: () => void }) {
  const resync = useResync()
  const [key] = useState(newIdempotencyKey)
  const done = (started: readonly Run[]): void => {
    onClose()
    if (started[0] !== undefined) navigate(runHash(started[0].id))
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Resync ${run.planName} on ${run.nodeName}?`}
      blastRadius={`1 node, ${run.nodeName}`}
      effect={`Pushes the present revision of ${run.planName} and reads it back. If the node already has it, it is only verified.`}
      undo="Not needed when nothing has changed; otherwise resync an earlier source."
      confirmLabel="Resync"
      busy={resync.isPending}
      error={resync.error === null ? null : toErrorBody(resync.error)}
      onConfirm={() => resync.mutate({ runs: [run], key }, { onSuccess: done })}
    >
      <CliEquivalent
        command={`lockstep push --plan ${shellQuote(run.planName)} --node ${shellQuote(run.nodeName)} --wait`}
      />
    </DecisionDialog>
  )
}

/** Under the track: what happens now, or why it ended as it did. */
function RunNow({ run }: { readonly run: Run }) {
  const progress = useRunProgress(run.id)
  const canceled = cancellationSentence(run)
  return (
    <>
      {run.status === 'running' && progress !== undefined && <RunProgressBar progress={progress} />}
      {run.notBefore !== null && !isFinal(run.status) && <Waiting run={run} until={run.notBefore} />}
      {canceled !== null && (
        <p className={run.cancellation?.stopConfirmed === false ? 'text-error' : 'text-muted'}>{canceled}</p>
      )}
      <HaltPanel run={run} />
      {run.failure !== null && run.status === 'failed' && <Failure run={run} />}
      {run.warnings.map((warning) => (
        <details key={`${warning.code} ${warning.message}`} className="text-pending">
          <summary>{warning.message}</summary>
          <Evidence lines={warning.evidence} />
        </details>
      ))}
    </>
  )
}

function Waiting({ run, until }: { readonly run: Run; readonly until: number }) {
  const now = useNow()
  const leftMs = until - now
  return (
    <p className="text-muted">
      {run.tries > 0 ? `Try ${run.tries} of ${stateWords[run.state]} did not succeed. ` : ''}
      {leftMs > 0 ? `The next one starts in ${formatDuration(leftMs)}.` : 'The next one starts now.'}
    </p>
  )
}

function Failure({ run }: { readonly run: Run }) {
  const [open, setOpen] = useState(false)
  const stopped = stoppedIn(run)
  if (run.failure === null) return null
  return (
    <section aria-label="Why it failed" className="flex flex-col gap-2 rounded-md border border-error bg-surface p-3">
      <p className="flex items-start gap-2">
        <RunMark status="failed" className="mt-1" />
        <span className="min-w-0 flex-1">
          {stopped !== null && <span className="text-faint">{stopped}: </span>}
          {run.failure.sentence}
        </span>
        {run.failure.evidence.length > 0 && (
          <Button size="small" variant="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Hide evidence' : 'Evidence'}
          </Button>
        )}
        <NextStep run={run} />
      </p>
      {open && <Evidence lines={run.failure.evidence} />}
    </section>
  )
}

function ResyncButton({ run, label }: { readonly run: Run; readonly label: string }) {
  const [deciding, setDeciding] = useState(false)
  return (
    <>
      <Button size="small" onClick={() => setDeciding(true)}>
        {label}…
      </Button>
      {deciding && <ResyncDialog run={run} onClose={() => setDeciding(false)} />}
    </>
  )
}

/** The one next step, where this page can take it; the node's drawer has the others. */
function NextStep({ run }: { readonly run: Run }) {
  const action = run.failure?.nextAction
  if (action === undefined || action.kind === 'none' || action.kind === 'wait') return null
  // An agent decides by itself when it runs.
  if (isAgentRun(run) && (action.kind === 'resync' || action.kind === 'open-terminal')) return null
  if (action.kind === 'resync') return <ResyncButton run={run} label={action.label} />
  if (action.kind === 'open-terminal') {
    return (
      <Button size="small" onClick={() => requestTerminal({ nodeId: run.nodeId })}>
        {action.label}
      </Button>
    )
  }
  const target =
    action.kind === 'edit-plan'
      ? formatHash({ view: 'plans', path: [run.planId] })
      : formatHash({ view: 'fleet', query: { node: run.nodeId } })
  return (
    <Button size="small" onClick={() => navigate(target)}>
      {action.label}
    </Button>
  )
}
