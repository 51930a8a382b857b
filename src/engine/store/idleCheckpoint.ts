import type { Database } from 'better-sqlite3'

const quietMs = 500

/**
 * Moves what was committed from the write-ahead log into the database when nobody commits: in the middle of a fan-out
 * it would hold up everything for as long as the commits themselves.
 */
export class IdleCheckpoint {
  readonly #database: Database
  #timer: NodeJS.Timeout | null = null
  #commits = 0

  constructor(database: Database) {
    this.#database = database
  }

  committed(): void {
    this.#commits += 1
    this.#timer ??= this.#look(this.#commits)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #look(commitsBefore: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = null
      if (this.#commits !== commitsBefore) this.#timer = this.#look(this.#commits)
      // Passive: waits for nobody. A reader in the way leaves the rest for the next quiet moment.
      else if (this.#database.open) this.#database.pragma('wal_checkpoint(PASSIVE)')
    }, quietMs).unref()
  }
}
