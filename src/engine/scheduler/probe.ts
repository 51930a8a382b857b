import { withLogin, withoutLogin } from '../../core/fleet/observe.ts'
import { toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { LoginProof, Store } from '../ports.ts'
import type { SchedulerDependencies } from './dependencies.ts'
import { missedItsTurn, needsSync, reconcileKey } from './reconcile.ts'

const probesAtOnce = 16
const probeTimeoutMs = 10_000
/** An answer that stays the same is written down no more often than this. */
const confirmEveryMs = 300_000

/**
 * Tries to log in to every node that could not be reached. One that is back and not in step gets a run, so that a
 * healed node turns green by itself (S1.7, S1.67).
 */
export async function probeUnreachable(dependencies: SchedulerDependencies): Promise<void> {
  const nodes = await dependencies.store.listNodes()
  const lost = nodes.filter(
    (node) => node.reachability.status === 'unreachable' && !node.maintenance && node.transport === 'push',
  )
  const waiting = lost.values()
  const work = async (): Promise<void> => {
    for (const node of waiting) await probe(dependencies, node)
  }
  await Promise.all(Array.from({ length: Math.min(probesAtOnce, lost.length) }, work))
  for (const node of nodes.filter(missedItsTurn)) await resync(dependencies, node)
}

async function probe(dependencies: SchedulerDependencies, node: FleetNode): Promise<void> {
  const { sshPool, store, clock } = dependencies
  let proof: LoginProof
  try {
    proof = await sshPool.login(node, { timeoutMs: probeTimeoutMs, fresh: true })
  } catch (error) {
    const diagnosis = Diagnosis.safeParse(toAppError(error).data?.diagnosis)
    if (diagnosis.success)
      await rememberStillLost({ store, nodeId: node.id, diagnosis: diagnosis.data, nowMs: clock.nowMs() })
    return
  }
  const seen = await store.transact(async (transaction) => {
    const current = await transaction.getNode(node.id)
    if (current === null) return null
    const certificate = current.certificate?.serial === proof.certificateSerial ? current.certificate : null
    const back = withLogin(current, { at: proof.at, clockSkewMs: proof.clockSkewMs, certificate })
    await transaction.saveNode(back)
    return back
  })
  if (seen !== null && needsSync(seen)) await resync(dependencies, seen)
}

interface StillLost {
  readonly store: Store
  readonly nodeId: NodeId
  readonly diagnosis: Diagnosis
  readonly nowMs: number
}

async function rememberStillLost({ store, nodeId, diagnosis, nowMs }: StillLost): Promise<void> {
  await store.transact(async (transaction) => {
    const node = await transaction.getNode(nodeId)
    if (node?.reachability.status !== 'unreachable') return
    const { checkedAt, diagnosis: before } = node.reachability
    if (before.code === diagnosis.code && nowMs - checkedAt < confirmEveryMs) return
    await transaction.saveNode(withoutLogin(node, diagnosis, nowMs))
  })
}

async function resync({ runs, ids, logger }: SchedulerDependencies, node: FleetNode): Promise<void> {
  logger.info({ nodeId: node.id, node: node.name }, 'node is back')
  const targets = { kind: 'nodes' as const, nodes: [node.id] }
  await runs.push({
    idempotencyKey: reconcileKey(ids()),
    plans: [],
    targets,
    trigger: 'reconcile',
    requestedBy: 'engine',
  })
}
