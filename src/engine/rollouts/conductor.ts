import { outcomesByNode } from '../../core/rollout/outcomes.ts'
import {
  type RolloutEffect,
  type RolloutEvent,
  type RolloutProgress,
  recoverRollout,
  rolloutTransition,
  startedWithin,
} from '../../core/rollout/plan.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { EngineEvent } from '../../shared/model/event.ts'
import { IdempotencyKey, type NodeId, type RolloutId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { NodeOutcome, Rollout } from '../../shared/model/rollout.ts'
import type { NewAuditEntry, StoreTransaction } from '../ports.ts'
import { ActiveRollout } from './activeRollout.ts'
import type { RolloutDependencies } from './dependencies.ts'
import { isAway, lacks } from './selection.ts'

const mostOpen = 1_000
const mostRuns = 1_000_000
/** What was kept of a rollout is as old as this at most; older for large ones, whose every version is large. */
const keepEveryMs = 250
const retryMs = 5_000
/** From here on it is cheaper to read all nodes at once. */
const manyNodes = 50

/** Leads rollouts: decides by `core/rollout`, keeps what was decided, then acts. One thing at a time, in order. */
export class Conductor {
  readonly #dependencies: RolloutDependencies
  readonly #active = new Map<RolloutId, ActiveRollout>()
  readonly #unsubscribe: () => void
  #tail: Promise<unknown> = Promise.resolve()
  #settling = false
  #stopped = false

  constructor(dependencies: RolloutDependencies) {
    this.#dependencies = dependencies
    this.#unsubscribe = dependencies.store.onCommitted((events) => this.#hear(events))
  }

  /** Takes up what is open. */
  recover(): Promise<void> {
    return this.serially(async () => {
      const open = await this.#dependencies.store.listRollouts({ open: true, limit: mostOpen })
      for (const rollout of open.reverse()) await this.#load(rollout)
    })
  }

  /** Resolves when nothing is under way any more and all is kept. */
  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.serially(async () => {
      this.#stopped = true
      for (const active of this.#active.values()) {
        active.timer?.cancel()
        await this.#save(active)
      }
    })
  }

  /** Work on rollouts is done one after another. `work` itself must not call this. */
  serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => {
      if (this.#stopped) throw new AppError('ENGINE_UNAVAILABLE', 'the engine is stopping')
      return work()
    })
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** As it stands now, which may be newer than what is kept. */
  current(id: RolloutId): Rollout | null {
    return this.#active.get(id)?.progress.rollout ?? null
  }

  /** Those that are not over. */
  open(): Rollout[] {
    return [...this.#active.values()].map(({ progress }) => progress.rollout)
  }

  /** Inside of {@link serially}: one that was planned and kept begins, unless it waits for a person. */
  async lead(progress: RolloutProgress, effects: readonly RolloutEffect[]): Promise<void> {
    const active = new ActiveRollout(progress)
    this.#active.set(progress.rollout.id, active)
    await this.#follow(active, effects)
  }

  /** Inside of {@link serially}. @throws NOT_FOUND */
  async play(id: RolloutId, event: RolloutEvent, audit: readonly NewAuditEntry[] = []): Promise<Rollout> {
    const active = this.#active.get(id) ?? (await this.#loadById(id))
    const { progress, effects } = this.#decide(active, event)
    if (audit.length > 0 || matters(active.progress, progress)) await this.#keep(active, progress, audit)
    active.progress = progress
    await this.#follow(active, effects)
    return active.progress.rollout
  }

  /**
   * Inside of {@link serially}: gives way to a newer one, in the transaction that keeps that one. @returns what is left to
   * do once it is committed: nothing that waits of the old one is begun any more.
   */
  async supersede(transaction: StoreTransaction, id: RolloutId, by: RolloutId): Promise<() => Promise<void>> {
    const active = this.#active.get(id)
    if (active === undefined) return async () => undefined
    const { progress } = this.#decide(active, { kind: 'superseded', by })
    await transaction.saveRollout(progress.rollout)
    return async () => {
      active.progress = progress
      active.kept = progress.rollout
      await this.#withdraw(active, `engine: superseded by rollout ${by}`)
      this.#retire(active)
    }
  }

  #decide(active: ActiveRollout, event: RolloutEvent) {
    return rolloutTransition(active.progress, event, { nowMs: this.#dependencies.clock.nowMs() })
  }

  async #loadById(id: RolloutId): Promise<ActiveRollout> {
    const stored = await this.#dependencies.store.getRollout(id)
    if (stored === null)
      throw new AppError('NOT_FOUND', `There is no rollout ${id}. "lockstep rollouts list" shows them.`, {
        data: { rolloutId: id },
      })
    return stored.finishedAt === null
      ? this.#load(stored)
      : new ActiveRollout({ rollout: stored, running: new Set<NodeId>() })
  }

  /** What is said of its runs while they are read is not lost: it is listened to before. */
  async #load(rollout: Rollout): Promise<ActiveRollout> {
    const active = new ActiveRollout({ rollout, running: new Set() })
    this.#active.set(rollout.id, active)
    const { store, clock } = this.#dependencies
    const runs = await store.listRuns({ rolloutId: rollout.id, limit: mostRuns })
    active.add(runs)
    const outcomes = await this.#withPassedOver(rollout, outcomesByNode(runs))
    const { progress, effects } = recoverRollout(rollout, outcomes, { nowMs: clock.nowMs() })
    await this.#keep(active, progress)
    active.progress = progress
    if (progress.rollout.status === 'aborted') this.#cancel(active)
    if (progress.rollout.status === 'superseded')
      await this.#withdraw(active, `engine: superseded by rollout ${progress.rollout.supersededBy}`)
    await this.#follow(active, effects)
    this.#settleSoon()
    return active
  }

  /** A node without a run among those that had their turn needed none then. What it lacks now is not for this rollout. */
  async #withPassedOver(
    rollout: Rollout,
    outcomes: ReadonlyMap<NodeId, NodeOutcome | null>,
  ): Promise<ReadonlyMap<NodeId, NodeOutcome | null>> {
    const passedOver = rollout.nodes
      .slice(0, startedWithin(rollout, outcomes))
      .filter((nodeId) => !outcomes.has(nodeId))
    if (passedOver.length === 0) return outcomes
    const { passed } = await this.#sort(rollout, passedOver)
    return new Map([...outcomes, ...passed])
  }

  #hear(events: readonly EngineEvent[]): void {
    let news = false
    for (const { change } of events) {
      if (change.kind !== 'run.saved' || change.run.rolloutId === undefined) continue
      news = (this.#active.get(change.run.rolloutId)?.note(change.run) ?? false) || news
    }
    if (news) this.#settleSoon()
  }

  /** Whatever ends until its turn comes is settled together. */
  #settleSoon(): void {
    if (this.#settling || this.#stopped) return
    this.#settling = true
    this.serially(async () => {
      this.#settling = false
      for (const active of [...this.#active.values()]) await this.#settle(active)
    }).catch(() => undefined)
  }

  async #settle(active: ActiveRollout): Promise<void> {
    const outcomes = active.takeSettled()
    if (outcomes.size === 0) return
    try {
      await this.play(active.progress.rollout.id, { kind: 'settled', outcomes })
    } catch (error) {
      this.#retryLater(active, error)
    }
  }

  /** Acts on what was decided, and on what follows from it at once. Never rejects: what failed is looked at again. */
  async #follow(active: ActiveRollout, first: readonly RolloutEffect[]): Promise<void> {
    try {
      let effects = first
      for (;;) {
        const outcomes = new Map<NodeId, NodeOutcome>()
        for (const effect of effects)
          if (effect.kind === 'cancel') this.#cancel(active)
          else for (const [nodeId, outcome] of await this.#start(active, effect.nodeIds)) outcomes.set(nodeId, outcome)
        for (const [nodeId, outcome] of active.takeSettled()) outcomes.set(nodeId, outcome)
        if (outcomes.size === 0) break
        const next = this.#decide(active, { kind: 'settled', outcomes })
        if (matters(active.progress, next.progress)) await this.#keep(active, next.progress)
        active.progress = next.progress
        effects = next.effects
      }
      this.#keepSoon(active)
      this.#retire(active)
    } catch (error) {
      this.#retryLater(active, error)
    }
  }

  #retire({ progress: { rollout } }: ActiveRollout): void {
    const known = this.#active.get(rollout.id)
    if (rollout.finishedAt === null || known === undefined) return
    known.timer?.cancel()
    this.#active.delete(rollout.id)
    const { id, status, counts } = rollout
    this.#dependencies.logger.info({ rolloutId: id, status, ...counts }, 'a rollout is over')
  }

  /** Reads it again a little later; its runs say how far it has come. */
  #retryLater(active: ActiveRollout, error: unknown): void {
    const { logger, clock, store } = this.#dependencies
    const { id } = active.progress.rollout
    logger.error({ err: toAppError(error), rolloutId: id }, 'a rollout could not go on and will be tried again')
    active.timer?.cancel()
    const again = async (): Promise<void> => {
      const stored = await store.getRollout(id)
      if (stored?.finishedAt === null) await this.#load(stored)
    }
    active.timer = clock.setTimer(
      retryMs,
      () => {
        this.serially(again).catch((thrown: unknown) => this.#stopped || this.#retryLater(active, thrown))
      },
      { unref: true },
    )
  }

  /** @returns nodes that need no run, with what that means */
  async #start(active: ActiveRollout, nodeIds: readonly NodeId[]): Promise<Map<NodeId, NodeOutcome>> {
    const { rollout } = active.progress
    const { passed, wanted } = await this.#sort(rollout, nodeIds)
    const [first] = wanted
    if (first === undefined) return passed
    const { runs } = await this.#dependencies.runs.push({
      idempotencyKey: IdempotencyKey.parse(`rollout.${rollout.id}.${rollout.nodes.indexOf(first)}`),
      plans: rollout.plans.map(({ planId }) => planId),
      targets: { kind: 'ready', nodeIds: wanted },
      rolloutId: rollout.id,
      trigger: rollout.cause.kind === 'registry' ? 'registry' : 'operator',
      requestedBy: rollout.requestedBy,
    })
    active.add(runs)
    const registered = new Set(runs.map(({ nodeId }) => nodeId))
    // Removed, in maintenance, or selected by none of these plans any more.
    for (const nodeId of wanted) if (!registered.has(nodeId)) passed.set(nodeId, 'canceled')
    return passed
  }

  /** A person means every node; a change of the registry only those that lack it and answer. */
  async #sort(rollout: Rollout, nodeIds: readonly NodeId[]) {
    const passed = new Map<NodeId, NodeOutcome>()
    if (rollout.cause.kind !== 'registry') return { passed, wanted: nodeIds }
    const planIds = new Set(rollout.plans.map(({ planId }) => planId))
    const wanted: NodeId[] = []
    for (const node of await this.#nodes(nodeIds)) {
      if (!lacks(node, planIds)) passed.set(node.id, 'succeeded')
      else if (isAway(node)) passed.set(node.id, 'unreachable')
      else wanted.push(node.id)
    }
    const gone = nodeIds.length - passed.size - wanted.length
    if (gone > 0)
      for (const nodeId of nodeIds) if (!passed.has(nodeId) && !wanted.includes(nodeId)) passed.set(nodeId, 'canceled')
    return { passed, wanted }
  }

  /** In the order asked for. */
  async #nodes(nodeIds: readonly NodeId[]): Promise<FleetNode[]> {
    const { store } = this.#dependencies
    if (nodeIds.length < manyNodes)
      return (await Promise.all(nodeIds.map((id) => store.getNode(id)))).filter((node) => node !== null)
    const known = new Map((await store.listNodes()).map((node) => [node.id, node]))
    return nodeIds.flatMap((id) => known.get(id) ?? [])
  }

  /** Not waited for: proof that the far side has stopped takes its time, and others go on meanwhile. */
  #cancel(active: ActiveRollout): void {
    const { runs, logger } = this.#dependencies
    const { id } = active.progress.rollout
    const by = `engine: rollout ${id} was aborted`
    this.#withdraw(active, by)
      .then(() => Promise.allSettled(active.openRuns().map((runId) => runs.cancel(runId, by))))
      .then((ended) => {
        const failed = ended.find((each) => each.status === 'rejected')
        if (failed !== undefined) throw failed.reason
      })
      .catch((error: unknown) => {
        logger.error({ err: toAppError(error), rolloutId: id }, 'runs of an aborted rollout could not be canceled')
      })
  }

  async #withdraw(active: ActiveRollout, by: string): Promise<void> {
    active.add(await this.#dependencies.runs.withdraw(active.openRuns(), by))
    this.#settleSoon()
  }

  async #keep(active: ActiveRollout, progress: RolloutProgress, audit: readonly NewAuditEntry[] = []): Promise<void> {
    await this.#dependencies.store.transact(async (transaction) => {
      await transaction.saveRollout(progress.rollout)
      if (audit.length > 0) await transaction.appendAudit(audit)
    })
    active.kept = progress.rollout
  }

  async #save(active: ActiveRollout): Promise<void> {
    if (active.progress.rollout !== active.kept) await this.#keep(active, active.progress)
  }

  #keepSoon(active: ActiveRollout): void {
    if (active.timer !== null || active.progress.rollout === active.kept) return
    const delayMs = Math.max(keepEveryMs, active.progress.rollout.nodes.length)
    active.timer = this.#dependencies.clock.setTimer(
      delayMs,
      () => {
        active.timer = null
        this.serially(() => this.#save(active)).catch((error: unknown) => {
          if (!this.#stopped) this.#retryLater(active, error)
        })
      },
      { unref: true },
    )
  }
}

/** Kept before anything follows from it; all the rest can be told from the runs. */
function matters({ rollout: before }: RolloutProgress, { rollout: after }: RolloutProgress): boolean {
  const inCanary = (rollout: Rollout): boolean => rollout.started <= rollout.canaryEnd
  return (
    before.status !== after.status ||
    before.finishedAt !== after.finishedAt ||
    before.canaryEnd !== after.canaryEnd ||
    inCanary(before) !== inCanary(after)
  )
}
