import { createHash } from 'node:crypto'
import { selectorOf, selects } from '../../core/fleet/assignment.ts'
import { matchesFilter, parseFilter } from '../../core/fleet/filter.ts'
import { nodesAhead } from '../../core/rollout/plan.ts'
import { newRun } from '../../core/run/newRun.ts'
import { AppError } from '../../shared/errors.ts'
import { BatchId, IdempotencyKey, NodeId, PlanId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Run } from '../../shared/model/run.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'
import type { PushRequest, RunServiceDependencies } from './dependencies.ts'

type Registration = Pick<RunServiceDependencies, 'store' | 'clock' | 'ids'>

/** A plan, and a node it selects. */
export interface Assignment {
  readonly plan: Plan
  readonly node: FleetNode
}

/**
 * One run for each plan and node, in one transaction: all are registered or none (S0.58-60). The batch id follows from
 * the key, so that asking again, after a crash too, finds what was registered then (S0.88).
 */
export function registerRuns(
  { store, clock, ids }: Registration,
  request: PushRequest,
): Promise<{ batchId: BatchId; runs: Run[] }> {
  const batchId = batchOf(request.idempotencyKey)
  return store.transact(async (transaction) => {
    const known = await transaction.listRuns({ batchId, limit: 1_000_000 })
    await refuseOtherRequest(transaction, request, batchId)
    if (known.length > 0) return { batchId, runs: known.reverse() }
    const assignments = await withoutOpenRuns(
      transaction,
      await resolveTargets(transaction, request, clock.nowMs()),
      request,
    )
    const runs: Run[] = []
    for (const { plan, node } of assignments) {
      runs.push(
        await transaction.saveRun(
          registeredRun({ plan, node, request, batchId, id: RunId.parse(ids()), nowMs: clock.nowMs() }),
        ),
      )
      // A person gives a node in `error` another chance; it is pending until that chance is taken (D12, S1.69).
      if (request.trigger === 'operator' && node.status === 'error') await leaveError(transaction, node.id)
    }
    await recordPush(transaction, request, { batchId, runs: runs.length, nowMs: clock.nowMs() })
    return { batchId, runs }
  })
}

const requestSetting = (batchId: BatchId): string => `push.request.${batchId}`
const requestHash = ({ plans, targets, force }: PushRequest): string =>
  sha256(JSON.stringify(force === undefined ? [plans, targets] : [plans, targets, 'force']))

/** A key is for one question: with another one it would answer with runs that nobody asked for now. */
async function refuseOtherRequest(transaction: StoreReader, request: PushRequest, batchId: BatchId): Promise<void> {
  const before = await transaction.getSetting(requestSetting(batchId))
  if (before === null || before === requestHash(request)) return
  throw new AppError(
    'CONFLICT',
    'This idempotency key was used for other plans or nodes. Make a new key for a new push.',
    { data: { field: 'idempotencyKey' } },
  )
}

/** What a person asked for stays on record; reconcile asks all the time and leaves its runs. */
async function recordPush(
  transaction: StoreTransaction,
  request: PushRequest,
  { batchId, runs, nowMs }: { readonly batchId: BatchId; readonly runs: number; readonly nowMs: number },
): Promise<void> {
  // A rollout has its own entry, and pushes in waves.
  if (request.trigger !== 'operator' || request.rolloutId !== undefined) return
  await transaction.setSetting(requestSetting(batchId), requestHash(request))
  const { plans, targets, requestedBy: actor } = request
  await transaction.appendAudit([
    { at: nowMs, actor, action: 'run.push', subject: batchId, detail: { plans: [...plans], targets, runs } },
  ])
}

