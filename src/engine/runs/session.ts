import type { Timer } from '../../platform/clock.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Run } from '../../shared/model/run.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import { executorOf, type PlanExecutor, type PlanExecutors, type StepContext, type StepOutcome } from './executor.ts'
import { ProgressFeed } from './progressFeed.ts'
import { RunOutput } from './runOutput.ts'

const flushTimeoutMs = 2_000

/** What a run needs in memory from its first step to its last; the next process makes a new one. */
export class Session {
  readonly plan: Plan
  readonly executor: PlanExecutor<unknown>
  readonly memory: unknown
  readonly output: RunOutput
  readonly progress: ProgressFeed
  /** It wants a directory of this machine: a run for any node may stand in its way. */
  locksHere = false
  readonly #dependencies: SessionDependencies

  constructor(dependencies: SessionDependencies, executor: PlanExecutor<unknown>, run: Run, plan: Plan) {
    const { logs, logger, clock, publishProgress } = dependencies
    this.#dependencies = dependencies
    this.plan = plan
    this.executor = executor
    this.memory = executor.createMemory()
    this.output = new RunOutput(run.id, logs, logger)
    this.progress = new ProgressFeed(clock, (progress) => publishProgress(run.id, progress))
  }

  contextOf(run: Run, node: FleetNode, signal: AbortSignal): StepContext {
    const { plan, output, progress } = this
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

  /** The line that begins the part of a state in the log. */
  writeHeading({ state, attempts, visits }: Pick<Run, 'state' | 'attempts' | 'visits'>): void {
    const time = new Date(this.#dependencies.clock.nowMs()).toISOString()
    this.output.write(`${visits.length > 1 ? '\n' : ''}== ${state} (attempt ${attempts.length}) ${time}\n`)
  }

  /** Why a state did not end well. */
  writeOutcome(state: Run['state'], outcome: StepOutcome): void {
    if (!('diagnosis' in outcome)) return
    const { code, sentence, evidence } = outcome.diagnosis
    this.output.write(
      `${state} ${outcome.kind}: ${code}: ${sentence}\n${evidence.map((line) => `  ${line}\n`).join('')}`,
    )
  }

  /** Resolves when the log holds everything so far; a log that hangs does not hold the run up for long. */
  async flushed(): Promise<void> {
    this.progress.flush()
    const flushing = this.output.flush()
    if (flushing === null) return
    let timer: Timer | null = null
    const late = new Promise<void>((resolve) => {
      timer = this.#dependencies.clock.setTimer(flushTimeoutMs, resolve, { unref: true })
    })
    await Promise.race([flushing, late])
    ;(timer as Timer | null)?.cancel()
  }
}

type SessionDependencies = Pick<RunServiceDependencies, 'logs' | 'logger' | 'clock' | 'publishProgress'>

/** The sessions of this process. */
export class Sessions {
  readonly #dependencies: SessionDependencies
  readonly #executors: PlanExecutors
  readonly #open = new Map<RunId, Session>()

  constructor(dependencies: SessionDependencies, executors: PlanExecutors) {
    this.#dependencies = dependencies
    this.#executors = executors
  }

  /** True for plans that are delivered in one round trip. */
  isExpress({ planKind }: Pick<Run, 'planKind'>): boolean {
    return planKind !== 'agent' && this.#executors[planKind].express !== undefined
  }

  get(runId: RunId): Session | undefined {
    return this.#open.get(runId)
  }

  /** A new one in the place of any before. */
  open(run: Run, plan: Plan): Session {
    this.forget(run.id)
    const session = new Session(this.#dependencies, executorOf(this.#executors, plan.kind), run, plan)
    this.#open.set(run.id, session)
    return session
  }

  forget(runId: RunId): void {
    const session = this.#open.get(runId)
    session?.executor.forget?.(session.memory)
    this.#open.delete(runId)
  }
}
