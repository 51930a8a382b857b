import { assignPlans } from '../../../core/fleet/assignment.ts'
import { matchesFilter, parseFilter } from '../../../core/fleet/filter.ts'
import type { PushTargets } from '../../../shared/contract/runs.ts'
import { AppError } from '../../../shared/errors.ts'
import type { Agent } from '../../../shared/model/agent.ts'
import type { IssuedCertificate } from '../../../shared/model/certificate.ts'
import type { Change, EngineEvent, WatchMessage } from '../../../shared/model/event.ts'
import type {
  AgentId,
  BatchId,
  CertificateId,
  IdempotencyKey,
  NodeId,
  RolloutId,
  RunId,
} from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type { RegistryKind, RegistryRevision } from '../../../shared/model/registry.ts'
import type { Rollout } from '../../../shared/model/rollout.ts'
import { isFinal, type Run, type RunProof } from '../../../shared/model/run.ts'
import type { EngineStatus, Snapshot } from '../../../shared/model/system.ts'
import { fakeCertificate } from './fakeCertificates.ts'
import { fakeId } from './fakeFleet.ts'
import { enter, fakeLogOf, finish, pastRun, queuedRun } from './fakeRuns.ts'
import { contentStates, type FakeOutcome } from './fakeStates.ts'

export interface FakeEngineOptions {
  readonly nodes?: readonly FleetNode[]
  readonly plans?: readonly Plan[]
  /** How long a started run stays in each state; null: runs stay queued until a test moves them. */
  readonly stepMs?: number | null
  readonly vaultUnlocked?: boolean
  readonly nowMs?: () => number
}

export interface FakeRenewal {
  readonly node: FleetNode
  readonly serial: string
  readonly accepted: boolean
}

interface StartOrder {
  readonly key: IdempotencyKey
  readonly batchId: BatchId
  readonly plan: Plan
  readonly node: FleetNode
  readonly rolloutId: RolloutId | undefined
}

type Listener = (message: WatchMessage) => void

/** What a proof says about the trust of a node, beyond the plan itself. */
function observedTrust({ verify, verifiedAt }: RunProof): Partial<FleetNode> {
  if (verify.mode === 'krl') return { krl: { version: verify.krlVersion, verifiedAt } }
  if (verify.mode !== 'host-certificate') return {}
  const { serial, authorityFingerprint, validAfter, validBefore } = verify
  return { hostCertificate: { serial, authorityFingerprint, validAfter, validBefore, verifiedAt } }
}

/** State and behaviour of an engine that exists in this page only: for component tests, the dev entry and the map bench. */
export class FakeEngine {
  readonly nodes = new Map<NodeId, FleetNode>()
  readonly plans = new Map<string, Plan>()
  readonly runs = new Map<RunId, Run>()
  readonly agents = new Map<AgentId, Agent>()
  readonly certificates = new Map<CertificateId, IssuedCertificate>()
  readonly registries = new Map<RegistryKind, RegistryRevision>()
  readonly rollouts = new Map<RolloutId, Rollout>()
  readonly events: EngineEvent[] = []
  readonly #listeners = new Set<Listener>()
  readonly #options: Required<FakeEngineOptions>
  readonly #batches = new Map<string, BatchId>()
  /** Keys of all pushes that arrived, in order. */
  readonly pushKeys: IdempotencyKey[] = []
  /** Taken one a push: `before` refuses it, `after` does the work and loses the answer on the way. */
  readonly pushFailures: { readonly when: 'before' | 'after'; readonly error: AppError }[] = []
  krlVersion = 0
  seq = 0
  instance = 1
  vaultUnlocked: boolean
  /** Nobody has chosen a passphrase yet. */
  vaultIsNew = false
  #runCount = 100_000
  #serial = 90_000
  readonly #renewed = new Map<string, FakeRenewal>()

