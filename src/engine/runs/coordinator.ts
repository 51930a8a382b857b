import { planGone } from '../../core/run/causes.ts'
import type { RunEvent, Transition } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { Timer } from '../../platform/clock.ts'
import { assertNever } from '../../shared/errors.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { isFinal, type Run, type RunState } from '../../shared/model/run.ts'
import { commitEvent } from './commit.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import {
  executorOf,
  type LockTarget,
  outcomeOf,
  type PlanExecutor,
  type PlanExecutors,
  type StepContext,
  type StepOutcome,
} from './executor.ts'
import { ProgressFeed } from './progressFeed.ts'
import { RunOutput } from './runOutput.ts'
import { doState, takeLocks } from './steps.ts'

/** What a run needs in memory from its first step to its last; the next process makes a new one. */
interface Session {
  readonly plan: Plan
  readonly executor: PlanExecutor<unknown>
  readonly memory: unknown
  readonly output: RunOutput
  readonly progress: ProgressFeed
  /** It wants a directory of this machine: a run for any node may stand in its way. */
  locksHere: boolean
}

interface ActiveWork {
  readonly abort: AbortController
  readonly ended: Promise<void>
}

const flushTimeoutMs = 2_000

/**
 * Works on queued runs: bounded in number, oldest first, each transition committed before its effect. Which run may
 * touch a directory is decided by the locks in the store alone.
 */
export class Coordinator {
  readonly #dependencies: RunServiceDependencies
  readonly #executors: PlanExecutors
  readonly #queue = new Map<RunId, Run>()
  readonly #active = new Map<RunId, ActiveWork>()
  readonly #sessions = new Map<RunId, Session>()
  #timer: Timer | null = null
  #accepting = false

  constructor(dependencies: RunServiceDependencies, executors: PlanExecutors) {
    this.#dependencies = dependencies
    this.#executors = executors
  }

  /** Begins to work on what is queued. */
  open(): void {
    this.#accepting = true
    this.#pump()
  }

  /** Cuts what runs; resolves when nothing works any more and every cut is committed. */
  async close(): Promise<void> {
    this.#accepting = false
    this.#timer?.cancel()
    const working = [...this.#active.values()]
    for (const work of working) work.abort.abort()
    await Promise.all(working.map((work) => work.ended))
  }

  enqueue(runs: readonly Run[]): void {
    for (const run of runs) if (run.status === 'queued' && run.planKind !== 'agent') this.#queue.set(run.id, run)
    this.#pump()
  }

  /** Ends the work on a run here; resolves when it has ended. */
  async cut(runId: RunId): Promise<void> {
    this.#queue.delete(runId)
    const work = this.#active.get(runId)
    work?.abort.abort()
    await work?.ended
  }

  /** The run is final or halted: forget it and let those go on that waited for its locks. */
  released(run: Run): void {
    this.#sessions.delete(run.id)
    for (const [id, queued] of this.#queue) {
      const concerned = queued.nodeId === run.nodeId || this.#sessions.get(id)?.locksHere === true
      if (concerned && queued.state === 'ACQUIRE_LOCK') this.#queue.set(id, { ...queued, notBefore: null })
    }
    this.#pump()
  }

  #pump(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#accepting) return
    const nowMs = this.#dependencies.clock.nowMs()
    const waiting = [...this.#queue.values()].sort((left, right) => (left.id < right.id ? -1 : 1))
    for (const run of waiting) {
      if (this.#active.size >= this.#dependencies.config.maxParallelRuns) return
      if ((run.notBefore ?? 0) <= nowMs && !this.#active.has(run.id)) this.#begin(run.id)
    }
    this.#wakeLater(nowMs)
  }

  #wakeLater(nowMs: number): void {
    const due = [...this.#queue.values()].flatMap((run) => (run.notBefore === null ? [] : [run.notBefore]))
    if (due.length === 0) return
    this.#timer = this.#dependencies.clock.setTimer(Math.max(1, Math.min(...due) - nowMs), () => this.#pump(), {
      unref: true,
    })
  }

  #begin(runId: RunId): void {
    this.#queue.delete(runId)
    const abort = new AbortController()
    const ended = this.#work(runId, abort.signal)
      .catch((error: unknown) => {
        // The store is gone or broken: the run stays as it was committed, and the next start takes it up.
        this.#dependencies.logger.error({ err: error, runId }, 'the work on a run broke off')
      })
      .finally(() => {
        this.#active.delete(runId)
        this.#pump()
      })
    this.#active.set(runId, { abort, ended })
  }

  async #work(runId: RunId, signal: AbortSignal): Promise<void> {
    let transition = await this.#start(runId)
    while (transition.run.status === 'running' && transition.run.cancellation === null) {
      transition = await this.#step(transition.run, signal)
      if (signal.aborted && transition.run.status === 'running' && transition.run.cancellation === null) {
        transition = await commitEvent(this.#dependencies, runId, { kind: 'interrupted' })
      }
    }
    this.#afterWork(transition.run)
  }

  #afterWork(run: Run): void {
    if (run.status === 'queued' && this.#accepting) this.#queue.set(run.id, run)
    if (isFinal(run.status) || run.status === 'halted') this.released(run)
  }

