import { useMemo } from 'react'
import { assertNever } from '../../../../shared/errors.ts'
import type { NodeId } from '../../../../shared/model/ids.ts'
import { isFinal, type Run } from '../../../../shared/model/run.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatBytes, formatDuration, plural } from '../../../components/format.ts'
import { RunMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import {
  isRenewed,
  type RenewOperation,
  type ResyncOperation,
  startRenew,
  startResync,
  useRenewOperation,
  useResyncOperation,
} from '../../../stores/operations.ts'
import { useReplica, useRunProgress } from '../../../stores/ReplicaContext.tsx'
import { formatHash, runHash } from '../../../stores/route.ts'
import { type ResyncState, resyncState } from '../resyncState.ts'

/** The runs of the newest Resync on this node that the replica knows. */
function useResyncRuns(operation: ResyncOperation | undefined, nodeId: NodeId): readonly Run[] {
  const runs = useReplica((state) => state.runs)
  return useMemo(
    () => (operation?.runIds ?? []).flatMap((id) => runs.get(id) ?? []).filter((run) => run.nodeId === nodeId),
    [operation, runs, nodeId],
  )
}

/** Of an operation over many nodes only the runs of this one matter here. */
export function useResyncState(nodeId: NodeId): ResyncState | null {
  const operation = useResyncOperation(nodeId)
  const runs = useResyncRuns(operation, nodeId)
  if (operation === undefined) return null
  if (operation.runIds === null || operation.nodeIds.length === 1) return resyncState(operation, runs)
  return resyncState({ ...operation, runIds: runs.map((run) => run.id) }, runs)
}

/** What came of pressing Resync: done only when the node has proven it. */
export function ResyncNote({ nodeId }: { readonly nodeId: NodeId }) {
  const link = useLink()
  const operation = useResyncOperation(nodeId)
  const state = useResyncState(nodeId)
  if (operation === undefined || state === null) return null
  if (operation.error !== null)
    return (
      <ErrorNote error={operation.error} onRetry={() => void startResync(link, operation)} retryLabel="Ask again" />
    )
  return (
    <div role="status" className="rounded-md border bg-ground px-3 py-2">
      <ResyncWords state={state} />
    </div>
  )
}

function ResyncWords({ state }: { readonly state: ResyncState }) {
  switch (state.status) {
    case 'asking':
    case 'refused':
      return <p className="text-muted">Asking the engine to push…</p>
    case 'nothing':
      return <p>Nothing was pushed: no plan reaches this node.</p>
    case 'working':
      return state.runs.length === 0 ? (
        <p className="text-muted">The push is queued.</p>
      ) : (
        state.runs.map((run) => <RunLine key={run.id} run={run} />)
      )
    case 'verified':
    case 'halted':
    case 'failed':
    case 'canceled':
      return state.runs.map((run) => <RunLine key={run.id} run={run} />)
    default:
      return assertNever(state)
  }
}

function RunLine({ run }: { readonly run: Run }) {
  return (
    <p className="flex flex-wrap items-center gap-x-2">
      <RunMark status={run.status} />
      <a href={runHash(run.id)} className="text-accent underline">
        {run.planName}
      </a>
      <span className="text-muted">
        <RunWords run={run} />
      </span>
    </p>
  )
}

function RunWords({ run }: { readonly run: Run }) {
  const progress = useRunProgress(run.id)
  if (run.proof !== null && run.status === 'succeeded') {
    return (
      <>
        verified on the node, {plural(run.proof.filesVerified, 'file')} read back <Time at={run.proof.verifiedAt} />
      </>
    )
  }
  if (run.status === 'halted') return <>held back: {run.halt?.diagnosis.short ?? 'waits for a person'}</>
  if (run.failure !== null) return <>{run.failure.short}</>
  if (isFinal(run.status)) return <>{run.status}</>
  const words = run.state.toLowerCase().replaceAll('_', ' ')
  if (progress === undefined) return <>{words}</>
  return (
    <>
      {words}, {formatBytes(progress.bytes)}
      {progress.remainingMs !== null && `, ${formatDuration(progress.remainingMs)} left`}
    </>
  )
}

/** What came of pressing Renew: done only when the node let us in with the new certificate. */
export function RenewNote({ nodeId }: { readonly nodeId: NodeId }) {
  const link = useLink()
  const operation = useRenewOperation(nodeId)
  if (operation === undefined) return null
  if (operation.error !== null)
    return <ErrorNote error={operation.error} onRetry={() => void startRenew(link, operation)} retryLabel="Ask again" />
  return (
    <div role="status" className="rounded-md border bg-ground px-3 py-2">
      <RenewWords
        operation={operation}
        nodeId={nodeId}
        onCheck={() => void link.client.nodes.check({ node: nodeId })}
      />
    </div>
  )
}

function RenewWords({
  operation,
  nodeId,
  onCheck,
}: {
  readonly operation: RenewOperation
  readonly nodeId: NodeId
  readonly onCheck: () => void
}) {
  const certificate = useReplica((state) => state.nodes.get(nodeId)?.certificate ?? null)
  const outcome = operation.outcomes?.get(nodeId)
  if (outcome === undefined)
    return (
      <p className="text-muted">
        {operation.outcomes === null ? 'Signing, then logging in with it…' : 'The engine said nothing about this node.'}
      </p>
    )
  if (isRenewed(operation, nodeId, certificate)) {
    return (
      <p>
        <span className="text-in-step">Renewed:</span> the node accepted certificate{' '}
        <a className="text-accent underline" href={formatHash({ view: 'certificates', path: [outcome.serial] })}>
          {outcome.serial}
        </a>
        .
      </p>
    )
  }
  return (
    <p className="flex flex-wrap items-center gap-2">
      <span>
        <span className="text-pending">Issued, not proven:</span> certificate {outcome.serial} was signed, but the node
        has not accepted a login with it.
      </span>
      <Button size="small" onClick={onCheck}>
        Try the login now
      </Button>
    </p>
  )
}
