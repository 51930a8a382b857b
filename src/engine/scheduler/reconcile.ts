import { severityOf } from '../../core/run/severity.ts'
import { IdempotencyKey } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SchedulerDependencies } from './dependencies.ts'

/** When the next cycle is due. A clock that was set back does not push it away further than one interval. */
export function nextDueMs(plannedMs: number, nowMs: number, intervalMs: number): number {
  return Math.min(plannedMs, nowMs + intervalMs)
}

/** Every plan to every node it selects, not only to pending ones (S1.38); a run that finds nothing to do only verifies (D14). */
export async function registerReconcile({
  store,
  identities,
  runs,
  ids,
  logger,
}: SchedulerDependencies): Promise<number> {
  const nodes = (await store.listNodes()).filter(
    (node) => !node.maintenance && node.transport === 'push' && node.plans.length > 0,
  )
  if (nodes.length === 0) return 0
  const pending = nodes.filter((node) => node.status !== 'active').length
  if (pending > 0) logger.info({ pending }, `Found ${pending} pending nodes, retrying...`)
  // One signing batch instead of one signature for each run.
  await identities.ensureMany(nodes, 'automation', { reason: 'reconcile' })
  const request = { plans: [], targets: { kind: 'all' }, trigger: 'reconcile', requestedBy: 'engine' } as const
  const { runs: registered } = await runs.push({ ...request, idempotencyKey: reconcileKey(ids()) })
  logger.info({ runs: registered.length, nodes: nodes.length }, 'reconcile cycle')
  return registered.length
}

export const reconcileKey = (id: string): IdempotencyKey => IdempotencyKey.parse(`reconcile.${id}`)

/**
 * True when a run gave a node up as unreachable that another one found there: while sshd reads its configuration again
 * it listens to nobody, and who came at that moment has missed its turn.
 */
export function missedItsTurn(node: FleetNode): boolean {
  const { reachability, statusReason, activeRunId, transport, maintenance } = node
  if (transport !== 'push' || maintenance || activeRunId !== null || reachability.status !== 'reachable') return false
  return statusReason !== null && severityOf(statusReason.code) === 'unreachable' && needsSync(node)
}

/** True while something that should be on the node was not read back from it. */
export function needsSync(node: FleetNode): boolean {
  if (node.plans.length === 0 || node.haltedRunId !== null) return false
  return (
    node.status !== 'active' ||
    node.plans.some((plan) => plan.observed?.revision !== plan.desiredRevision || plan.driftSince !== null)
  )
}
