import PQueue from 'p-queue'
import { withLogin, withoutLogin } from '../../core/fleet/observe.ts'
import { severityOf } from '../../core/run/severity.ts'
import { knock } from '../../platform/sshKnock.ts'
import { toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { LoginProof } from '../ports.ts'
import type { SchedulerDependencies } from './dependencies.ts'
import { missedItsTurn, needsSync, reconcileKey } from './reconcile.ts'

/** Sockets that wait for a greeting: they cost nothing, and a fleet where a tenth is away is through in seconds. */
const knocksAtOnce = 256
const knockTimeoutMs = 5_000
/** Few: logins share their places with those of runs. */
const loginsAtOnce = 8
const loginTimeoutMs = 10_000
/** An answer that stays the same is written down no more often than this. */
const confirmEveryMs = 300_000

/**
 * Looks whether nodes that could not be reached are back. One that is, and is not in step, gets a run, so that a healed
 * node turns green by itself (S1.7, S1.67). Nobody else waits for those that still do not answer.
 */
export async function probeUnreachable(dependencies: SchedulerDependencies, signal: AbortSignal): Promise<void> {
  const nodes = await dependencies.store.listNodes()
  const lost = nodes.filter(
    (node) => node.reachability.status === 'unreachable' && !node.maintenance && node.transport === 'push',
  )
  const resync = new Resync(dependencies)
  const logins = new PQueue({ concurrency: loginsAtOnce })
  const note = (error: unknown): void =>
    dependencies.logger.warn({ err: toAppError(error) }, 'what a probe found could not be kept')
  const waiting = lost.values()
  const work = async (): Promise<void> => {
    for (const node of waiting) {
      if (signal.aborted) return
      if (await mayBeBack(node, signal))
        void logins.add(() => probe(dependencies, node, { resync, signal }).catch(note))
      else await rememberStillLost(dependencies, node, diagnosisOf(node))
    }
  }
  resync.add(nodes.filter(missedItsTurn))
  await Promise.all(Array.from({ length: Math.min(knocksAtOnce, lost.length) }, work))
  await logins.onIdle()
  await resync.settled()
}

/** Where the login was refused, or its cause is about to change, only a login tells. */
async function mayBeBack(node: FleetNode, signal: AbortSignal): Promise<boolean> {
  const answer = await knock(node, { timeoutMs: knockTimeoutMs, signal })
  const code = diagnosisOf(node)?.code
  return (
    answer !== 'silent' || code === undefined || severityOf(code) !== 'unreachable' || code === 'CONNECTION_REFUSED'
  )
}

const diagnosisOf = ({ reachability }: FleetNode): Diagnosis | null =>
  reachability.status === 'unreachable' ? reachability.diagnosis : null

interface Probe {
  readonly resync: Resync
  readonly signal: AbortSignal
}

async function probe(dependencies: SchedulerDependencies, node: FleetNode, { resync, signal }: Probe): Promise<void> {
  const { sshPool, store, logger } = dependencies
  let proof: LoginProof
  try {
    proof = await sshPool.login(node, { timeoutMs: loginTimeoutMs, fresh: true, signal })
  } catch (error) {
    const diagnosis = Diagnosis.safeParse(toAppError(error).data?.diagnosis)
    if (diagnosis.success && !signal.aborted) await rememberStillLost(dependencies, node, diagnosis.data)
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
  if (seen === null) return
  logger.info({ nodeId: seen.id, node: seen.name }, 'node is back')
  if (needsSync(seen)) resync.add([seen])
}

async function rememberStillLost(
  { store, clock }: SchedulerDependencies,
  { id }: FleetNode,
  diagnosis: Diagnosis | null,
): Promise<void> {
  const nowMs = clock.nowMs()
  const known = (await store.getNode(id))?.reachability
  if (diagnosis === null || known?.status !== 'unreachable') return
  if (known.diagnosis.code === diagnosis.code && nowMs - known.checkedAt < confirmEveryMs) return
  await store.transact(async (transaction) => {
    const node = await transaction.getNode(id)
    if (node?.reachability.status === 'unreachable') await transaction.saveNode(withoutLogin(node, diagnosis, nowMs))
  })
}

/** Registers runs for nodes as they come back; those that come while it does are registered together. */
class Resync {
  readonly #dependencies: SchedulerDependencies
  #waiting: FleetNode[] = []
  #tail: Promise<void> = Promise.resolve()

  constructor(dependencies: SchedulerDependencies) {
    this.#dependencies = dependencies
  }

  add(nodes: readonly FleetNode[]): void {
    if (nodes.length === 0) return
    this.#waiting.push(...nodes)
    this.#tail = this.#tail.then(() => this.#push())
  }

  settled(): Promise<void> {
    return this.#tail
  }

  async #push(): Promise<void> {
    const nodeIds = this.#waiting.map(({ id }) => id)
    this.#waiting = []
    if (nodeIds.length === 0) return
    const { runs, ids, logger } = this.#dependencies
    const request = {
      idempotencyKey: reconcileKey(ids()),
      plans: [],
      targets: { kind: 'ready', nodeIds },
      trigger: 'reconcile',
      requestedBy: 'engine',
    } as const
    // Found again by the next round: they are reachable, and not in step.
    await runs.push(request).catch((error: unknown) => {
      logger.warn({ err: toAppError(error), nodeIds }, 'nodes are back, and their runs could not be registered yet')
    })
  }
}
