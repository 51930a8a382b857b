import { renameSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite3, { type Database } from 'better-sqlite3'
import type { RunId } from '../../shared/model/ids.ts'
import { Statements } from './statements.ts'

const fileName = 'short.sqlite'

/**
 * Logs of a few lines, together in one file: a file of its own for each would cost more than the run it tells about. Not
 * durable against power loss, like all logs, and whole or not at all.
 */
export class ShortLogs {
  readonly #database: Database
  readonly #statements: Statements
  readonly #appendAll: (entries: readonly ShortEntry[]) => number[]

  constructor(directory: string) {
    this.#database = openShort(join(directory, fileName))
    this.#statements = new Statements(this.#database)
    this.#appendAll = this.#database.transaction((entries: readonly ShortEntry[]) =>
      entries.map((entry) => this.#append(entry)),
    )
  }

  /** All or none. @returns the new sizes */
  appendAll(entries: readonly ShortEntry[]): number[] {
    return this.#appendAll(entries)
  }

  /** Null when it has no short log. */
  read(runId: RunId): Buffer | null {
    return this.#statements.values<Buffer>('SELECT body FROM logs WHERE run_id = ?').get(runId) ?? null
  }

  sizeBytes(runId: RunId): number {
    return this.#statements.values<number>('SELECT length(body) FROM logs WHERE run_id = ?').get(runId) ?? 0
  }

  remove(runId: RunId): void {
    this.#statements.change('DELETE FROM logs WHERE run_id = ?').run(runId)
  }

  list(): ShortLogRow[] {
    const text = 'SELECT run_id AS "runId", length(body) AS "sizeBytes", modified_at AS "modifiedAt" FROM logs'
    return this.#statements.rows<ShortLogRow>(text).all()
  }

  close(): void {
    this.#database.close()
  }

  #append({ runId, bytes, atMs }: ShortEntry): number {
    const text = `INSERT INTO logs (run_id, modified_at, body) VALUES (?, ?, ?) ON CONFLICT (run_id)
      DO UPDATE SET modified_at = excluded.modified_at, body = CAST(body || excluded.body AS BLOB)
      RETURNING length(body)`
    return this.#statements.values<number>(text).get(runId, atMs, Buffer.from(bytes)) ?? bytes.length
  }
}

export interface ShortEntry {
  readonly runId: RunId
  readonly bytes: Uint8Array
  readonly atMs: number
}

export interface ShortLogRow {
  readonly runId: RunId
  readonly sizeBytes: number
  readonly modifiedAt: number
}

/** A damaged one is put aside: what runs said is not worth an engine that does not start. */
function openShort(path: string): Database {
  try {
    return connect(path)
  } catch (error) {
    if (!(error instanceof BetterSqlite3.SqliteError) || !/CORRUPT|NOTADB/.test(error.code)) throw error
    renameSync(path, `${path}.damaged`)
    return connect(path)
  }
}

function connect(path: string): Database {
  const database = new BetterSqlite3(path, { timeout: 5_000 })
  try {
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = NORMAL')
    database.exec(
      'CREATE TABLE IF NOT EXISTS logs (run_id TEXT NOT NULL PRIMARY KEY, modified_at INTEGER NOT NULL, body BLOB NOT NULL) STRICT',
    )
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
