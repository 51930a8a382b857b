import { isForgotten, withContact } from '../../core/fleet/agentPresence.ts'
import { runCause } from '../../core/run/causes.ts'
import { newRun } from '../../core/run/newRun.ts'
import { isOutdated, reportFlaws, withReport, withSilence } from '../../core/run/reportCheck.ts'
import type { IdSource } from '../../platform/ids.ts'
import type {
  LogResponse,
  RegisterRequest,
  RegisterResponse,
  StateRequest,
  StateResponse,
} from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { type AgentId, BatchId, type IdempotencyKey, type NodeId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import { isFinal, type Run } from '../../shared/model/run.ts'
import { ensureAgentPlan } from '../fleet/agentPlans.ts'
import type { LogStore, Store, StoreTransaction } from '../ports.ts'
import { bringNodeUpToDate } from './commit.ts'
import type { RunServiceDependencies } from './dependencies.ts'

export interface AgentRunDependencies extends Pick<RunServiceDependencies, 'clock' | 'config'> {
  readonly store: Store
  readonly logs: LogStore
  readonly ids: IdSource
  /** Of one run, in bytes; what comes after is dropped. Default 256 MiB. */
  readonly maxLogBytes?: number
}

/** Runs that agents do by themselves and report here. A run belongs to its agent: for others there is none. */
export interface AgentRuns {
  /**
   * The run of this key: the one there is, or a new one (S0.58-60, S0.88). `isNew` says which.
   * @throws CONFLICT for a key that somebody else used
   */
  register(
    agent: Agent,
    key: IdempotencyKey,
    request: RegisterRequest,
  ): Promise<{ readonly response: RegisterResponse; readonly isNew: boolean }>
  /** What became of the run, with the node and its plan in one transaction. @throws NOT_FOUND, INVALID_INPUT */
  report(agent: Agent, runId: RunId, request: StateRequest): Promise<StateResponse>
  /** Bytes of its log from `offset` on; what is here already is skipped, after a gap nothing is taken. */
  appendLog(
    agent: Agent,
    runId: RunId,
    piece: { readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<LogResponse>
  /** Nothing is heard of the agent: its node is not reachable, its attempts are interrupted, its runs stay open. */
  silenced(agentId: AgentId, diagnosis: Diagnosis): Promise<void>
  /** Ends runs that an agent, which is there and idle, does not know any more. @returns their ids */
  endForgotten(lastSeenAt: (agentId: AgentId) => number | null): Promise<RunId[]>
  /** Ends its open runs inside of a transaction that takes the agent away. */
  abandon(transaction: StoreTransaction, agent: Agent, by: string): Promise<void>
}

const defaultMaxLogBytes = 256 * 1024 * 1024

export function createAgentRuns(dependencies: AgentRunDependencies): AgentRuns {
  const { store, logs, clock, ids, maxLogBytes = defaultMaxLogBytes } = dependencies
  const appending = new Map<RunId, Promise<unknown>>()

  async function register(agent: Agent, key: IdempotencyKey, request: RegisterRequest) {
    const registered = await store.transact(async (transaction) => {
      await refuseRevoked(transaction, agent)
      const known = await transaction.findRunByKey(key)
      if (known !== null) return { run: await ownRun(transaction, agent, known), isNew: false }
      const node = await agentNode(transaction, agent)
      await refuseTooMany(transaction, agent)
      const nowMs = clock.nowMs()
      refuseStrangeStart(request.startedAt, nowMs)
      const planned = await ensureAgentPlan(transaction, node, { spec: request.spec, nowMs })
      if (planned.node !== node) await transaction.saveNode(planned.node)
      const run = await transaction.saveRun(
        registeredRun({ agent, key, request, node: planned.node, plan: planned.plan, nowMs }),
      )
      await transaction.saveAgentRun({ runId: run.id, agentId: agent.id, sequence: 0, lastReportAt: nowMs })
      await settle(transaction, run, { agent, isOver: false })
      return { run, isNew: true }
    })
    const logBytes = await logs.sizeBytes(registered.run.id)
    return { response: { run: registered.run, logBytes }, isNew: registered.isNew }
  }

  /** @throws CONFLICT; who else used the key is not said */
  async function ownRun(transaction: StoreTransaction, agent: Agent, run: Run): Promise<Run> {
    const record = await transaction.getAgentRun(run.id)
    if (record?.agentId === agent.id) return run
    throw new AppError('CONFLICT', 'This idempotency key was used by somebody else. Make a new key for a new run.', {
      data: { field: 'key' },
    })
  }

  interface Registered {
    readonly agent: Agent
    readonly key: IdempotencyKey
    readonly request: RegisterRequest
    readonly node: FleetNode
    readonly plan: PlanOf<'agent'>
    readonly nowMs: number
  }

  function registeredRun({ key, request, node, plan, nowMs }: Registered): Run {
    const run = newRun({
      id: RunId.parse(ids()),
      idempotencyKey: key,
      batchId: BatchId.parse(ids()),
      planId: plan.id,
      planName: plan.name,
      planKind: 'agent',
      planRevision: plan.revision,
      nodeId: node.id,
      nodeName: node.name,
      trigger: 'agent',
      requestedBy: request.requestedBy,
      createdAt: nowMs,
    })
    return { ...run, status: 'running', state: 'REGISTER_RUN', startedAt: request.startedAt }
  }

  async function report(agent: Agent, runId: RunId, { sequence, run: reported }: StateRequest): Promise<StateResponse> {
    const logBytes = await logs.sizeBytes(runId).catch(() => 0)
    return store.transact(async (transaction) => {
      await refuseRevoked(transaction, agent)
      const stored = await runOf(transaction, agent, runId)
      const record = await transaction.getAgentRun(runId)
      const known = record?.sequence ?? 0
      if (sequence <= known) return answer(known, stored)
      const nowMs = clock.nowMs()
      await transaction.saveAgentRun({ runId, agentId: agent.id, sequence, lastReportAt: nowMs })
      // It is over: the report is taken note of and changes nothing.
      if (isFinal(stored.status)) return answer(sequence, stored)
      await refuseImplausible(transaction, stored, reported)
      const next = withReport(stored, reported, { nowMs, agentName: agent.name })
      const run = await transaction.saveRun({ ...next, logBytes: Math.max(next.logBytes, logBytes) })
      const isOver = isFinal(run.status) || (run.status === 'halted' && stored.status !== 'halted')
      await settle(transaction, run, { agent, isOver })
      return answer(sequence, run)
    })
  }

  const answer = (sequence: number, { cancellation }: Run): StateResponse => ({
    sequence,
    cancelRequestedBy: cancellation?.by ?? null,
  })

  async function refuseImplausible(
    transaction: StoreTransaction,
    stored: Run,
    reported: StateRequest['run'],
  ): Promise<void> {
    const plan = await transaction.getPlan(stored.planId)
    const demanded = plan?.kind === 'agent' && plan.revision === stored.planRevision ? plan.spec.verify : null
    const flaws = reportFlaws(stored, reported, { nowMs: clock.nowMs(), demanded })
    if (flaws.length === 0) return
    throw new AppError('INVALID_INPUT', `This cannot have become of run ${stored.id}: ${flaws.join('; ')}.`, {
      data: { runId: stored.id, flaws },
    })
  }

  interface Settling {
    readonly agent: Agent
    /** The run works no more: it is final, or waits for a person. */
    readonly isOver: boolean
  }

  /** Node, plan state and agent follow the run. */
  async function settle(transaction: StoreTransaction, run: Run, { agent, isOver }: Settling): Promise<void> {
    const nowMs = clock.nowMs()
    const current = (await transaction.getAgent(agent.id)) ?? agent
    const told = withRun(current, run, nowMs)
    const settles = isOver && !isOutdated(run, await runsBeside(transaction, run))
    await bringNodeUpToDate({
      dependencies,
      transaction,
      run,
      effects: settles ? [{ kind: 'settle' }] : [],
      learned: (node) => withAcceptedCertificate(withContact(node, told, nowMs), run, nowMs),
    })
    if (JSON.stringify(told) !== JSON.stringify(current)) await transaction.saveAgent(told)
  }

  function appendLog(
    agent: Agent,
    runId: RunId,
    piece: { readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<LogResponse> {
    // One after the other: two pieces for the same place must not both be written.
    const before = appending.get(runId) ?? Promise.resolve()
    const appended = before.catch(() => undefined).then(() => append(agent, runId, piece))
    appending.set(runId, appended)
    const forget = (): void => {
      if (appending.get(runId) === appended) appending.delete(runId)
    }
    appended.then(forget, forget)
    return appended
  }

  async function append(
    agent: Agent,
    runId: RunId,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<LogResponse> {
    await runOf(store, agent, runId)
    const sizeBytes = await logs.sizeBytes(runId)
    // Full: the rest is taken and dropped, or the agent would send it for ever.
    if (sizeBytes >= maxLogBytes) return { sizeBytes: Math.max(sizeBytes, offset + bytes.length) }
    const isNothingNew = offset + bytes.length <= sizeBytes
    if (offset > sizeBytes || isNothingNew) return { sizeBytes }
    const fresh = bytes.subarray(sizeBytes - offset)
    const roomBytes = maxLogBytes - sizeBytes
    if (fresh.length < roomBytes) return { sizeBytes: await logs.append(runId, fresh) }
    const notice = Buffer.from(`\n[lockstep: the log is larger than ${maxLogBytes} bytes; the rest was not kept]\n`)
    await logs.append(runId, Buffer.concat([fresh.subarray(0, roomBytes), notice]))
    return { sizeBytes: offset + bytes.length }
  }

  function silenced(agentId: AgentId, diagnosis: Diagnosis): Promise<void> {
    return store.transact(async (transaction) => {
      const nowMs = clock.nowMs()
      const agent = await transaction.getAgent(agentId)
      if (agent?.status !== 'active') return
      for (const run of await openRunsOf(transaction, agent)) {
        const cut = withSilence(run, nowMs)
        if (cut !== run) await transaction.saveRun(cut)
      }
      const node = await transaction.getNode(agent.nodeId)
      if (node === null || node.reachability.status === 'unreachable') return
      const reachability = { status: 'unreachable' as const, since: nowMs, checkedAt: nowMs, diagnosis }
      await transaction.saveNode({ ...node, reachability })
    })
  }

  async function abandon(transaction: StoreTransaction, agent: Agent, by: string): Promise<void> {
    const nowMs = clock.nowMs()
    for (const run of await openRunsOf(transaction, agent)) {
      const ended = await transaction.saveRun(endedUnreported(run, takenAway(run, by), nowMs))
      await bringNodeUpToDate({ dependencies, transaction, run: ended, effects: [{ kind: 'settle' }] })
    }
  }

  async function endForgotten(lastSeenAt: (agentId: AgentId) => number | null): Promise<RunId[]> {
    const ended: RunId[] = []
    for (const { id, planKind } of await store.listOpenRuns())
      if (planKind === 'agent' && (await endIfForgotten(id, lastSeenAt))) ended.push(id)
    return ended
  }

  async function endIfForgotten(runId: RunId, lastSeenAt: (agentId: AgentId) => number | null): Promise<boolean> {
    const [run, record] = [await store.getRun(runId), await store.getAgentRun(runId)]
    const agent = record === null ? null : await store.getAgent(record.agentId)
    if (run === null || record === null || agent === null) return false
    const heardOf = { ...agent, lastSeenAt: lastSeenAt(agent.id) }
    if (!isForgotten(run, heardOf, record.lastReportAt)) return false
    return store.transact(async (transaction) => {
      const current = await transaction.getAgentRun(runId)
      const stored = await transaction.getRun(runId)
      // It spoke up meanwhile.
      if (stored === null || isFinal(stored.status) || current?.sequence !== record.sequence) return false
      const failed = await transaction.saveRun(endedUnreported(stored, forgottenBy(stored), clock.nowMs()))
      await settle(transaction, failed, { agent, isOver: true })
      return true
    })
  }

  return { register, report, appendLog, silenced, endForgotten, abandon }
}

/** It was let in a moment ago; what it does must not outlive its revocation. */
export async function refuseRevoked(transaction: StoreTransaction, { id, name }: Agent): Promise<void> {
  if ((await transaction.getAgent(id))?.status === 'active') return
  throw new AppError('UNAUTHORIZED', `Agent ${name} was revoked. Enroll again with a new join token.`)
}

/** More than an agent keeps reports for a later time. */
const mostLateReports = 200

function runsBeside(transaction: StoreTransaction, { nodeId, planId }: Run): Promise<Run[]> {
  return transaction.listRuns({ nodeId, planId, limit: mostLateReports })
}

/** @throws PRECONDITION_FAILED for a node that is gone or in maintenance */
export async function agentNode(transaction: StoreTransaction, agent: Agent): Promise<FleetNode> {
  const node = await transaction.getNode(agent.nodeId)
  if (node === null)
    throw new AppError('PRECONDITION_FAILED', `The node of agent ${agent.name} was removed. Enroll it again.`)
  if (node.maintenance)
    throw new AppError('PRECONDITION_FAILED', `Node "${node.name}" is in maintenance. End the maintenance first.`, {
      data: { node: node.name },
    })
  return node
}

/** More than the reports that an agent keeps for a later time; all of them have to end with the agent. */
const mostOpenRuns = 250

async function refuseTooMany(transaction: StoreTransaction, agent: Agent): Promise<void> {
  if ((await openRunsOf(transaction, agent)).length < mostOpenRuns) return
  throw new AppError(
    'RATE_LIMITED',
    `Agent ${agent.name} has ${mostOpenRuns} runs that did not end. Let it report how they ended first.`,
  )
}

async function runOf(store: Pick<Store, 'getRun' | 'getAgentRun'>, agent: Agent, runId: RunId): Promise<Run> {
  const [run, record] = [await store.getRun(runId), await store.getAgentRun(runId)]
  if (run !== null && record?.agentId === agent.id) return run
  throw new AppError('NOT_FOUND', `This agent has no run ${runId}.`, { data: { runId } })
}

async function openRunsOf(
  transaction: StoreTransaction,
  { id, nodeId }: { readonly id: AgentId; readonly nodeId: NodeId },
) {
  const open = await transaction.listRuns({ nodeId, statuses: ['queued', 'running', 'halted'], limit: 1_000 })
  const own: Run[] = []
  for (const run of open) if ((await transaction.getAgentRun(run.id))?.agentId === id) own.push(run)
  return own
}

const dayMs = 86_400_000

function refuseStrangeStart(startedAt: number, nowMs: number): void {
  if (startedAt >= 0 && startedAt <= nowMs + dayMs) return
  throw new AppError('INVALID_INPUT', 'startedAt: this is not a time. Set the clock of the agent.', {
    data: { field: 'startedAt' },
  })
}

/** The state of its machine is told by the run as well as by heartbeats. */
function withRun(agent: Agent, run: Run, nowMs: number): Agent {
  const lastRun = { runId: run.id, status: run.status, finishedAt: run.finishedAt }
  const since = run.visits.at(-1)?.enteredAt ?? run.startedAt ?? nowMs
  const isOwnActivity = agent.activity.status !== 'running' || agent.activity.runId === run.id
  const goesOn = run.status === 'running' || run.status === 'queued'
  if (goesOn) return { ...agent, lastRun, activity: { status: 'running', runId: run.id, state: run.state, since } }
  return { ...agent, lastRun, activity: isOwnActivity ? { status: 'idle', nextRunAt: null } : agent.activity }
}

/** Its storage let it in: the run says with which certificate. */
function withAcceptedCertificate(node: FleetNode, run: Run, nowMs: number): FleetNode {
  const { certificate } = node
  const proves = run.status === 'succeeded' && certificate !== null && certificate.serial === run.certificateSerial
  return proves ? { ...node, certificate: { ...certificate, acceptedAt: nowMs } } : node
}

const nothing = { kind: 'none', label: '' } as const

const takenAway = (run: Run, by: string): Diagnosis =>
  runCause('UNAUTHORIZED', {
    sentence: `The agent of ${run.nodeName} was taken away by ${by} while the run was open, so how it ended is not known. Enroll the host again and run it anew.`,
    short: 'agent revoked',
    nextAction: nothing,
  })

const forgottenBy = (run: Run): Diagnosis =>
  runCause('AGENT_SILENT', {
    sentence: `The agent of ${run.nodeName} does not know this run any more, so how it ended is not known. Its state directory may have been removed. The next run brings the node in step.`,
    short: 'run was lost',
    nextAction: nothing,
  })

/** Nobody will ever say how it ended. */
function endedUnreported(run: Run, failure: Diagnosis, nowMs: number): Run {
  const cut = withSilence(run, nowMs)
  const attempt = cut.attempts.at(-1)?.number ?? 1
  const failed = { state: 'FAILED' as const, attempt, enteredAt: nowMs, leftAt: nowMs, outcome: 'done' as const }
  return {
    ...cut,
    status: 'failed',
    state: 'FAILED',
    halt: null,
    notBefore: null,
    failure,
    finishedAt: nowMs,
    visits: [...cut.visits, failed],
  }
}