  async #start(runId: RunId): Promise<Transition> {
    const { store } = this.#dependencies
    const run = await store.getRun(runId)
    const plan = run === null ? null : await store.getPlan(run.planId)
    if (run === null || plan === null) return this.#failWithoutPlan(runId)
    const beginsAnew = run.state === 'INIT' || run.state === 'ENSURE_CERT'
    if (beginsAnew || !this.#sessions.has(runId)) this.#sessions.set(runId, this.#openSession(run, plan))
    // The revision that is delivered is fixed here; a change that comes later waits for the next run.
    const prepare = (stored: Run): Run =>
      beginsAnew && stored.status === 'queued' ? { ...stored, planRevision: plan.revision } : stored
    return commitEvent(this.#dependencies, runId, { kind: 'started' }, { prepare })
  }

  async #failWithoutPlan(runId: RunId): Promise<Transition> {
    const started = await commitEvent(this.#dependencies, runId, { kind: 'started' })
    if (started.run.status !== 'running') return started
    return commitEvent(this.#dependencies, runId, { kind: 'stepFatal', diagnosis: planGone(started.run.planName) })
  }

  #openSession(run: Run, plan: Plan): Session {
    const { logs, logger, clock, publishProgress } = this.#dependencies
    const executor = executorOf(this.#executors, plan.kind)
    return {
      plan,
      executor,
      memory: executor.createMemory(),
      output: new RunOutput(run.id, logs, logger),
      progress: new ProgressFeed(clock, (progress) => publishProgress(run.id, progress)),
      locksHere: false,
    }
  }

  /** One state of a run: its work, then the commit of what came of it. */
  async #step(run: Run, signal: AbortSignal): Promise<Transition> {
    const session = this.#sessions.get(run.id)
    const node = await this.#dependencies.store.getNode(run.nodeId)
    if (session === undefined || node === null) {
      return commitEvent(this.#dependencies, run.id, { kind: 'stepFatal', diagnosis: planGone(run.planName) })
    }
    const context = this.#contextOf(run, node, session, signal)
    session.output.write(
      `${run.visits.length > 1 ? '\n' : ''}== ${run.state} (attempt ${run.attempts.length}) ${this.#time()}\n`,
    )
    if (run.state === 'ACQUIRE_LOCK') return this.#takeLocks(context, session)
    if (run.state === 'FAILED') throw new Error('FAILED has no work')
    const outcome = await doState(run.state, {
      dependencies: this.#dependencies,
      executor: session.executor,
      memory: session.memory,
      context,
    })
    if (signal.aborted) return { run: (await this.#dependencies.store.getRun(run.id)) ?? run, effects: [] }
    return this.#commitOutcome(context, session, outcome)
  }

  async #takeLocks(context: StepContext, session: Session): Promise<Transition> {
    let targets: readonly LockTarget[]
    try {
      targets = await session.executor.lockTargets(session.plan, context.node)
    } catch (error) {
      return this.#commitOutcome(context, session, outcomeOf(diagnosisOf(error)))
    }
    session.locksHere = targets.some(({ where }) => where === 'here')
    const request = { targets, nowMs: this.#dependencies.clock.nowMs(), log: context.log }
    return commitEvent(this.#dependencies, context.run.id, (transaction, run) => takeLocks(transaction, run, request))
  }

  async #commitOutcome(context: StepContext, session: Session, outcome: StepOutcome): Promise<Transition> {
    this.#describeOutcome(context, session, outcome)
    session.progress.flush()
    await this.#flushed(session.output)
    const learned = outcome.learned === undefined ? {} : { learned: outcome.learned }
    return commitEvent(this.#dependencies, context.run.id, this.#eventOf(outcome), learned)
  }

  #eventOf(outcome: StepOutcome): RunEvent {
    const patch = outcome.patch === undefined ? {} : { patch: outcome.patch }
    switch (outcome.kind) {
      case 'done':
        return { kind: 'stepDone', ...patch }
      case 'skipped':
        return { kind: 'stepSkipped', ...patch }
      case 'retry': {
        const from: { from?: RunState } = outcome.from === undefined ? {} : { from: outcome.from }
        return {
          kind: 'stepRetry',
          afterMs: this.#dependencies.config.retryDelayMs,
          diagnosis: outcome.diagnosis,
          ...from,
          ...patch,
        }
      }
      case 'fatal':
        return { kind: 'stepFatal', diagnosis: outcome.diagnosis, ...patch }
      case 'halt':
        return {
          kind: 'stepHalted',
          reason: outcome.reason,
          diagnosis: outcome.diagnosis,
          deletePreview: outcome.deletePreview ?? null,
        }
      default:
        return assertNever(outcome)
    }
  }

  #describeOutcome({ run }: StepContext, { output }: Session, outcome: StepOutcome): void {
    if (!('diagnosis' in outcome)) return
    const { code, sentence, evidence } = outcome.diagnosis
    output.write(
      `${run.state} ${outcome.kind}: ${code}: ${sentence}\n${evidence.map((line) => `  ${line}\n`).join('')}`,
    )
  }

  #contextOf(run: Run, node: FleetNode, session: Session, signal: AbortSignal): StepContext {
    const { plan, output, progress } = session
    return {
      run,
      node,
      plan,
      signal,
      log: (text) => output.write(`${text}\n`),
      output: (text) => output.write(text),
      progress: (value) => progress.offer(value),
    }
  }

  #time(): string {
    return new Date(this.#dependencies.clock.nowMs()).toISOString()
  }

  /** A log that hangs does not hold the run up for long. */
  async #flushed(output: RunOutput): Promise<void> {
    let timer: Timer | null = null
    const late = new Promise<void>((resolve) => {
      timer = this.#dependencies.clock.setTimer(flushTimeoutMs, resolve, { unref: true })
    })
    await Promise.race([output.flush(), late])
    ;(timer as Timer | null)?.cancel()
  }
}
