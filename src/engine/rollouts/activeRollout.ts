import { outcomeOfNode, outcomeOfRun } from '../../core/rollout/outcomes.ts'
import type { RolloutProgress } from '../../core/rollout/plan.ts'
import type { Timer } from '../../platform/clock.ts'
import type { NodeId, RunId } from '../../shared/model/ids.ts'
import type { NodeOutcome, Rollout } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'

/** A rollout that is not over, with what is known of its runs. */
export class ActiveRollout {
  progress: RolloutProgress
  /** As it is in the store. */
  kept: Rollout
  /** Armed while something is to be kept. */
  timer: Timer | null = null
  readonly #outcomes = new Map<RunId, NodeOutcome>()
  readonly #runs = new Map<NodeId, RunId[]>()
  readonly #touched = new Set<NodeId>()

  constructor(progress: RolloutProgress) {
    this.progress = progress
    this.kept = progress.rollout
  }

  /** Runs that were registered for it. */
  add(runs: readonly Run[]): void {
    for (const run of runs) {
      const known = this.#runs.get(run.nodeId)
      if (known === undefined) this.#runs.set(run.nodeId, [run.id])
      else if (!known.includes(run.id)) known.push(run.id)
      this.note(run)
    }
  }

  /** A newer version of one of its runs. @returns false when it says nothing new */
  note(run: Run): boolean {
    const outcome = outcomeOfRun(run)
    if (outcome === null) return false
    this.#outcomes.set(run.id, outcome)
    this.#touched.add(run.nodeId)
    return true
  }

  /** Nodes whose runs have all come to their end since this was asked last. */
  takeSettled(): Map<NodeId, NodeOutcome> {
    const settled = new Map<NodeId, NodeOutcome>()
    for (const nodeId of this.#touched) {
      const runIds = this.#runs.get(nodeId)
      if (runIds === undefined) continue
      this.#touched.delete(nodeId)
      if (!this.progress.running.has(nodeId)) continue
      const outcome = outcomeOfNode(runIds.map((runId) => this.#outcomes.get(runId) ?? null))
      if (outcome !== null) settled.set(nodeId, outcome)
    }
    return settled
  }

  /** Runs of nodes that are being worked on, without those that have come to their end. */
  openRuns(): RunId[] {
    return [...this.progress.running].flatMap((nodeId) =>
      (this.#runs.get(nodeId) ?? []).filter((runId) => !this.#outcomes.has(runId)),
    )
  }
}