  constructor(options: FakeEngineOptions = {}) {
    this.#options = { nodes: [], plans: [], stepMs: null, vaultUnlocked: true, nowMs: Date.now, ...options }
    this.vaultUnlocked = this.#options.vaultUnlocked
    for (const node of this.#options.nodes) this.nodes.set(node.id, node)
    for (const plan of this.#options.plans) this.plans.set(plan.id, plan)
  }

  now(): number {
    return this.#options.nowMs()
  }

  status(): EngineStatus {
    const active = [...this.runs.values()]
    return {
      instanceId: `fake-${this.instance}`,
      version: '0.1.0',
      host: 'test',
      pid: 4242,
      home: '/var/lib/lockstep',
      startedAt: this.now() - 3_600_000,
      now: this.now(),
      vault: {
        kind: 'passphrase',
        description: 'Sealed with a passphrase (scrypt, AES-256-GCM).',
        unlocked: this.vaultUnlocked,
        isNew: this.vaultIsNew,
      },
      reconcile: { intervalMs: 3_600_000, lastAt: this.now() - 1_200_000, nextAt: this.now() + 2_400_000 },
      counts: {
        nodes: this.nodes.size,
        runsQueued: active.filter((run) => run.status === 'queued').length,
        runsRunning: active.filter((run) => run.status === 'running').length,
      },
    }
  }

  snapshot(): Snapshot {
    return {
      seq: this.seq,
      engine: this.status(),
      nodes: [...this.nodes.values()],
      plans: [...this.plans.values()],
      agents: [...this.agents.values()],
      runs: [...this.runs.values()],
      rollouts: [...this.rollouts.values()],
      registries: [...this.registries.values()],
    }
  }

  /** Commits a change and tells every watcher. */
  commit(change: Change): EngineEvent {
    this.seq += 1
    const event: EngineEvent = { seq: this.seq, at: this.now(), change }
    this.#keep(change)
    this.events.push(event)
    this.send({ kind: 'event', event })
    return event
  }

  /** Sends a message as it is, also one that a well-behaved engine would not send. */
  send(message: WatchMessage): void {
    for (const listener of [...this.#listeners]) listener(message)
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #keep(change: Change): void {
    if (change.kind === 'node.saved') this.nodes.set(change.node.id, change.node)
    if (change.kind === 'node.removed') this.nodes.delete(change.nodeId)
    if (change.kind === 'plan.saved') this.plans.set(change.plan.id, change.plan)
    if (change.kind === 'plan.removed') this.plans.delete(change.planId)
    if (change.kind === 'run.saved') this.runs.set(change.run.id, change.run)
    if (change.kind === 'registry.saved') this.registries.set(change.revision.registry, change.revision)
    if (change.kind === 'rollout.saved') this.rollouts.set(change.rollout.id, change.rollout)
    if (change.kind === 'certificate.issued' || change.kind === 'certificate.revoked')
      this.certificates.set(change.certificate.id, change.certificate)
    if (change.kind === 'krl.saved') this.krlVersion = change.krl.version
    if (change.kind === 'agent.saved') this.agents.set(change.agent.id, change.agent)
    if (change.kind === 'agent.removed') this.agents.delete(change.agentId)
  }

  /** @throws AppError `NOT_FOUND` */
  node(reference: string): FleetNode {
    const node = this.nodes.get(reference as NodeId) ?? [...this.nodes.values()].find((each) => each.name === reference)
    if (node === undefined) throw new AppError('NOT_FOUND', `There is no node called ${reference}.`)
    return node
  }

  run(runId: RunId): Run {
    const run = this.runs.get(runId)
    if (run === undefined) throw new AppError('NOT_FOUND', `There is no run ${runId}.`)
    return run
  }

  /** @throws AppError `INVALID_INPUT` for a filter that cannot be read */
  select(filterText: string): readonly FleetNode[] {
    const parsed = parseFilter(filterText)
    if (!parsed.ok) throw new AppError('INVALID_INPUT', parsed.message, { data: { position: parsed.position } })
    return [...this.nodes.values()].filter((node) => matchesFilter(parsed.filter, node, this.now()))
  }

  saveNode(node: FleetNode): FleetNode {
    this.commit({ kind: 'node.saved', node })
    return node
  }

  /** Nodes that it selects get it as a plan of theirs. */
  savePlan(plan: Plan): Plan {
    this.commit({ kind: 'plan.saved', plan })
    for (const node of [...this.nodes.values()]) {
      const assigned = assignPlans(node, [...this.plans.values()])
      if (JSON.stringify(assigned.plans) !== JSON.stringify(node.plans)) this.saveNode(assigned)
    }
    return plan
  }

  saveRun(run: Run): Run {
    const saved = { ...run, seq: this.seq + 1 }
    this.commit({ kind: 'run.saved', run: saved })
    return saved
  }

  /** The same key gives the same runs, however often it comes. */
  push(
    key: IdempotencyKey,
    nodes: readonly FleetNode[],
    plans: readonly string[] = [],
    rolloutId?: RolloutId,
  ): { readonly batchId: BatchId; readonly runs: readonly Run[] } {
    const known = this.#batches.get(key)
    if (known !== undefined)
      return { batchId: known, runs: [...this.runs.values()].filter((run) => run.batchId === known) }
    const batchId = fakeId<BatchId>(4, this.#batches.size + 1)
    this.#batches.set(key, batchId)
    const meant = [...this.plans.values()].filter(
      (plan) => plans.length === 0 || plans.includes(plan.id) || plans.includes(plan.name),
    )
    const runs = meant.flatMap((plan) =>
      nodes
        .filter((node) => node.plans.some((state) => state.planId === plan.id))
        .map((node) => this.#startRun({ key, batchId, plan, node, rolloutId })),
    )
    return { batchId, runs }
  }

  #startRun({ key, batchId, plan, node, rolloutId }: StartOrder): Run {
    this.#runCount += 1
    const id = fakeId<RunId>(3, this.#runCount)
    const queued = queuedRun({ id, batchId, key, plan, node, atMs: this.now(), seq: this.seq + 1 })
    const run = this.saveRun(rolloutId === undefined ? queued : { ...queued, rolloutId, trigger: 'registry' })
    this.saveNode({ ...this.node(node.id), activeRunId: id })
    if (this.#options.stepMs !== null) this.#schedule(id, 0)
    return run
  }

  #schedule(id: RunId, step: number): void {
    const stepMs = this.#options.stepMs ?? 0
    setTimeout(() => {
      const run = this.run(id)
      if (isFinal(run.status) || run.status === 'halted') return
      const state = contentStates[step]
      if (state === undefined) return this.endRun(id, 'succeeded')
      this.saveRun(enter(run, state, this.now()))
      if (state === 'PUSH_SYNC') {
        this.send({
          kind: 'progress',
          runId: id,
          progress: {
            bytes: 12_000_000,
            totalBytes: 84_000_000,
            files: 120,
            bytesPerSecond: 4_200_000,
            remainingMs: 17_000,
            direction: 'push',
          },
        })
      }
      this.#schedule(id, step + 1)
    }, stepMs)
  }

  /** Ends a run and makes its node look like it. */
  endRun(id: RunId, outcome: FakeOutcome): void {
    const run = this.saveRun(finish(this.run(id), outcome, this.now(), this.krlVersion))
    const node = this.node(run.nodeId)
    const { proof } = run
    if (proof === null) {
      this.saveNode({
        ...node,
        activeRunId: null,
        status: 'pending_sync',
        statusReason: run.failure,
        lastAttemptAt: this.now(),
      })
      return
    }
    const plans = node.plans.map((plan) =>
      plan.planId === run.planId
        ? {
            ...plan,
            observed: { revision: run.planRevision, digest: proof.digest, verifiedAt: proof.verifiedAt, runId: id },
            driftSince: null,
            lastRunId: id,
          }
        : plan,
    )
    this.saveNode({
      ...node,
      activeRunId: null,
      status: 'active',
      statusReason: null,
      consecutiveFailures: 0,
      lastSyncAt: this.now(),
      lastAttemptAt: this.now(),
      plans,
      ...observedTrust(proof),
    })
  }

  nodesOf(targets: PushTargets): readonly FleetNode[] {
    if (targets.kind === 'all') return [...this.nodes.values()]
    return targets.kind === 'filter' ? this.select(targets.filter) : targets.nodes.map((node) => this.node(node))
  }

  /** A node that accepted its certificate under this key is left alone. */
  renew(node: FleetNode, key: string | null = null): FakeRenewal {
    const known = this.#renewed.get(`${key} ${node.id}`)
    if (key !== null && known?.accepted === true) return known
    this.#serial += 1
    const certificate = fakeCertificate({
      number: this.#serial,
      node,
      purpose: 'automation',
      issuedAt: this.now(),
      requestedBy: 'ana@desk',
      reason: 'renewed by hand',
    })
    this.commit({ kind: 'certificate.issued', certificate })
    const accepted = node.reachability.status === 'reachable'
    const { serial, validAfter, validBefore, authorityFingerprint } = certificate
    const acceptedAt = accepted ? this.now() : null
    const saved = this.saveNode({
      ...node,
      certificate: { serial, validAfter, validBefore, authorityFingerprint, acceptedAt },
    })
    const renewal = { node: saved, serial, accepted }
    this.#renewed.set(`${key} ${node.id}`, renewal)
    return renewal
  }

  /** Gives every node a history of ended runs. */
  seedHistory(perNode: number): void {
    const [plan] = this.plans.values()
    if (plan === undefined) return
    let number = 0
    for (const node of this.nodes.values()) {
      for (let back = perNode; back > 0; back -= 1) {
        number += 1
        const outcome: FakeOutcome = (number * 7919) % 11 === 0 ? 'failed' : 'succeeded'
        const request = {
          id: fakeId<RunId>(3, number),
          batchId: fakeId<BatchId>(4, 0),
          key: `history-${number}` as IdempotencyKey,
          plan,
          node,
          atMs: this.now() - back * 3_600_000,
          seq: number,
        }
        this.runs.set(request.id, pastRun(request, outcome))
      }
    }
  }

  log(runId: RunId): string {
    return fakeLogOf(this.run(runId))
  }
}
