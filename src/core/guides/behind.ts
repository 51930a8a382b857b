import type { FleetNode } from '../../shared/model/node.ts'

/** What is not as it should be, plan by plan. */
export const plansBehind = (node: Pick<FleetNode, 'plans'>): string[] =>
  node.plans.flatMap(({ planName, desiredRevision, observed, driftSince }) => {
    if (observed === null) return [`${planName} was never read back`]
    if (observed.revision !== desiredRevision)
      return [`${planName} is at revision ${observed.revision} of ${desiredRevision}`]
    return driftSince === null ? [] : [`${planName} is no longer as it was read back`]
  })

/** Everything was read back and the last try succeeded. */
export const needsNothing = (node: Pick<FleetNode, 'plans' | 'status' | 'reachability'>): boolean =>
  node.status === 'active' && node.reachability.status !== 'unreachable' && plansBehind(node).length === 0
