import type { RunEvent } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { overlapsFor } from '../../core/transfer/nodePaths.ts'
import { overlaps } from '../../core/transfer/paths.ts'
import { assertNever } from '../../shared/errors.ts'
import { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Run, RunState } from '../../shared/model/run.ts'
import type { HeldLock, StaticKeyIdentity, StoreTransaction } from '../ports.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import { type LockTarget, outcomeOf, type PlanExecutor, type StepContext, type StepOutcome } from './executor.ts'

/** How long a run waits for a lock before it looks again by itself; a release wakes it at once. */
const lockPollMs = 30_000
const usualRuns = 20

type StepDependencies = Pick<RunServiceDependencies, 'store' | 'clock' | 'identities' | 'config'>

interface Work {
  readonly dependencies: StepDependencies
  readonly executor: PlanExecutor<unknown>
  readonly memory: unknown
  readonly context: StepContext
}

/** Does the work of one state. Never rejects: what is thrown becomes the outcome. ACQUIRE_LOCK is {@link takeLocks}. */
export async function doState(state: Exclude<RunState, 'ACQUIRE_LOCK' | 'FAILED'>, work: Work): Promise<StepOutcome> {
  try {
    return await workOf(state, work)
  } catch (error) {
    return outcomeOf(diagnosisOf(error))
  }
}

function workOf(state: Exclude<RunState, 'ACQUIRE_LOCK' | 'FAILED'>, work: Work): Promise<StepOutcome> {
  const { executor, memory, context } = work
  switch (state) {
    case 'INIT':
      return init(context)
    case 'ENSURE_CERT':
      return ensureCertificate(work)
    case 'REGISTER_RUN':
      return checkRegistration(work)
    case 'PRE_FLIGHT_CHECK':
      return executor.preflight(context, memory)
    case 'PUSH_SYNC':
      return executor.push(context, memory)
    case 'PULL_SYNC':
      return executor.pull(context, memory)
    case 'VERIFY':
      return executor.verify(context, memory)
    case 'REPORT':
      return report(work)
    case 'FINALIZE':
      return finalize(work)
    default:
      return assertNever(state)
  }
}

async function init({ run, plan, node, log }: StepContext): Promise<StepOutcome> {
  log(
    `run ${run.id}: plan "${plan.name}" revision ${plan.revision} on ${node.name}, asked for by ${run.requestedBy} (${run.trigger})`,
  )
  return { kind: 'done' }
}

/** A certificate that outlives what such a run usually takes, not only the moment of the login (S0.45, N2). */
async function ensureCertificate({ dependencies, context }: Work): Promise<StepOutcome> {
  return haveCertificate(dependencies, context, 2 * (await usualDurationMs(dependencies, context.run)))
}

/** ENSURE_CERT for a run that takes up to `enoughMs`. */
export async function haveCertificate(
  { identities, config }: Pick<StepDependencies, 'identities' | 'config'>,
  { run, node, log }: Pick<StepContext, 'node' | 'log'> & { readonly run: Pick<Run, 'id'> },
  enoughMs: number,
): Promise<StepOutcome> {
  const wantedMs = Math.max(config.certificate.minValidSeconds * 1000, enoughMs)
  const minValidMs = Math.min(wantedMs, config.certificate.lifetimeSeconds * 900)
  const identity = await identities.ensure(node, 'automation', { minValidMs, enoughMs, reason: `run ${run.id}` })
  if (identity.kind === 'static-key') return takeStaticKey(identity, log)
  const { certificate } = identity
  log(
    `certificate ${certificate.serial} for ${certificate.principals.join(', ')}, valid until ${new Date(certificate.validBefore).toISOString()}`,
  )
  const { serial, authorityFingerprint, validAfter, validBefore } = certificate
  const learned = (before: FleetNode): FleetNode =>
    before.certificate?.serial === serial
      ? before
      : { ...before, certificate: { serial, authorityFingerprint, validAfter, validBefore, acceptedAt: null } }
  return { kind: 'done', patch: { certificateSerial: serial }, learned }
}

/** It was read and may be used; there is no certificate to make sure of, so the state is left out (D9). */
function takeStaticKey({ fingerprint, keyFile }: StaticKeyIdentity, log: StepContext['log']): StepOutcome {
  log(`static key ${fingerprint} (${keyFile}), nothing to renew`)
  return { kind: 'skipped', patch: { staticKey: fingerprint } }
}

