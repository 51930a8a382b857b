import type { RunId } from '../../shared/model/ids.ts'

interface Work {
  readonly abort: AbortController
  readonly ended: Promise<void>
}

/** What is being worked on here, and how to cut it. */
export class ActiveWork {
  readonly #working = new Map<RunId, Work>()

  get size(): number {
    return this.#working.size
  }

  has(runId: RunId): boolean {
    return this.#working.has(runId)
  }

  /** @param work never rejects */
  begin(runId: RunId, work: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController()
    const ended = work(abort.signal).finally(() => this.#working.delete(runId))
    this.#working.set(runId, { abort, ended })
  }

  /** Resolves when the work on this run has ended. */
  async cut(runId: RunId): Promise<void> {
    const work = this.#working.get(runId)
    work?.abort.abort()
    await work?.ended
  }

  async cutAll(): Promise<void> {
    const working = [...this.#working.values()]
    for (const work of working) work.abort.abort()
    await Promise.all(working.map((work) => work.ended))
  }
}
