import { assertNever } from '../../shared/errors.ts'
import type { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { NodeOutcome } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'
import { severityOf } from '../run/severity.ts'

/** How a run counts for the rollout it is part of; null while it works. One that waits for a person has not succeeded. */
export function outcomeOfRun({ status, failure }: Pick<Run, 'status' | 'failure'>): NodeOutcome | null {
  switch (status) {
    case 'queued':
    case 'running':
      return null
    case 'succeeded':
    case 'canceled':
      return status
    case 'halted':
      return 'failed'
    case 'failed':
      return failure !== null && severityOf(failure.code) === 'unreachable' ? 'unreachable' : 'failed'
    default:
      return assertNever(status)
  }
}

const worstFirst = ['failed', 'unreachable', 'canceled', 'succeeded'] as const satisfies readonly NodeOutcome[]

/** Of a node with runs for several plans: the worst, and null while one works. Without a run nothing was done. */
export function outcomeOfNode(outcomes: readonly (NodeOutcome | null)[]): NodeOutcome | null {
  if (outcomes.includes(null)) return null
  return worstFirst.find((outcome) => outcomes.includes(outcome)) ?? 'canceled'
}

/** The newest run of each plan on each node, in the order given. @param runs newest first */
export function newestRuns(runs: readonly Run[]): Run[] {
  const seen = new Set<string>()
  const keyOf = ({ planId, nodeId }: { readonly planId: PlanId; readonly nodeId: NodeId }) => `${planId} ${nodeId}`
  return runs.filter((run) => {
    const known = seen.has(keyOf(run))
    seen.add(keyOf(run))
    return !known
  })
}

/** How it stands with each node that has a run. */
export function outcomesByNode(runs: readonly Run[]): Map<NodeId, NodeOutcome | null> {
  const byNode = new Map<NodeId, (NodeOutcome | null)[]>()
  for (const run of runs) {
    const outcomes = byNode.get(run.nodeId)
    if (outcomes === undefined) byNode.set(run.nodeId, [outcomeOfRun(run)])
    else outcomes.push(outcomeOfRun(run))
  }
  return new Map([...byNode].map(([nodeId, outcomes]) => [nodeId, outcomeOfNode(outcomes)]))
}
