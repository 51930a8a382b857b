import type { NodeId } from '../../../shared/model/ids.ts'
import { formatCount, plural } from '../../components/format.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'

const shownNames = 6

interface NodeNamesProps {
  readonly nodes: readonly (readonly [NodeId, string])[]
  readonly plans: number
  readonly runs: number
}

/** Whom a decision reaches: how many, who, and who will not hear of it now. */
export function NodeNames({ nodes, plans, runs }: NodeNamesProps) {
  const total = useReplica((state) => state.nodes.size)
  const fleet = useReplica((state) => state.nodes)
  const silent = nodes.filter(([id]) => fleet.get(id)?.reachability.status === 'unreachable').length
  const more = nodes.length - shownNames
  return (
    <>
      <p className="font-medium">
        {formatCount(nodes.length)} of {plural(total, 'node')}
        {plans > 1 && `, ${plural(plans, 'plan')}, ${plural(runs, 'run')}`}
      </p>
      <p className="text-muted">
        {nodes
          .slice(0, shownNames)
          .map(([, name]) => name)
          .join(', ')}
        {more > 0 && ` and ${formatCount(more)} more`}
      </p>
      {silent > 0 && (
        <p className="text-pending">{plural(silent, 'node does', 'nodes do')} not answer now and will stay pending.</p>
      )}
    </>
  )
}
