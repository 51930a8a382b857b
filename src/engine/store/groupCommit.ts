import type { Database } from 'better-sqlite3'
import { storeCommitChannel } from './commitChannel.ts'
import type { Statements } from './statements.ts'

/** One unit of work. `run` may await; `finish` is its last write, done before its savepoint is released. */
export interface Work {
  run(): Promise<void>
  finish(): void
  /** Nothing of it remains in the database. */
  failed(error: unknown): void
  /** It is on disk. Called in order; must not throw. */
  committed(): void
}

const largestGroup = 256

/**
 * Runs units of work one after another and commits those that are waiting together: a sync to disk costs
 * milliseconds, and a fleet asks for hundreds at once. Each unit is its own savepoint, so one that fails takes nobody along;
 * only when the database gives up the transaction itself does the whole group fail.
 */
export class GroupCommit {
  readonly #database: Database
  readonly #statements: Statements
  readonly #explain: (error: unknown) => unknown
  readonly #waiting: Work[] = []
  #draining: Promise<void> | undefined

  constructor(database: Database, statements: Statements, explain: (error: unknown) => unknown) {
    this.#database = database
    this.#statements = statements
    this.#explain = explain
  }

  add(work: Work): void {
    this.#waiting.push(work)
    this.#draining ??= this.#drain()
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining
  }

  async #drain(): Promise<void> {
    // Whoever asks in the same turn shares the first commit.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#commitGroup()
    this.#draining = undefined
  }

  async #commitGroup(): Promise<void> {
    const group: Work[] = []
    if (!this.#begin()) return
    try {
      for (let work = this.#next(group); work !== undefined; work = this.#next(group)) {
        if (await this.#runInSavepoint(work)) group.push(work)
      }
      const beganMs = performance.now()
      this.#execute('COMMIT')
      if (storeCommitChannel.hasSubscribers) storeCommitChannel.publish({ durationMs: performance.now() - beganMs })
    } catch (error) {
      this.#abandon(group, error)
      return
    }
    for (const work of group) work.committed()
  }

  #begin(): boolean {
    try {
      this.#execute('BEGIN IMMEDIATE')
      return true
    } catch (error) {
      // The one that asked first hears of it; the next may find the obstacle gone.
      this.#waiting.shift()?.failed(this.#explain(error))
      return false
    }
  }

  #next(group: readonly Work[]): Work | undefined {
    return group.length < largestGroup ? this.#waiting.shift() : undefined
  }

  /** @returns false when the work failed alone. @throws when the transaction is gone */
  async #runInSavepoint(work: Work): Promise<boolean> {
    this.#execute('SAVEPOINT work')
    try {
      await work.run()
      work.finish()
      this.#execute('RELEASE work')
      return true
    } catch (error) {
      work.failed(this.#explain(error))
      if (!this.#database.inTransaction) throw error
      this.#execute('ROLLBACK TO work')
      this.#execute('RELEASE work')
      return false
    }
  }

  #abandon(group: readonly Work[], error: unknown): void {
    if (this.#database.inTransaction) this.#execute('ROLLBACK')
    const explained = this.#explain(error)
    for (const work of group) work.failed(explained)
  }

  #execute(text: string): void {
    this.#statements.change(text).run()
  }
}
