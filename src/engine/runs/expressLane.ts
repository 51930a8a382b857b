import { type LimitBounds, nextLimit } from '../../core/run/adaptiveLimit.ts'
import { ExpressSlots, type NodeWay, type Slot, type SlotLimits } from '../../core/run/expressSlots.ts'
import type { Transition } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { Timer } from '../../platform/clock.ts'
import type { PlanId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Run } from '../../shared/model/run.ts'
import { Batcher } from './batcher.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import { type ExpressStep, type LockTarget, outcomeOf, type StepOutcome } from './executor.ts'
import { beginRoundTrip, endRoundTrip, type Readiness, type RoundTripEnd, stepsOfThrown } from './expressCommits.ts'
import { Lane } from './lane.ts'
import { NodeWays } from './nodeWays.ts'
import { RunOutput } from './runOutput.ts'
import type { RunQueue } from './runQueue.ts'
import type { Session, Sessions } from './session.ts'
import { haveCertificate } from './steps.ts'
import type { StepwiseWork } from './stepwise.ts'

interface ExpressLaneOptions {
  readonly dependencies: RunServiceDependencies
  readonly sessions: Sessions
  /** For runs whose executor hands back before their round trip has come to its end. */
  readonly stepwise: StepwiseWork
  onEnded(run: Run): void
}

/** Longer than any round trip takes, retries apart. */
const enoughValidMs = 120_000
const sampleEveryMs = 100
/** A round trip that takes longer is counted apart, so that nobody waits behind it. */
const slowAfterMs = 750
/** Small enough that the first nodes work while the rest is still being committed. */
const mostBegun = 64
const mostEnded = 256
/** While more than a few are under way their commits are gathered this long: a sync to disk for each would be most of the work. */
const lingerMs = 30
const fewFlights = 8
const largestDefault = 256
/** Fewer would not make a machine faster that is busy with something else. */
const smallestLimit = 64
/** Logins cost both sides far more than an exchange; the pool lets 32 begin at once. */
const newConnections = 64
const doubtfulConnections = 16
const slowOnes = 1_024

/** What is under way on a node. */
interface Flight {
  readonly slot: Slot
  readonly sentAtMs: number
}

/**
 * Runs that are one round trip: begun, done and ended over the whole fleet at once, each with two commits that it shares
 * with others. How many are under way follows the event loop; nodes that do not answer have slots of their own.
 */
export class ExpressLane {
  readonly #options: ExpressLaneOptions
  /** By what was known of the way to the node when it was queued: who waits for a slot of one kind holds up no other. */
  readonly #lanes: Readonly<Record<NodeWay, Lane>>
  readonly #ways: NodeWays
  readonly #slots = new ExpressSlots()
  readonly #slotOf = new Map<RunId, Slot>()
  readonly #flights = new Set<Flight>()
  readonly #begins: Batcher<Run, Begun>
  readonly #ends: Batcher<RoundTripEnd, Transition>
  readonly #bounds: LimitBounds
  #limit: number
  #sampling: Timer | null = null
  #wasFull = false
  #completed = 0

