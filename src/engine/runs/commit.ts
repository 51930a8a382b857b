import { inDoubt } from '../../core/fleet/drift.ts'
import { directoryOn } from '../../core/repository/places.ts'
import { overwrittenBy } from '../../core/run/causes.ts'
import { type RunEvent, type Transition, transition } from '../../core/run/machine.ts'
import { severityOf } from '../../core/run/severity.ts'
import { overlapsFor } from '../../core/transfer/nodePaths.ts'
import { normalizedRemoteDirectory } from '../../core/transfer/paths.ts'
import { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { PlanId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan, PlanOf } from '../../shared/model/plan.ts'
import type { Run } from '../../shared/model/run.ts'
import type { OpenRun, StoreTransaction } from '../ports.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import type { NodeLesson } from './executor.ts'
import { settleNode, wrote } from './settle.ts'

export type CommitDependencies = Pick<RunServiceDependencies, 'store' | 'logs' | 'clock' | 'config'>

export interface CommitOptions {
  readonly learned?: NodeLesson
  /** Facts the run takes on before the transition, such as the plan revision an attempt works on. */
  readonly prepare?: (run: Run) => Run
}

/** Decides the event inside the transaction; null for none. */
export type EventSource = RunEvent | ((transaction: StoreTransaction, run: Run) => Promise<RunEvent | null>)

/**
 * Makes one event of a run durable, together with everything that must agree with it: the node, its locks, older
 * halted runs. Effects on the outside come after; they are returned.
 */
export async function commitEvent(
  dependencies: CommitDependencies,
  runId: RunId,
  source: EventSource,
  options: CommitOptions = {},
): Promise<Transition> {
  const logBytes = await dependencies.logs.sizeBytes(runId).catch(() => 0)
  return dependencies.store.transact(async (transaction) => {
    const stored = await transaction.getRun(runId)
    if (stored === null) throw new AppError('NOT_FOUND', `There is no run ${runId}.`, { data: { runId } })
    const event = typeof source === 'function' ? await source(transaction, stored) : source
    const before = options.prepare?.(stored) ?? stored
    const next =
      event === null ? { run: before, effects: [] } : transition(before, event, { nowMs: dependencies.clock.nowMs() })
    if (next.run === stored) {
      await learn(transaction, stored, options.learned)
      return next
    }
    const run = await transaction.saveRun({ ...next.run, logBytes: Math.max(next.run.logBytes, logBytes) })
    await bringNodeUpToDate({ dependencies, transaction, run, effects: next.effects, ...options })
    return { run, effects: next.effects }
  })
}

async function learn(transaction: StoreTransaction, run: Run, learned: NodeLesson | undefined): Promise<void> {
  const node = learned === undefined ? null : await transaction.getNode(run.nodeId)
  if (node !== null && learned !== undefined) await transaction.saveNode(learned(node))
}

interface Update extends CommitOptions {
  readonly dependencies: CommitDependencies
  readonly transaction: StoreTransaction
  readonly run: Run
  readonly effects: Transition['effects']
}

/** Brings the node in line with a run that was saved in the same transaction. */
export async function bringNodeUpToDate(update: Update): Promise<void> {
  const { transaction, run, effects, learned } = update
  if (effects.some((effect) => effect.kind === 'releaseLock')) await transaction.releaseLocks(run.id)
  const settles = effects.some((effect) => effect.kind === 'settle')
  const before = await transaction.getNode(run.nodeId)
  // While it runs it is the one that works on the node, and what else is halted there stays so.
  const isClear = run.status === 'running' && before?.haltedRunId !== run.id
  let open: readonly OpenRun[] | null = isClear ? null : await transaction.openRunsOf(run.nodeId)
  if (open !== null && settles && (run.status === 'succeeded' || run.status === 'halted'))
    open = await replaceOlderHalts(update, open)
  // A node can be removed while its last run ends.
  if (before === null) return
  let node = learned?.(before) ?? before
  if (settles) node = await settled(node, update)
  node = await withLiveFacts(node, update, open)
  if (JSON.stringify(node) !== JSON.stringify(before))
    await transaction.saveNode({ ...node, updatedAt: before.updatedAt })
}

async function settled(node: FleetNode, update: Update): Promise<FleetNode> {
  const { dependencies, run, transaction } = update
  const overwritten = await plansOverwrittenBy(run, node, transaction)
  const nowMs = dependencies.clock.nowMs()
  const plans = node.plans.map((plan) =>
    overwritten.has(plan.planId) ? inDoubt(plan, overwrittenBy(node, plan.planName, run.planName), nowMs) : plan,
  )
  return settleNode({ ...node, plans }, run, {
    nowMs,
    errorAfterFailures: dependencies.config.errorAfterFailures,
    otherFailures: run.status === 'succeeded' ? await failuresOfOtherPlans(node, update) : [],
    cycleAlreadyFailed: run.status === 'failed' && (await cycleAlreadyFailed(node, update)),
  })
}

async function failuresOfOtherPlans(node: FleetNode, { run, transaction }: Update): Promise<Diagnosis[]> {
  const failures: Diagnosis[] = []
  for (const plan of node.plans) {
    if (plan.planId === run.planId || plan.lastRunId === null) continue
    const last = await transaction.getRun(plan.lastRunId)
    if (last?.status === 'failed' && last.failure !== null) failures.push(last.failure)
  }
  return failures
}

async function cycleAlreadyFailed({ id }: FleetNode, { run, transaction }: Update): Promise<boolean> {
  // A node that was not reached is not counted, so nobody asks.
  if (run.failure === null || severityOf(run.failure.code) === 'unreachable') return false
  const query = { nodeId: id, batchId: run.batchId, statuses: ['failed'], limit: 2 } as const
  return (await transaction.listRuns(query)).some((other) => other.id !== run.id)
}

/** Other plans of the node that were proven where this run has written: their proof is void. */
async function plansOverwrittenBy(run: Run, node: FleetNode, transaction: StoreTransaction): Promise<Set<PlanId>> {
  const overwritten = new Set<PlanId>()
  const others = node.plans.filter(({ planId, observed }) => planId !== run.planId && observed !== null)
  const isOverwritten = others.length === 0 ? null : overwriting(run, node, await transaction.getPlan(run.planId))
  if (isOverwritten === null) return overwritten
  for (const { planId, observed } of others) {
    const other = await transaction.getPlan(planId)
    if (other !== null && isOverwritten(other, observed?.digest ?? '')) overwritten.add(planId)
  }
  return overwritten
}

/** Whether the proof of another plan, of what has this digest, cannot hold any more; null when the run changes nothing. */
function overwriting(run: Run, node: FleetNode, plan: Plan | null): ((other: Plan, digest: string) => boolean) | null {
  if (plan?.kind === 'routes' || plan?.kind === 'hosts') return overwritingFile(run, node, plan)
  const { filesTransferred, filesDeleted } = run.summary ?? { filesTransferred: 1, filesDeleted: 0 }
  const written = writtenDirectory(plan, node)
  if (written === undefined || !wrote(run)) return null
  if (run.status === 'succeeded' && filesTransferred + filesDeleted === 0) return null
  // A tree takes a directory for itself.
  const target = normalizedRemoteDirectory(written)
  return (other) =>
    provenPaths(other, node).some(
      (directory) => directory !== undefined && overlapsFor(node.user, target, normalizedRemoteDirectory(directory)),
    )
}

/** Of two plans for one file the later one is right: what it read back there is not what the other one wants. */
function overwritingFile(run: Run, { user }: FleetNode, { spec }: PlanOf<'routes'> | PlanOf<'hosts'>) {
  const proven = run.status === 'succeeded' ? (run.proof?.digest ?? null) : null
  if (proven === null && !wrote(run)) return null
  const file = normalizedRemoteDirectory(spec.file)
  return (other: Plan, digest: string): boolean =>
    (other.kind === 'routes' || other.kind === 'hosts') &&
    overlapsFor(user, normalizedRemoteDirectory(other.spec.file), file) &&
    digest !== proven
}

/** What a plan takes for itself on the node. */
function writtenDirectory(plan: Plan | null, node: FleetNode): string | undefined {
  if (plan?.kind === 'repository') return directoryOn(plan.spec, node.name)
  return plan?.kind === 'tree' ? plan.spec.push?.target : undefined
}

/** What was read back on the node for this plan: directories of a tree, files of the registry. */
function provenPaths(plan: Plan, node: FleetNode): (string | undefined)[] {
  if (plan.kind === 'repository') return [directoryOn(plan.spec, node.name)]
  if (plan.kind === 'tree') return [plan.spec.push?.target, plan.spec.pull?.source]
  return plan.kind === 'routes' || plan.kind === 'hosts' ? [plan.spec.file] : []
}

/** Which run works on the node, which one waits for a person, and whether something is locked. */
async function withLiveFacts(
  node: FleetNode,
  { dependencies, transaction, run }: Update,
  open: readonly OpenRun[] | null,
): Promise<FleetNode> {
  const running = run.status === 'running' ? run.id : null
  const newest = (status: OpenRun['status']): RunId | null =>
    open?.findLast((other) => other.status === status && (status === 'halted' || other.id !== run.id))?.id ?? null
  return {
    ...node,
    activeRunId: running ?? newest('running'),
    haltedRunId: open === null ? node.haltedRunId : newest('halted'),
    // The lock of an agent lies on its own machine.
    locked: node.transport === 'poll' ? node.locked : await transaction.isLocked(node.id),
    lastAttemptAt: running === null || node.activeRunId === run.id ? node.lastAttemptAt : dependencies.clock.nowMs(),
  }
}

/** A later run of the same plan has answered the question an older one waits with. @returns those still open */
async function replaceOlderHalts(
  { dependencies, transaction, run }: Update,
  open: readonly OpenRun[],
): Promise<readonly OpenRun[]> {
  const isReplaced = (older: OpenRun): boolean =>
    older.status === 'halted' && older.planId === run.planId && older.id !== run.id
  for (const { id } of open.filter(isReplaced)) {
    const older = await transaction.getRun(id)
    if (older === null) continue
    const canceled = transition(
      older,
      { kind: 'cancelRequested', by: `engine: replaced by run ${run.id}` },
      { nowMs: dependencies.clock.nowMs() },
    )
    await transaction.saveRun(canceled.run)
  }
  return open.filter((each) => !isReplaced(each))
}