async function leaveError(transaction: StoreTransaction, nodeId: NodeId): Promise<void> {
  const node = await transaction.getNode(nodeId)
  if (node?.status === 'error') await transaction.saveNode({ ...node, status: 'pending_sync' })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A UUID (version 8: made by a rule of ours) that follows from the key alone. */
function batchOf(key: IdempotencyKey): BatchId {
  const hex = sha256(`batch\n${key}`)
  return BatchId.parse(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
  )
}

const mostOpenRollouts = 100

interface Registered extends Assignment {
  readonly request: PushRequest
  readonly batchId: BatchId
  readonly id: RunId
  readonly nowMs: number
}

function registeredRun({ plan, node, request, batchId, id, nowMs }: Registered): Run {
  return newRun({
    id,
    idempotencyKey: IdempotencyKey.parse(sha256(`run\n${request.idempotencyKey}\n${plan.id}\n${node.id}`)),
    batchId,
    planId: plan.id,
    planName: plan.name,
    planKind: plan.kind,
    planRevision: plan.revision,
    nodeId: node.id,
    nodeName: node.name,
    trigger: request.trigger,
    requestedBy: request.requestedBy,
    createdAt: nowMs,
    ...(request.rolloutId === undefined ? {} : { rolloutId: request.rolloutId }),
    ...(request.force === undefined ? {} : { force: request.force }),
  })
}

/**
 * What has changed since is not in what a run already sends, nor in what a halted one asks about: the new run comes after
 * the one, and answers the other. A queued run takes the newest revision when it begins.
 */
const bringsNewContent = ({ trigger }: PushRequest): boolean => trigger === 'repository'

/**
 * Reconcile does not queue behind a run that is already open, and never behind one that waits for a person; nor does it
 * overtake a rollout, whose canaries, pause or failures would mean nothing then. A rollout has its own run on each node.
 */
async function withoutOpenRuns(
  store: StoreReader,
  assignments: readonly Assignment[],
  request: PushRequest,
): Promise<readonly Assignment[]> {
  if (request.trigger === 'operator' || request.rolloutId !== undefined) return assignments
  const open = (await store.listOpenRuns()).filter(({ status }) => status === 'queued' || !bringsNewContent(request))
  const taken = new Set(open.map((run) => `${run.planId} ${run.nodeId}`))
  for (const rollout of await store.listRollouts({ open: true, limit: mostOpenRollouts }))
    for (const { planId } of rollout.plans) for (const nodeId of nodesAhead(rollout)) taken.add(`${planId} ${nodeId}`)
  return assignments.filter(({ plan, node }) => !taken.has(`${plan.id} ${node.id}`))
}

/**
 * The plans and nodes a request means, each plan with the nodes it selects.
 * @throws NOT_FOUND, INVALID_INPUT, PRECONDITION_FAILED, UNSUPPORTED
 */
export async function resolveTargets(
  store: StoreReader,
  request: Pick<PushRequest, 'plans' | 'targets'>,
  nowMs: number,
): Promise<Assignment[]> {
  const { targets } = request
  if (targets.kind === 'ready') return readyAssignments(store, request.plans, new Set(targets.nodeIds))
  const plans = await resolvePlans(store, request.plans)
  if (targets.kind === 'nodes') return namedAssignments(plans, await resolveNodes(store, targets.nodes), request)
  const nodes = await store.listNodes()
  return assigned(plans, targets.kind === 'all' ? nodes : filtered(nodes, targets.filter, nowMs))
}

function assigned(plans: readonly Plan[], nodes: readonly FleetNode[]): Assignment[] {
  const ready = nodes.filter((node) => !node.maintenance && node.transport === 'push')
  return plans.flatMap((plan) => ready.filter(selectorOf(plan)).map((node) => ({ plan, node })))
}

/** What was removed or taken out of service since is left out. */
async function readyAssignments(
  store: StoreReader,
  planIds: readonly string[],
  nodeIds: ReadonlySet<NodeId>,
): Promise<Assignment[]> {
  const all = await store.listPlans()
  const plans = planIds.length === 0 ? all : all.filter(({ id }) => planIds.includes(id))
  return assigned(
    plans,
    (await store.listNodes()).filter(({ id }) => nodeIds.has(id)),
  )
}

async function resolvePlans(store: StoreReader, references: readonly string[]): Promise<Plan[]> {
  if (references.length === 0) return store.listPlans()
  const plans = new Map<PlanId, Plan>()
  for (const reference of references) {
    const id = PlanId.safeParse(reference)
    const plan = (id.success ? await store.getPlan(id.data) : null) ?? (await store.findPlanByName(reference))
    if (plan === null)
      throw new AppError('NOT_FOUND', `There is no plan "${reference}". "lockstep plans list" shows the names.`, {
        data: { plan: reference },
      })
    plans.set(plan.id, plan)
  }
  return [...plans.values()]
}

async function resolveNodes(store: StoreReader, references: readonly string[]): Promise<FleetNode[]> {
  const nodes = new Map<NodeId, FleetNode>()
  for (const reference of references) {
    const id = NodeId.safeParse(reference)
    const node = (id.success ? await store.getNode(id.data) : null) ?? (await store.findNodeByName(reference))
    if (node === null)
      throw new AppError('NOT_FOUND', `There is no node "${reference}". "lockstep nodes list" shows the names.`, {
        data: { node: reference },
      })
    nodes.set(node.id, node)
  }
  return [...nodes.values()]
}

function filtered(nodes: readonly FleetNode[], filter: string, nowMs: number): FleetNode[] {
  const result = parseFilter(filter)
  if (!result.ok) {
    throw new AppError(
      'INVALID_INPUT',
      `The filter does not read: ${result.message} (at character ${result.position + 1}).`,
      { data: { field: 'filter', position: result.position } },
    )
  }
  const matching = nodes.filter((node) => matchesFilter(result.filter, node, nowMs))
  if (matching.length === 0)
    throw new AppError('NOT_FOUND', `No node matches the filter "${filter}".`, { data: { field: 'filter' } })
  return matching
}

/** Who names a node means it: what cannot be done for it is said, not left out. */
function namedAssignments(
  plans: readonly Plan[],
  nodes: readonly FleetNode[],
  request: Pick<PushRequest, 'plans'>,
): Assignment[] {
  const assignments: Assignment[] = []
  for (const node of nodes) {
    refuseUnready(node)
    const selecting = plans.filter((plan) => selects(plan, node))
    const missed = request.plans.length === 0 ? undefined : plans.find((plan) => !selects(plan, node))
    if (missed !== undefined)
      throw notSelected(node, `Plan "${missed.name}" does not select it; its selector is "${missed.selector}".`)
    if (selecting.length === 0) throw notSelected(node, 'No plan selects it.')
    assignments.push(...selecting.map((plan) => ({ plan, node })))
  }
  return assignments
}

function refuseUnready(node: FleetNode): void {
  const data = { node: node.name }
  if (node.maintenance)
    throw new AppError('PRECONDITION_FAILED', `Node "${node.name}" is in maintenance. End the maintenance first.`, {
      data,
    })
  if (node.transport !== 'push')
    throw new AppError(
      'UNSUPPORTED',
      `Node "${node.name}" is served by its agent; nothing can be pushed to it. Run the agent there: lockstep-agent run, or fetch.`,
      {
        data,
      },
    )
}

function notSelected(node: FleetNode, why: string): AppError {
  return new AppError('PRECONDITION_FAILED', `Nothing can be pushed to node "${node.name}". ${why}`, {
    data: { node: node.name },
  })
}