  constructor(options: ExpressLaneOptions) {
    const { store, sshPool, clock, logger, config } = options.dependencies
    this.#options = options
    const largest = config.maxExpressRuns ?? largestDefault
    this.#bounds = { smallest: Math.min(smallestLimit, largest), largest }
    this.#limit = largest
    this.#ways = new NodeWays(store, sshPool)
    this.#begins = new Batcher((runs) => this.#begin(runs), { most: mostBegun })
    this.#ends = new Batcher((ends) => this.#end(ends), {
      most: mostEnded,
      lingerMs: () => (this.#flights.size < fewFlights ? 0 : lingerMs),
    })
    const laneFor = (way: NodeWay): Lane =>
      new Lane({
        clock,
        logger,
        admit: (queue, { nowMs }) => this.#admit(way, queue, nowMs),
        work: (run, signal) => this.#work(run, signal),
        onEnded: (run) => options.onEnded(run),
      })
    this.#lanes = { open: laneFor('open'), new: laneFor('new'), doubtful: laneFor('doubtful') }
  }

  async open(): Promise<void> {
    await this.#ways.start()
    for (const lane of this.#all()) lane.open()
  }

  async close(): Promise<void> {
    await Promise.all(this.#all().map((lane) => lane.close()))
    this.#ways.stop()
    this.#sampling?.cancel()
    this.#sampling = null
  }

  put(run: Run): void {
    this.#lanes[this.#ways.to(run.nodeId)].put(run)
  }

  async cut(runId: RunId): Promise<void> {
    await Promise.all(this.#all().map((lane) => lane.cut(runId)))
  }

  wakeLockWaiters(concerned: (run: Run) => boolean): void {
    for (const lane of this.#all()) lane.wakeLockWaiters(concerned)
  }

  pump(): void {
    for (const lane of this.#all()) lane.pump()
  }

  #all(): readonly Lane[] {
    return [this.#lanes.open, this.#lanes.new, this.#lanes.doubtful]
  }

  #slotLimits(): SlotLimits {
    const limit = this.#limit
    return {
      open: limit,
      new: Math.min(limit, newConnections),
      doubtful: Math.min(limit, doubtfulConnections),
      slow: slowOnes,
    }
  }

  #admit(way: NodeWay, queue: RunQueue, nowMs: number): readonly Run[] {
    const limits = this.#slotLimits()
    const moved: Run[] = []
    const taken = queue.take(nowMs, (run) => {
      // A connection was made, or lost, since it was queued.
      const now = this.#ways.to(run.nodeId)
      if (now !== way) moved.push(run)
      if (now !== way) return false
      if (this.#slots.free(way, limits) === 0) {
        this.#wasFull ||= way !== 'doubtful'
        return 'enough'
      }
      this.#slotOf.set(run.id, this.#slots.take(way))
      return true
    })
    for (const run of moved) {
      queue.remove(run.id)
      this.put(run)
    }
    if (moved.length > 0) this.pump()
    return taken
  }

  async #work(queued: Run, signal: AbortSignal): Promise<Run> {
    const slot = this.#slotOf.get(queued.id)
    if (slot === undefined) throw new Error(`run ${queued.id} began without a slot`)
    let end: RoundTripEnd
    try {
      const { transition, ready } = await this.#begins.add(queued)
      const { run } = transition
      if (run.status !== 'running' || ready === null) {
        await ready?.session.flushed()
        return run
      }
      const steps = signal.aborted ? null : await this.#fly({ run, ready, slot }, signal)
      end = { runId: run.id, session: ready.session, steps }
    } finally {
      this.#slotOf.delete(queued.id)
      this.#slots.giveBack(slot)
      this.#completed += 1
      this.pump()
    }
    const ending = this.#ends.add(end)
    if (this.#flights.size === 0) this.#ends.hurry()
    const { run } = await ending
    // The executor wants the usual way for what is left.
    return this.#options.stepwise.goOn(run, signal)
  }

  /** The round trip itself. @returns null when it was cut */
  async #fly({ run, ready, slot }: Flying, signal: AbortSignal): Promise<readonly ExpressStep[] | null> {
    const { session, node } = ready
    const context = session.contextOf(run, node, signal)
    const flight: Flight = { slot, sentAtMs: this.#options.dependencies.clock.monotonicMs() }
    this.#flights.add(flight)
    this.#sample()
    try {
      const steps = (await session.executor.express?.(context, session.memory)) ?? []
      return signal.aborted ? null : steps
    } catch (thrown) {
      return signal.aborted ? null : stepsOfThrown(thrown)
    } finally {
      this.#flights.delete(flight)
    }
  }

  async #begin(runs: readonly Run[]): Promise<readonly Begun[]> {
    const { store } = this.#options.dependencies
    const ready = await this.#makeReady(runs)
    return store.transact(async (transaction) => {
      const begun: Begun[] = []
      for (const [index, { id: runId }] of runs.entries()) {
        const one = ready[index] ?? null
        const transition = await beginRoundTrip(this.#options.dependencies, transaction, { runId, ready: one })
        begun.push({ transition, ready: one })
      }
      return begun
    })
  }

  async #makeReady(runs: readonly Run[]): Promise<readonly (Readiness | null)[]> {
    const { store, identities } = this.#options.dependencies
    const plans = new Map<PlanId, Plan | null>()
    const facts: { readonly run: Run; readonly plan: Plan | null; readonly node: FleetNode | null }[] = []
    for (const run of runs) {
      if (!plans.has(run.planId)) plans.set(run.planId, await store.getPlan(run.planId))
      facts.push({ run, plan: plans.get(run.planId) ?? null, node: await store.getNode(run.nodeId) })
    }
    // One signing for all of them; who fails here fails below, for the reason that is its own.
    const nodes = facts.flatMap(({ node }) => node ?? [])
    await identities.ensureMany(nodes, 'automation', { minValidMs: enoughValidMs }).catch(() => undefined)
    return Promise.all(
      facts.map(({ run, plan, node }) => (plan === null || node === null ? null : this.#readinessOf(run, plan, node))),
    )
  }

  async #readinessOf(run: Run, plan: Plan, node: FleetNode): Promise<Readiness> {
    const { dependencies, sessions } = this.#options
    const session = sessions.open(run, plan)
    session.output.gather()
    const log = (text: string): void => session.output.write(`${text}\n`)
    const [certificate, locks] = await Promise.all([
      orOutcome<StepOutcome>(haveCertificate(dependencies, { run, node, log }, enoughValidMs)),
      orOutcome<readonly LockTarget[]>(session.executor.lockTargets(plan, node)),
    ])
    session.locksHere = !('kind' in locks) && locks.some(({ where }) => where === 'here')
    return { session, node, certificate, locks }
  }

  async #end(ends: readonly RoundTripEnd[]): Promise<readonly Transition[]> {
    const { dependencies } = this.#options
    for (const { session, steps } of ends) describe(session, steps)
    const outputs = ends.map(({ session }) => session.output)
    await RunOutput.flushAll(outputs, dependencies.logs, dependencies.logger)
    return dependencies.store.transact(async (transaction) => {
      const transitions: Transition[] = []
      for (const end of ends) transitions.push(await endRoundTrip(dependencies, transaction, end))
      return transitions
    })
  }

  /** While something is under way: how late the loop is, and who takes long. */
  #sample(): void {
    if (this.#sampling !== null) return
    const { clock } = this.#options.dependencies
    const dueMs = clock.monotonicMs() + sampleEveryMs
    this.#sampling = clock.setTimer(
      sampleEveryMs,
      () => {
        this.#sampling = null
        const nowMs = clock.monotonicMs()
        this.#adapt(nowMs - dueMs)
        this.#setSlowAside(nowMs)
        if (this.#flights.size > 0) this.#sample()
      },
      { unref: true },
    )
  }

  #adapt(lagMs: number): void {
    const sample = { lagMs, wasFull: this.#wasFull, completed: this.#completed }
    this.#limit = nextLimit(this.#limit, sample, this.#bounds)
    this.#wasFull = false
    this.#completed = 0
  }

  #setSlowAside(nowMs: number): void {
    const limits = this.#slotLimits()
    for (const { slot, sentAtMs } of this.#flights) {
      if (nowMs - sentAtMs >= slowAfterMs) this.#slots.slowDown(slot, limits)
    }
    this.pump()
  }
}

interface Begun {
  readonly transition: Transition
  readonly ready: Readiness | null
}

interface Flying {
  readonly run: Run
  readonly ready: Readiness
  readonly slot: Slot
}

async function orOutcome<T>(promise: Promise<T>): Promise<T | StepOutcome> {
  try {
    return await promise
  } catch (thrown) {
    return outcomeOf(diagnosisOf(thrown))
  }
}

/** What the log says of the states of a round trip; what its executor said stands before it. */
function describe(session: Session, steps: readonly ExpressStep[] | null): void {
  if (steps === null) session.output.write('cut\n')
  for (const { state, outcome } of steps ?? []) {
    if ('diagnosis' in outcome) session.writeOutcome(state, outcome)
    else session.output.write(`${state}: ${outcome.kind}\n`)
  }
}
