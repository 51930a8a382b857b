import type { RunId } from '../../shared/model/ids.ts'
import type { Run } from '../../shared/model/run.ts'

/** Runs that wait for their turn: oldest first, each not before its time. */
export class RunQueue {
  readonly #runs = new Map<RunId, Run>()
  /** Those of them that wait for somebody else's lock. */
  readonly #lockWaiters = new Set<RunId>()
  /** Ids in order; null after something was added. Times are in the ids, so they sort by age. */
  #order: RunId[] | null = []

  get size(): number {
    return this.#runs.size
  }

  put(run: Run): void {
    if (!this.#runs.has(run.id)) this.#order = null
    this.#runs.set(run.id, run)
    if (run.state === 'ACQUIRE_LOCK') this.#lockWaiters.add(run.id)
    else this.#lockWaiters.delete(run.id)
  }

  remove(runId: RunId): void {
    this.#runs.delete(runId)
    this.#lockWaiters.delete(runId)
  }

  /** Takes the oldest runs whose time has come. @param wants is asked for each of them in order; `enough` ends the search. */
  take(nowMs: number, wants: (run: Run) => boolean | 'enough'): Run[] {
    const taken: Run[] = []
    for (const id of this.#inOrder()) {
      const run = this.#runs.get(id)
      if (run === undefined || (run.notBefore ?? 0) > nowMs) continue
      const answer = wants(run)
      if (answer === 'enough') break
      if (answer) taken.push(run)
    }
    for (const run of taken) this.remove(run.id)
    return taken
  }

  /** Lets those go on at once that wait for a lock and are `concerned`. */
  wakeLockWaiters(concerned: (run: Run) => boolean): void {
    for (const id of this.#lockWaiters) {
      const run = this.#runs.get(id)
      if (run !== undefined && concerned(run)) this.#runs.set(id, { ...run, notBefore: null })
    }
  }

  /** When the next of those may begin that wait for a time after `nowMs`; null when none does. */
  nextDueMs(nowMs: number): number | null {
    let dueMs: number | null = null
    for (const { notBefore } of this.#runs.values()) {
      if (notBefore !== null && notBefore > nowMs && (dueMs === null || notBefore < dueMs)) dueMs = notBefore
    }
    return dueMs
  }

  #inOrder(): readonly RunId[] {
    // Those that were taken stay in the list until it is made anew, which is what removing them would cost each time.
    if (this.#order === null || this.#order.length > 2 * this.#runs.size + 16)
      this.#order = [...this.#runs.keys()].sort()
    return this.#order
  }
}