/** 95th percentile of the last successful runs; 0 without history. */
async function usualDurationMs({ store }: StepDependencies, run: Run): Promise<number> {
  const runs = await store.listRuns({
    planId: run.planId,
    nodeId: run.nodeId,
    statuses: ['succeeded'],
    limit: usualRuns,
  })
  const durations = runs.map((past) => past.summary?.durationMs ?? 0).sort((left, right) => left - right)
  return durations[Math.ceil(durations.length * 0.95) - 1] ?? 0
}

/** Nothing is done without a run id that the store knows under our key (S0.58-60, S0.87). */
async function checkRegistration({ dependencies, context }: Work): Promise<StepOutcome> {
  const { run, log } = context
  const registered = await dependencies.store.findRunByKey(run.idempotencyKey)
  if (registered?.id !== run.id) throw new Error(`run ${run.id} is not registered under its key`)
  log(`registered as ${run.id}`)
  return { kind: 'done' }
}

/** Times and volume (S0.76-78). */
async function report({ dependencies, context }: Work): Promise<StepOutcome> {
  const { run, log } = context
  const summary = summaryOf(run, dependencies.clock.nowMs())
  log(
    `${summary.filesTransferred} of ${summary.filesTotal} files sent, ${summary.filesDeleted} deleted, ${summary.bytesTransferred} bytes on the wire, ${summary.durationMs} ms`,
  )
  return { kind: 'done', patch: { summary } }
}

/** What the run has counted, and how long it has taken until now. */
export function summaryOf(run: Run, nowMs: number): NonNullable<Run['summary']> {
  const nothing = { filesTotal: 0, filesTransferred: 0, filesDeleted: 0, bytesTotal: 0, bytesTransferred: 0 }
  return { ...(run.summary ?? nothing), durationMs: Math.max(0, nowMs - (run.startedAt ?? run.createdAt)) }
}

async function finalize({ executor, memory, context }: Work): Promise<StepOutcome> {
  try {
    await executor.cleanUp(context, memory)
  } catch (error) {
    context.log(`clean-up failed, which does no harm: ${diagnosisOf(error).sentence}`)
  }
  return { kind: 'done' }
}

/** In the place of a node in the lock table: directories of this machine, which runs for any node may want. */
const hereId = NodeId.parse('00000000-0000-0000-0000-000000000000')

async function locksAt(transaction: StoreTransaction, places: ReadonlySet<NodeId>): Promise<HeldLock[]> {
  const locks: HeldLock[] = []
  for (const nodeId of places) {
    // Nearly always there are none, and that is cheaper to ask.
    if (await transaction.isLocked(nodeId)) locks.push(...(await transaction.listLocks(nodeId)))
  }
  return locks
}

interface LockRequest {
  readonly targets: readonly LockTarget[]
  readonly nowMs: number
  log(text: string): void
}

/**
 * ACQUIRE_LOCK, inside the transaction that commits its outcome: a lock and the state that says so appear together
 * (S0.46, D37). Directories inside one another exclude each other too.
 */
export async function takeLocks(
  transaction: StoreTransaction,
  run: Run,
  { targets, nowMs, log }: LockRequest,
): Promise<RunEvent | null> {
  if (run.status !== 'running' || run.cancellation !== null) return null
  const wanted = targets.map(({ where, directory }) => ({
    nodeId: where === 'here' ? hereId : run.nodeId,
    target: directory,
  }))
  const locks = await locksAt(transaction, new Set(wanted.map(({ nodeId }) => nodeId)))
  // One directory may be spelled in two ways, below the home of the login user and absolute.
  const user = locks.length === 0 ? '' : ((await transaction.getNode(run.nodeId))?.user ?? '')
  const isSamePlace = (lock: HeldLock, target: string): boolean =>
    lock.nodeId === hereId ? overlaps(target, lock.target) : overlapsFor(user, target, lock.target)
  const inTheWay = locks.find(
    (lock) =>
      lock.runId !== run.id && wanted.some(({ nodeId, target }) => nodeId === lock.nodeId && isSamePlace(lock, target)),
  )
  if (inTheWay !== undefined) {
    log(
      `waiting: ${inTheWay.target} is locked by run ${inTheWay.runId} since ${new Date(inTheWay.acquiredAt).toISOString()}`,
    )
    return { kind: 'stepWaiting', untilMs: nowMs + lockPollMs }
  }
  for (const { nodeId, target } of wanted) {
    const taken = await transaction.acquireLock({ nodeId, target, runId: run.id, acquiredAt: nowMs })
    if (!taken) throw new Error(`${target} is locked although no lock is listed`)
  }
  log(
    `locked ${targets.map(({ where, directory }) => (where === 'here' ? `${directory} here` : directory)).join(', ')}`,
  )
  return { kind: 'stepDone' }
}
