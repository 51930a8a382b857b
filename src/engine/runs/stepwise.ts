import { planGone } from '../../core/run/causes.ts'
import type { Transition } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { Run } from '../../shared/model/run.ts'
import { commitEvent } from './commit.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import { type LockTarget, outcomeOf, type StepContext, type StepOutcome } from './executor.ts'
import { eventOf } from './outcomeEvents.ts'
import type { Session, Sessions } from './session.ts'
import { doState, takeLocks } from './steps.ts'

/** The work on a run state by state, each transition committed before its effect. */
export class StepwiseWork {
  readonly #dependencies: RunServiceDependencies
  readonly #sessions: Sessions

  constructor(dependencies: RunServiceDependencies, sessions: Sessions) {
    this.#dependencies = dependencies
    this.#sessions = sessions
  }

  /** @returns the run when it does not work any more: final, halted, waiting, canceled, or cut by `signal`. */
  async work(runId: RunId, signal: AbortSignal): Promise<Run> {
    return this.goOn((await this.#start(runId)).run, signal)
  }

  /** The same for a run that is running already, with its session. */
  async goOn(running: Run, signal: AbortSignal): Promise<Run> {
    let run = running
    while (run.status === 'running' && run.cancellation === null) {
      run = (await this.#step(run, signal)).run
      if (signal.aborted && run.status === 'running' && run.cancellation === null) {
        run = (await commitEvent(this.#dependencies, run.id, { kind: 'interrupted' })).run
      }
    }
    return run
  }

  async #start(runId: RunId): Promise<Transition> {
    const { store } = this.#dependencies
    const run = await store.getRun(runId)
    const plan = run === null ? null : await store.getPlan(run.planId)
    if (run === null || plan === null) return this.#failWithoutPlan(runId)
    const beginsAnew = run.state === 'INIT' || run.state === 'ENSURE_CERT'
    if (beginsAnew || this.#sessions.get(runId) === undefined) this.#sessions.open(run, plan)
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

  /** One state of a run: its work, then the commit of what came of it. */
  async #step(run: Run, signal: AbortSignal): Promise<Transition> {
    const session = this.#sessions.get(run.id)
    const node = await this.#dependencies.store.getNode(run.nodeId)
    if (session === undefined || node === null) {
      return commitEvent(this.#dependencies, run.id, { kind: 'stepFatal', diagnosis: planGone(run.planName) })
    }
    const context = session.contextOf(run, node, signal)
    session.writeHeading(run)
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

  async #commitOutcome({ run }: StepContext, session: Session, outcome: StepOutcome): Promise<Transition> {
    session.writeOutcome(run.state, outcome)
    await session.flushed()
    const learned = outcome.learned === undefined ? {} : { learned: outcome.learned }
    return commitEvent(this.#dependencies, run.id, eventOf(outcome, this.#dependencies.config), learned)
  }
}
