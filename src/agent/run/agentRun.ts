import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../../core/agent/duration.ts'
import type { LockContent } from '../../core/agent/lock.ts'
import { unexpected } from '../../core/run/causes.ts'
import { type RunEvent, resumeStateOf, transition } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logging } from '../../platform/logger.ts'
import { AppError, assertNever, toAppError } from '../../shared/errors.ts'
import { isFinal, type Run, type RunState } from '../../shared/model/run.ts'
import type { AgentSetup } from '../config.ts'
import type { ControlPlane } from '../control/controlPlane.ts'
import { ensureCertificate } from './certificate.ts'
import { emptyMemory, type RunMemory, type StepContext } from './context.ts'
import { rememberDuration } from './durations.ts'
import { adopt, Journal, type JournalRecord } from './journal.ts'
import { endOrphans } from './orphans.ts'
import { eventOf, outcomeOf, type StepOutcome } from './outcome.ts'
import { preflight } from './preflight.ts'
import { Reporter, reportedState } from './reporter.ts'
import { LockedOut, RunLock } from './runLock.ts'
import { RunLog, runLogPath } from './runLog.ts'
import { sendSpooled, spoolReport } from './spool.ts'
import { finalize, register, report } from './steps.ts'
import { removeTemporaries } from './temporaries.ts'
import { transferStep } from './transfer.ts'
import { verify } from './verify.ts'

/** What a run is done with. */
export interface AgentRuntime {
  readonly setup: AgentSetup
  readonly controlPlane: ControlPlane
  readonly clock: Clock
  readonly logging: Logging
  /** Called after every durable change. */
  readonly onChange?: (record: JournalRecord) => void
}

export type RunResult =
  /** Final or halted. `reported`: the control plane knows; otherwise the report waits in the spool. */
  | { readonly kind: 'ended'; readonly run: Run; readonly reported: boolean; readonly problem: string | null }
  | { readonly kind: 'locked-out'; readonly holder: LockContent }
  /** We were told to stop; the next start goes on with it. */
  | { readonly kind: 'interrupted'; readonly run: Run }

/** Another process has gone on with this run since we looked. */
class JournalMoved extends Error {}

/** The control plane knows this run as over. */
class AlreadyOver extends Error {
  readonly run: Run
  constructor(run: Run) {
    super('the run is over')
    this.run = run
  }
}

const reportWithinMs = 15_000
const reportBeforeExitMs = 2_000
const mostRestarts = 5

export interface RunOrder {
  readonly record: JournalRecord
  readonly signal: AbortSignal
  /** Done to the run before it goes on. */
  readonly first?: Extract<RunEvent, { kind: 'approved' | 'cancelRequested' }>
}

/** Carries a run to its end, or as far as it goes. */
export async function executeRun(runtime: AgentRuntime, order: RunOrder): Promise<RunResult> {
  for (let tries = 1; ; tries += 1) {
    const journal = await Journal.open(runtime.setup.state.runs, order.record)
    const run = new AgentRun(runtime, journal, order.signal)
    try {
      return await run.execute(order.first)
    } catch (error) {
      if (!(error instanceof JournalMoved) || tries >= mostRestarts) throw error
    }
  }
}

/** One process at work on one run: journal first, then the effect, then the next state. */
class AgentRun {
  readonly #runtime: AgentRuntime
  readonly #journal: Journal
  readonly #signal: AbortSignal
  readonly #log: RunLog
  readonly #reporter: Reporter
  readonly #lock: RunLock
  readonly #memory: RunMemory = emptyMemory()
  readonly #step = new AbortController()
  readonly #stop = (): void => this.#step.abort()
  #cancelBy: string | null = null

