import { X } from 'lucide-react'
import { useMemo } from 'react'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { isFinal, type Run } from '../../../shared/model/run.ts'
import { Button } from '../../components/Button.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { isRenewed, type RenewOperation, type ResyncOperation } from '../../stores/operations.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash } from '../../stores/route.ts'

interface BatchBarProps {
  readonly operation: ResyncOperation | RenewOperation
  /** Asks for a resync of the nodes where it failed. */
  readonly onResyncFailed: (nodes: readonly FleetNode[]) => void
  /** Renews on these nodes under the key of the operation. */
  readonly onRenewAgain: (operation: RenewOperation, nodeIds: readonly NodeId[]) => void
  readonly onClose: () => void
}

/** What has come of the last press on several nodes. */
export function BatchBar(props: BatchBarProps) {
  return (
    <div
      role="status"
      aria-label="Last action"
      className="absolute bottom-4 left-1/2 z-20 flex -translate-x-1/2 items-center gap-4 rounded-md border border-line-strong bg-raised py-2 pr-2 pl-4 shadow-float"
    >
      {props.operation.kind === 'resync' ? (
        <ResyncCounts {...props} operation={props.operation} />
      ) : (
        <RenewCounts operation={props.operation} onAgain={props.onRenewAgain} />
      )}
      <IconButton label="Close" icon={<X className="size-4" />} onClick={props.onClose} />
    </div>
  )
}

function ResyncCounts({ operation, onResyncFailed }: BatchBarProps & { readonly operation: ResyncOperation }) {
  const known = useReplica((state) => state.runs)
  const nodes = useReplica((state) => state.nodes)
  const runs = useMemo(() => (operation.runIds ?? []).flatMap((id) => known.get(id) ?? []), [operation, known])
  const total = operation.runIds?.length ?? 0
  const verified = runs.filter((run) => run.status === 'succeeded' && run.proof !== null).length
  const failed = runs.filter((run) => isFinal(run.status) && run.status !== 'succeeded')
  const halted = runs.filter((run) => run.status === 'halted').length
  const working = total - verified - failed.length - halted
  const batchId = runs[0]?.batchId
  if (total === 0) return <span>Nothing was pushed: no plan reaches these nodes.</span>
  return (
    <>
      <span>
        Resync: <strong className="font-semibold">{formatCount(verified)}</strong> of {plural(total, 'run')} verified
        {working > 0 && <span className="text-muted">, {formatCount(working)} working</span>}
        {halted > 0 && <span className="text-halted">, {formatCount(halted)} held back</span>}
        {failed.length > 0 && <span className="text-error">, {formatCount(failed.length)} not</span>}
      </span>
      {batchId !== undefined && (
        <a className="text-accent hover:underline" href={formatHash({ view: 'runs', path: ['batch', batchId] })}>
          See the runs
        </a>
      )}
      {failed.length > 0 && (
        <Button size="small" onClick={() => onResyncFailed(nodesOf(failed, nodes))}>
          Resync the {plural(new Set(failed.map((run) => run.nodeId)).size, 'failed one')}…
        </Button>
      )}
    </>
  )
}

const nodesOf = (runs: readonly Run[], nodes: ReadonlyMap<FleetNode['id'], FleetNode>): readonly FleetNode[] =>
  [...new Set(runs.map((run) => run.nodeId))].flatMap((id) => nodes.get(id) ?? [])

const namedFailures = 3

/** Those that are not proven by name; asked again, the others are left alone. */
function RenewCounts({
  operation,
  onAgain,
}: {
  readonly operation: RenewOperation
  readonly onAgain: BatchBarProps['onRenewAgain']
}) {
  const nodes = useReplica((state) => state.nodes)
  const open = operation.nodeIds.filter((id) => !isRenewed(operation, id, nodes.get(id)?.certificate ?? null))
  const names = open.slice(0, namedFailures).map((id) => nodes.get(id)?.name ?? id)
  return (
    <>
      <span>
        Renew: <strong className="font-semibold">{formatCount(operation.nodeIds.length - open.length)}</strong> of{' '}
        {plural(operation.nodeIds.length, 'certificate')} accepted by its node
        {open.length > 0 && (
          <span className="text-pending">
            , not proven on {names.join(', ')}
            {open.length > names.length && ` and ${formatCount(open.length - names.length)} more`}
          </span>
        )}
      </span>
      {open.length > 0 && (
        <Button size="small" onClick={() => onAgain(operation, open)}>
          Try again
        </Button>
      )}
    </>
  )
}
