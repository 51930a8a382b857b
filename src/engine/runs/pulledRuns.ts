import { hash } from 'node:crypto'
import { withContact } from '../../core/fleet/agentPresence.ts'
import { selects } from '../../core/fleet/assignment.ts'
import { runCause } from '../../core/run/causes.ts'
import { type RunEvent, transition } from '../../core/run/machine.ts'
import { newRun } from '../../core/run/newRun.ts'
import type { DeliveriesResponse, Delivery, DeliveryReport } from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import { BatchId, type IdempotencyKey, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import type { Run, RunProof } from '../../shared/model/run.ts'
import type { RegistryContent, Store, StoreReader, StoreTransaction } from '../ports.ts'
import { agentNode, refuseRevoked } from './agentRuns.ts'
import { bringNodeUpToDate } from './commit.ts'
import type { RunServiceDependencies } from './dependencies.ts'

export interface PulledRunDependencies extends Pick<RunServiceDependencies, 'clock' | 'config' | 'logs' | 'ids'> {
  readonly store: Store
  readonly content: RegistryContent
}

/** What agents fetch for their own machines instead of being pushed to (S1F.5), kept as runs like any other. */
export interface PulledRuns {
  /** The whole texts, as of now. Nothing while the node is in maintenance. */
  deliveriesFor(agent: Agent): Promise<DeliveriesResponse>
  /**
   * What became of one of them. Same key, same run.
   * @throws CONFLICT when the plan has another revision by now: the agent fetches again
   */
  report(
    agent: Agent,
    key: IdempotencyKey,
    report: DeliveryReport,
  ): Promise<{ readonly runId: RunId; readonly isNew: boolean }>
}

type PulledPlan = PlanOf<'routes'> | PlanOf<'hosts'>

export function createPulledRuns(dependencies: PulledRunDependencies): PulledRuns {
  const { store, content, clock, ids } = dependencies

  async function deliveriesFor(agent: Agent): Promise<DeliveriesResponse> {
    const node = await store.getNode(agent.nodeId)
    if (node === null || node.maintenance) return { deliveries: [] }
    const deliveries: Delivery[] = []
    for (const plan of await pulledPlans(store, node)) {
      const { text } = await content.of(plan)
      const { id: planId, name: planName, kind, revision } = plan
      deliveries.push({ planId, planName, kind, revision, text, digest: hash('sha256', text, 'hex') })
    }
    return { deliveries }
  }

  function report(agent: Agent, key: IdempotencyKey, told: DeliveryReport) {
    return store.transact(async (transaction) => {
      await refuseRevoked(transaction, agent)
      const known = await transaction.findRunByKey(key)
      if (known !== null) return { runId: (await ownRun(transaction, agent, known)).id, isNew: false }
      const node = await agentNode(transaction, agent)
      const plan = (await pulledPlans(transaction, node)).find(({ id }) => id === told.planId)
      if (plan === undefined || plan.revision !== told.revision) throw movedOn(agent)
      const wanted = hash('sha256', (await content.of(plan, transaction)).text, 'hex')
      const run = await transaction.saveRun(finished({ agent, key, told, node, plan, wanted }))
      await transaction.saveAgentRun({ runId: run.id, agentId: agent.id, sequence: 1, lastReportAt: clock.nowMs() })
      await bringNodeUpToDate({
        dependencies,
        transaction,
        run,
        effects: [{ kind: 'settle' }],
        learned: (before) => withContact(before, agent, clock.nowMs()),
      })
      return { runId: run.id, isNew: true }
    })
  }

  interface Told {
    readonly agent: Agent
    readonly key: IdempotencyKey
    readonly told: DeliveryReport
    readonly node: FleetNode
    readonly plan: PulledPlan
    readonly wanted: string
  }

  /** Its eleven states, with the times the agent gave, as far as they can be true. */
  function finished({ agent, key, told, node, plan, wanted }: Told): Run {
    const nowMs = clock.nowMs()
    const finishedAt = Math.max(0, Math.min(told.finishedAt, nowMs))
    const startedAt = Math.max(0, Math.min(told.startedAt, finishedAt))
    let run = newRun({
      id: RunId.parse(ids()),
      idempotencyKey: key,
      batchId: BatchId.parse(ids()),
      planId: plan.id,
      planName: plan.name,
      planKind: plan.kind,
      planRevision: plan.revision,
      nodeId: node.id,
      nodeName: node.name,
      trigger: 'agent',
      requestedBy: `agent ${agent.name}`,
      createdAt: startedAt,
    })
    for (const [event, atMs] of eventsOf(told, { node, wanted, startedAt, finishedAt }))
      run = transition(run, event, { nowMs: atMs }).run
    return run
  }

  return { deliveriesFor, report }
}

interface Judged {
  readonly node: FleetNode
  readonly wanted: string
  readonly startedAt: number
  readonly finishedAt: number
}

/** The node does what we would have pushed, so its work is that of PULL_SYNC. */
function eventsOf({ outcome }: DeliveryReport, { node, wanted, startedAt, finishedAt }: Judged): [RunEvent, number][] {
  const began: RunEvent[] = [
    { kind: 'started' },
    { kind: 'stepDone' },
    { kind: 'stepSkipped' },
    { kind: 'stepSkipped' },
    { kind: 'stepDone' },
    { kind: 'stepSkipped' },
    { kind: 'stepSkipped' },
  ]
  const at = (events: readonly RunEvent[], atMs: number) => events.map((event): [RunEvent, number] => [event, atMs])
  const fatal = (code: Parameters<typeof runCause>[0], sentence: string): RunEvent => ({
    kind: 'stepFatal',
    diagnosis: runCause(code, { sentence, short: 'not taken by agent', evidence: [] }),
  })
  if (outcome.status === 'failed')
    return [
      ...at(began, startedAt),
      [fatal(outcome.code, `The agent of ${node.name} could not take it: ${outcome.message}`), finishedAt],
    ]
  const pulled: RunEvent = { kind: outcome.written ? 'stepDone' : 'stepSkipped' }
  if (outcome.digest !== wanted)
    return [
      ...at([...began, pulled], startedAt),
      [fatal('VERIFY_MISMATCH', `What the agent of ${node.name} read back is not what it was given.`), finishedAt],
    ]
  const proof: RunProof = {
    digest: outcome.digest,
    filesVerified: 1,
    verify: { mode: 'agent', compared: 'checksum' },
    verifiedAt: finishedAt,
    certificateSerial: null,
  }
  const summary = {
    filesTotal: 1,
    filesTransferred: outcome.written ? 1 : 0,
    filesDeleted: 0,
    bytesTotal: 0,
    bytesTransferred: 0,
    durationMs: finishedAt - startedAt,
  }
  const ending: RunEvent[] = [
    pulled,
    { kind: 'stepDone', patch: { proof } },
    { kind: 'stepDone', patch: { summary } },
    { kind: 'stepDone' },
  ]
  return [...at(began, startedAt), ...at(ending, finishedAt)]
}

async function pulledPlans(reader: StoreReader, node: FleetNode): Promise<PulledPlan[]> {
  const plans = await reader.listPlans()
  return plans.filter(
    (plan): plan is PulledPlan => (plan.kind === 'routes' || plan.kind === 'hosts') && selects(plan, node),
  )
}

/** @throws CONFLICT; who else used the key is not said */
async function ownRun(transaction: StoreTransaction, agent: Agent, run: Run): Promise<Run> {
  if ((await transaction.getAgentRun(run.id))?.agentId === agent.id) return run
  throw new AppError('CONFLICT', 'This idempotency key was used by somebody else. Make a new key for a new report.')
}

const movedOn = (agent: Agent): AppError =>
  new AppError('CONFLICT', `What is wanted on ${agent.name} has changed since it was fetched. Fetch it again.`, {
    retry: { kind: 'after', delayMs: 0 },
  })