  constructor(runtime: AgentRuntime, journal: Journal, signal: AbortSignal) {
    this.#runtime = runtime
    this.#journal = journal
    this.#signal = signal
    this.#log = new RunLog(runLogPath(runtime.setup.logDirectory, journal.record.key), runtime.logging.redact)
    this.#reporter = new Reporter({
      controlPlane: runtime.controlPlane,
      log: this.#log,
      logger: runtime.logging.logger,
      clock: runtime.clock,
      onCancel: (by) => this.#cancel(by),
      onAhead: (sequence) => this.#moveAhead(sequence),
    })
    const { setup, logging } = runtime
    this.#lock = new RunLock({ setup, logger: logging.logger, log: this.#log }, () => journal.record)
    signal.addEventListener('abort', this.#stop, { once: true })
  }

  get #run(): Run {
    return this.#journal.record.run
  }

  async execute(first: RunOrder['first']): Promise<RunResult> {
    try {
      await this.#takeUp(first)
      await this.#work()
      if (this.#run.status === 'queued' || this.#run.status === 'running') return await this.#leave()
      return await this.#end()
    } catch (error) {
      return await this.#breakOff(error)
    } finally {
      this.#signal.removeEventListener('abort', this.#stop)
      this.#log.close()
    }
  }

  /** A run that was cut goes on where the machine says; with its proof committed it needs the lock before anything else. */
  async #takeUp(first: RunOrder['first']): Promise<void> {
    // Its end is durable, but whoever wrote it may have died with the lock in hand: released with the report.
    if (isFinal(this.#run.status)) return this.#lock.takeOver()
    const cut = this.#run.visits.length > 0 && this.#run.status !== 'halted'
    const late = cut && (resumeStateOf(this.#run) === 'REPORT' || resumeStateOf(this.#run) === 'FINALIZE')
    if (late || this.#run.cancellation !== null) await this.#lockFirst()
    if (cut) await this.#apply({ kind: 'interrupted' })
    if (first !== undefined) await this.#apply(first)
    if (this.#run.status === 'queued') await this.#waitAndStart()
  }

  async #lockFirst(): Promise<void> {
    const outcome = await this.#acquireLock()
    if (outcome.kind === 'fatal') throw new AppError(outcome.diagnosis.code, outcome.diagnosis.sentence)
  }

  async #work(): Promise<void> {
    while (this.#run.status === 'running' || this.#run.status === 'queued') {
      if (this.#run.cancellation !== null) await this.#apply({ kind: 'stopConfirmed' })
      else if (this.#cancelBy !== null) await this.#applyCancel(this.#cancelBy)
      else if (this.#signal.aborted) return
      else if (this.#run.status === 'queued') await this.#waitAndStart()
      else await this.#doState(this.#run.state)
    }
  }

  async #doState(state: RunState): Promise<void> {
    this.#log.line(`== ${state} (attempt ${this.#run.attempts.length}) ${this.#utc()}`)
    const outcome = await this.#outcomeOf(state)
    // What was cut says nothing; what cut it is dealt with next.
    if (this.#step.signal.aborted) return
    if ('diagnosis' in outcome) this.#log.line(outcome.diagnosis.sentence)
    const retryAfterMs = backoffMs(this.#run.tries, Math.random(), { firstMs: 2_000, mostMs: 30_000 })
    await this.#apply(eventOf(outcome, retryAfterMs))
  }

  async #outcomeOf(state: RunState): Promise<StepOutcome> {
    try {
      return await this.#stepWork(state)
    } catch (error) {
      if (error instanceof LockedOut || error instanceof JournalMoved || error instanceof AlreadyOver) throw error
      return outcomeOf(diagnosisOf(error))
    }
  }

  #stepWork(state: RunState): Promise<StepOutcome> | StepOutcome {
    const context = this.#context()
    switch (state) {
      case 'INIT':
        return this.#init(context)
      case 'ENSURE_CERT':
        return ensureCertificate(context, this.#runtime.controlPlane)
      case 'ACQUIRE_LOCK':
        return this.#acquireLock()
      case 'REGISTER_RUN':
        return this.#register(context)
      case 'PRE_FLIGHT_CHECK':
        return preflight(context)
      case 'PUSH_SYNC':
        return transferStep(context, 'push')
      case 'PULL_SYNC':
        return transferStep(context, 'pull')
      case 'VERIFY':
        return verify(context)
      case 'REPORT':
        return report(context)
      case 'FINALIZE':
        return finalize(context)
      case 'FAILED':
        throw new Error('FAILED has no work')
      default:
        return assertNever(state)
    }
  }

  /** INIT: the configuration is loaded, the log is open, and the files of this agent are where they belong (S0.42-44). */
  #init({ setup, run, log }: StepContext): StepOutcome {
    log(`run under key ${run.idempotencyKey}, asked for by ${run.requestedBy}`)
    log(`configuration ${setup.layout.configFile}, state ${setup.state.directory}, lock ${setup.config.lock_file}`)
    return { kind: 'done' }
  }

  /** S0.46-52, D5, D7. The journal becomes ours together with the lock. */
  async #acquireLock(): Promise<StepOutcome> {
    const outcome = await this.#lock.take()
    if (outcome.kind !== 'done') return outcome
    if (!(await this.#journal.claim())) throw new JournalMoved()
    await removeTemporaries(this.#runtime.setup)
    const { runId } = this.#journal.record
    if (runId !== null) this.#reporter.start(runId, 0)
    return this.#endOrphans()
  }

  async #endOrphans(): Promise<StepOutcome> {
    const { ended, allGone } = await endOrphans(this.#runtime.setup.config.lock_file)
    if (ended > 0) this.#log.line(`ended ${ended} transfers that an earlier agent left behind`)
    if (allGone) return { kind: 'done' }
    const sentence = 'A transfer of an earlier agent still runs on this machine and cannot be ended. End it first.'
    return { kind: 'fatal', diagnosis: unexpected('STOP_NOT_CONFIRMED', sentence) }
  }

  /** S0.58-60, S0.87, S0.88. The run id is durable, and in the lock, before anything follows from it. */
  async #register(context: StepContext): Promise<StepOutcome> {
    const { key, requestedBy, spec, run, runId } = this.#journal.record
    const body = { requestedBy, spec, startedAt: run.startedAt ?? run.createdAt }
    let answer: Awaited<ReturnType<typeof register>>
    try {
      answer = await register(context, this.#runtime.controlPlane, { key, body })
    } catch (error) {
      return { kind: 'fatal', diagnosis: diagnosisOf(error) }
    }
    if (runId !== null && answer.run.id !== runId) return { kind: 'fatal', diagnosis: otherRun(runId, answer.run.id) }
    // Halted, and our journal of it is lost: nobody here may lift that.
    const isOver = isFinal(answer.run.status) || (runId === null && answer.run.status === 'halted')
    if (isOver) throw new AlreadyOver(answer.run)
    const adopted = adopt(this.#journal.record, answer.run, this.#runtime.clock.nowMs())
    await this.#journal.write({ runId: answer.run.id, run: adopted })
    const named = await this.#lock.writeRunId()
    if (named.kind !== 'done') return named
    this.#reporter.start(answer.run.id, answer.logBytes)
    this.#tellReporter()
    this.#log.line(`registered as ${answer.run.id}`)
    return { kind: 'done' }
  }

  /** Journal first, then everybody else, then the effects. */
  async #apply(event: RunEvent): Promise<void> {
    const { run, effects } = transition(this.#run, event, { nowMs: this.#runtime.clock.nowMs() })
    if (run === this.#run) return
    await this.#journal.write({ run })
    this.#tellReporter()
    for (const effect of effects) if (effect.kind === 'releaseLock') await this.#lock.release()
  }

  #tellReporter(): void {
    const { sequence, run } = this.#journal.record
    this.#reporter.update(sequence, run)
    this.#runtime.onChange?.(this.#journal.record)
  }

  async #moveAhead(sequence: number): Promise<void> {
    await this.#journal.write({ sequence })
    this.#tellReporter()
  }

  async #waitAndStart(): Promise<void> {
    const waitMs = (this.#run.notBefore ?? 0) - this.#runtime.clock.nowMs()
    if (waitMs > 0) await delay(waitMs, undefined, { signal: this.#step.signal }).catch(() => undefined)
    if (!this.#step.signal.aborted) await this.#apply({ kind: 'started' })
  }

  #cancel(by: string): void {
    if (this.#cancelBy !== null || isFinal(this.#run.status)) return
    this.#cancelBy = by
    this.#step.abort()
  }

  /**
   * The step is over and its programs are gone when this runs. The end of the connection ends rsync on storage; nobody
   * else than its sshd could prove that.
   */
  async #applyCancel(by: string): Promise<void> {
    this.#log.line(`canceled by ${by}`)
    await this.#apply({ kind: 'cancelRequested', by })
    await this.#apply({ kind: 'stopConfirmed' })
  }

  /** The run has ended or is halted: say so, or keep the report until it can be said (S0.84, D8). */
  async #end(): Promise<RunResult> {
    await this.#lock.release()
    const { run, runId, sequence } = this.#journal.record
    if (run.status === 'succeeded' && run.summary !== null) {
      await rememberDuration(this.#runtime.setup.state.durations, run.summary.durationMs).catch(() => undefined)
    }
    if (runId !== null) this.#reporter.start(runId, 0)
    this.#reporter.update(sequence, run)
    const reported = runId !== null && (await this.#reporter.finish(reportWithinMs))
    const problem = reported ? null : await this.#spool()
    if (run.status !== 'halted') await this.#journal.remove()
    return { kind: 'ended', run, reported: reported || problem === null, problem }
  }

  /** @returns null when it could be sent after all, else why it waits */
  async #spool(): Promise<string | null> {
    const { key, runId, requestedBy, spec, sequence, run } = this.#journal.record
    const { setup, controlPlane, clock, logging } = this.#runtime
    await spoolReport(setup.state.spool, {
      format: 1,
      key,
      runId,
      register: { requestedBy, spec, startedAt: run.startedAt ?? run.createdAt },
      sequence: Math.max(1, sequence),
      run: reportedState(run),
      logPath: this.#log.path,
      writtenAtMs: clock.nowMs(),
    })
    const error = this.#reporter.lastError
    if (runId === null && (await sendSpooled(setup.state.spool, controlPlane, logging.logger)) === 0) return null
    return `The control plane does not know how this run ended; the report waits in ${setup.state.spool}.${error === null ? '' : ` ${error.message}`}`
  }

  /** We were told to stop. The journal keeps the run; the next start goes on with it. */
  async #leave(): Promise<RunResult> {
    await this.#apply({ kind: 'interrupted' })
    await this.#lock.release()
    await this.#reporter.finish(reportBeforeExitMs)
    return { kind: 'interrupted', run: this.#run }
  }

  async #breakOff(error: unknown): Promise<RunResult> {
    await this.#lock.release()
    await this.#reporter.finish(0)
    if (error instanceof AlreadyOver) {
      await this.#journal.remove()
      return { kind: 'ended', run: error.run, reported: true, problem: null }
    }
    if (error instanceof LockedOut) {
      await this.#journal.discardDraft()
      return { kind: 'locked-out', holder: error.holder }
    }
    if (error instanceof JournalMoved) await this.#journal.discardDraft()
    throw error instanceof JournalMoved ? error : toAppError(error)
  }

  #context(): StepContext {
    const { setup, clock } = this.#runtime
    return {
      setup,
      clock,
      run: this.#run,
      memory: this.#memory,
      signal: this.#step.signal,
      log: (text) => this.#log.line(text),
      output: (text) => this.#log.write(text),
    }
  }

  #utc(): string {
    return new Date(this.#runtime.clock.nowMs()).toISOString()
  }
}

const otherRun = (known: string, given: string) =>
  unexpected(
    'CONFLICT',
    `The control plane answered the same key with another run (${given}, not ${known}): it has lost this one. Nothing was sent. Start a new run.`,
  )
