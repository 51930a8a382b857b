import { mayTakeRoundTrip } from '../../core/run/express.ts'
import type { RunId } from '../../shared/model/ids.ts'
import { isFinal, type Run } from '../../shared/model/run.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import type { PlanExecutors } from './executor.ts'
import { ExpressLane } from './expressLane.ts'
import { Lane } from './lane.ts'
import { Sessions } from './session.ts'
import { StepwiseWork } from './stepwise.ts'

/**
 * Works on queued runs, oldest first: those that are one round trip in the express lane, all others state by state,
 * bounded in number. Which run may touch a directory is decided by the locks in the store alone.
 */
export class Coordinator {
  readonly #sessions: Sessions
  readonly #stepwise: Lane
  readonly #express: ExpressLane
  #accepting = false

  constructor(dependencies: RunServiceDependencies, executors: PlanExecutors) {
    const { clock, logger, config } = dependencies
    this.#sessions = new Sessions(dependencies, executors)
    const stepwise = new StepwiseWork(dependencies, this.#sessions)
    const onEnded = (run: Run): void => this.#ended(run)
    this.#stepwise = new Lane({
      clock,
      logger,
      admit: (queue, { nowMs, active }) => {
        let free = config.maxParallelRuns - active
        return queue.take(nowMs, () => {
          free -= 1
          return free >= 0 ? true : 'enough'
        })
      },
      work: (run, signal) => stepwise.work(run.id, signal),
      onEnded,
    })
    this.#express = new ExpressLane({ dependencies, sessions: this.#sessions, stepwise, onEnded })
  }

  /** Begins to work on what is queued. */
  async open(): Promise<void> {
    this.#accepting = true
    this.#stepwise.open()
    await this.#express.open()
  }

  /** Cuts what runs; resolves when nothing works any more and every cut is committed. */
  async close(): Promise<void> {
    this.#accepting = false
    await Promise.all([this.#stepwise.close(), this.#express.close()])
  }

  enqueue(runs: readonly Run[]): void {
    for (const run of runs) {
      if (run.status !== 'queued' || run.planKind === 'agent') continue
      if (this.#sessions.isExpress(run) && mayTakeRoundTrip(run)) this.#express.put(run)
      else this.#stepwise.put(run)
    }
    this.#pump()
  }

  /** Ends the work on a run here; resolves when it has ended. */
  async cut(runId: RunId): Promise<void> {
    await Promise.all([this.#stepwise.cut(runId), this.#express.cut(runId)])
  }

  /** The run is final or halted: forget it and let those go on that waited for its locks. */
  released(run: Run): void {
    this.#sessions.forget(run.id)
    const concerned = (waiting: Run): boolean =>
      waiting.nodeId === run.nodeId || this.#sessions.get(waiting.id)?.locksHere === true
    this.#stepwise.wakeLockWaiters(concerned)
    this.#express.wakeLockWaiters(concerned)
    this.#pump()
  }

  #ended(run: Run): void {
    if (run.status === 'queued' && this.#accepting) this.enqueue([run])
    if (isFinal(run.status) || run.status === 'halted') this.released(run)
  }

  #pump(): void {
    this.#stepwise.pump()
    this.#express.pump()
  }
}
