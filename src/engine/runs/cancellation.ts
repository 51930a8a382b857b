import { AppError } from '../../shared/errors.ts'
import type { RunId } from '../../shared/model/ids.ts'
import { isFinal, type Run, runStates } from '../../shared/model/run.ts'
import { commitEvent } from './commit.ts'
import type { Coordinator } from './coordinator.ts'
import type { RunServiceDependencies } from './dependencies.ts'
import { executorOf, type PlanExecutors } from './executor.ts'

/** From this state on something of ours may run on the node. */
const firstRemoteState = runStates.indexOf('PRE_FLIGHT_CHECK')

/** Stops runs on both sides and records whether the far side was proven to have stopped (F23, U26). */
export class Cancellations {
  readonly #dependencies: RunServiceDependencies
  readonly #executors: PlanExecutors
  readonly #coordinator: Coordinator
  readonly #stopping = new Map<RunId, Promise<Run>>()

  constructor(dependencies: RunServiceDependencies, executors: PlanExecutors, coordinator: Coordinator) {
    this.#dependencies = dependencies
    this.#executors = executors
    this.#coordinator = coordinator
  }

  async cancel(runId: RunId, by: string): Promise<Run> {
    const { run, effects } = await commitEvent(this.#dependencies, runId, { kind: 'cancelRequested', by })
    // An agent is told with its next report, stops by itself and says so.
    if (run.planKind === 'agent') return run
    if (effects.some((effect) => effect.kind === 'stopRemote')) return this.stop(runId)
    await this.#coordinator.cut(runId)
    if (isFinal(run.status)) this.#coordinator.released(run)
    // Somebody else asked before: both learn how it ended.
    return this.#stopping.get(runId) ?? run
  }

  /** Brings a cancel that was asked for to its end. */
  stop(runId: RunId): Promise<Run> {
    const known = this.#stopping.get(runId)
    if (known !== undefined) return known
    const stopping = this.#stop(runId).finally(() => this.#stopping.delete(runId))
    this.#stopping.set(runId, stopping)
    return stopping
  }

  /** Resolves when no stop is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#stopping.values())
  }

  async #stop(runId: RunId): Promise<Run> {
    await this.#coordinator.cut(runId)
    const { store } = this.#dependencies
    const run = await store.getRun(runId)
    if (run === null) throw new AppError('NOT_FOUND', `There is no run ${runId}.`, { data: { runId } })
    const node = await store.getNode(run.nodeId)
    const wasRemote = run.visits.some((visit) => runStates.indexOf(visit.state) >= firstRemoteState)
    const problem =
      wasRemote && node !== null ? await executorOf(this.#executors, run.planKind).stop({ run, node }) : null
    const event =
      problem === null
        ? ({ kind: 'stopConfirmed' } as const)
        : ({ kind: 'stopNotConfirmed', diagnosis: problem } as const)
    const ended = await commitEvent(this.#dependencies, runId, event)
    this.#coordinator.released(ended.run)
    return ended.run
  }
}
