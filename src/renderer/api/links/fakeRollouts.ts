import { implement } from '@orpc/server'
import { contract } from '../../../shared/contract/index.ts'
import { AppError } from '../../../shared/errors.ts'
import type { IdempotencyKey, NodeId, RolloutId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { type Rollout, type RolloutCause, RolloutSettings } from '../../../shared/model/rollout.ts'
import { isFinal, type Run } from '../../../shared/model/run.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeId } from './fakeFleet.ts'

interface BeginOrder {
  readonly cause: RolloutCause
  readonly plans: readonly Plan[]
  readonly nodes: readonly FleetNode[]
  readonly settings?: RolloutSettings
}

/** Rollouts of the engine that exists in this page only: all nodes in one wave, their runs as the engine plays them. */
export class FakeRollouts {
  settings: RolloutSettings = RolloutSettings.parse({})
  readonly #engine: FakeEngine
  readonly #byKey = new Map<IdempotencyKey, RolloutId>()

  constructor(engine: FakeEngine) {
    this.#engine = engine
    engine.listen((message) => {
      if (message.kind !== 'event' || message.event.change.kind !== 'run.saved') return
      const { run } = message.event.change
      if (run.rolloutId !== undefined && isFinal(run.status)) this.#settle(run.rolloutId)
    })
  }

  /** @throws AppError `NOT_FOUND` */
  rollout(id: RolloutId): Rollout {
    const rollout = this.#engine.rollouts.get(id)
    if (rollout === undefined) throw new AppError('NOT_FOUND', 'There is no such rollout.')
    return rollout
  }

  runs(id: RolloutId): Run[] {
    return [...this.#engine.runs.values()].filter((run) => run.rolloutId === id)
  }

  /** A change takes over what is still on its way. */
  begin({ cause, plans, nodes, settings = this.settings }: BeginOrder): Rollout {
    const id = fakeId<RolloutId>(10, this.#engine.rollouts.size + 1)
    for (const open of [...this.#engine.rollouts.values()])
      if (open.finishedAt === null)
        this.#save({ ...open, status: 'superseded', supersededBy: id, finishedAt: this.#engine.now() })
    const reached = nodes.filter((node) => node.plans.some(({ planId }) => plans.some((plan) => plan.id === planId)))
    this.#save({
      id,
      cause,
      plans: plans.map((plan) => ({ planId: plan.id, planName: plan.name, planRevision: plan.revision })),
      settings,
      status: 'running',
      nodes: reached.map((node) => node.id),
      canaryEnd: 0,
      started: reached.length,
      counts: { succeeded: 0, failed: 0, unreachable: 0, canceled: 0 },
      waveFailures: 0,
      requestedBy: 'ana@desk',
      createdAt: this.#engine.now(),
      updatedAt: this.#engine.now(),
      finishedAt: null,
      supersededBy: null,
    })
    this.#engine.push(
      `rollout-${id}` as IdempotencyKey,
      reached,
      plans.map((plan) => plan.id),
      id,
    )
    this.#settle(id)
    return this.rollout(id)
  }

  #settle(id: RolloutId): void {
    const rollout = this.rollout(id)
    if (rollout.finishedAt !== null) return
    const runs = this.runs(id)
    const counts = { succeeded: 0, failed: 0, unreachable: 0, canceled: 0 }
    const byNode = new Map<NodeId, Run[]>(rollout.nodes.map((nodeId) => [nodeId, []]))
    for (const run of runs) byNode.get(run.nodeId)?.push(run)
    for (const [nodeId, own] of byNode) {
      if (own.some((run) => !isFinal(run.status))) continue
      if (own.every((run) => run.status === 'succeeded')) counts.succeeded += 1
      else if (own.some((run) => run.status === 'canceled')) counts.canceled += 1
      else if (this.#engine.nodes.get(nodeId)?.reachability.status === 'unreachable') counts.unreachable += 1
      else counts.failed += 1
    }
    const settled = Object.values(counts).reduce((sum, count) => sum + count, 0)
    const done = settled === rollout.nodes.length
    this.#save({
      ...rollout,
      counts,
      waveFailures: counts.failed,
      ...(done && { status: 'finished', finishedAt: this.#engine.now() }),
    })
  }

  #save(rollout: Rollout): Rollout {
    const saved = { ...rollout, updatedAt: this.#engine.now() }
    this.#engine.commit({ kind: 'rollout.saved', rollout: saved })
    return saved
  }

  start(key: IdempotencyKey, order: BeginOrder): Rollout {
    const known = this.#byKey.get(key)
    if (known !== undefined) return this.rollout(known)
    const rollout = this.begin(order)
    this.#byKey.set(key, rollout.id)
    return rollout
  }

  steer(id: RolloutId, status: 'running' | 'paused' | 'aborted'): Rollout {
    const rollout = this.rollout(id)
    if (rollout.finishedAt !== null)
      throw new AppError('PRECONDITION_FAILED', `This rollout is ${rollout.status}; nothing is left to steer.`)
    return this.#save({ ...rollout, status, finishedAt: status === 'aborted' ? this.#engine.now() : null })
  }

  retryFailed(id: RolloutId, key: IdempotencyKey): Rollout {
    const failed = new Set(
      this.runs(id)
        .filter(({ status }) => status === 'failed' || status === 'canceled')
        .map(({ nodeId }) => nodeId),
    )
    if (failed.size === 0) throw new AppError('PRECONDITION_FAILED', 'No node of this rollout failed.')
    const plans = this.rollout(id).plans.flatMap(({ planId }) => this.#engine.plans.get(planId) ?? [])
    const nodes = [...this.#engine.nodes.values()].filter((node) => failed.has(node.id))
    return this.start(key, { cause: { kind: 'failed-of', rolloutId: id }, plans, nodes })
  }
}

/** Procedures about rollouts. */
export function rolloutRoutes(engine: FakeEngine, fake: FakeRollouts) {
  const os = implement(contract)
  const plansOf = (references: readonly string[]): Plan[] =>
    [...engine.plans.values()].filter((plan) =>
      references.length === 0
        ? plan.kind === 'routes' || plan.kind === 'hosts'
        : references.includes(plan.id) || references.includes(plan.name),
    )
  return {
    rollouts: {
      list: os.rollouts.list.handler(({ input }) =>
        [...engine.rollouts.values()]
          .filter(({ id }) => input.before === undefined || id < input.before)
          .sort((left, right) => (left.id < right.id ? 1 : -1))
          .slice(0, input.limit),
      ),
      get: os.rollouts.get.handler(({ input }) => ({ rollout: fake.rollout(input.id), runs: fake.runs(input.id) })),
      start: os.rollouts.start.handler(({ input }) =>
        fake.start(input.idempotencyKey, {
          cause: { kind: 'operator' },
          plans: plansOf(input.plans),
          nodes: engine.nodesOf(input.targets),
          settings: input.settings,
        }),
      ),
      pause: os.rollouts.pause.handler(({ input }) => fake.steer(input.id, 'paused')),
      resume: os.rollouts.resume.handler(({ input }) => fake.steer(input.id, 'running')),
      abort: os.rollouts.abort.handler(({ input }) => fake.steer(input.id, 'aborted')),
      retryFailed: os.rollouts.retryFailed.handler(({ input }) => fake.retryFailed(input.id, input.idempotencyKey)),
      settings: os.rollouts.settings.handler(() => fake.settings),
      setSettings: os.rollouts.setSettings.handler(({ input }) => {
        fake.settings = input
        return input
      }),
    },
  }
}
