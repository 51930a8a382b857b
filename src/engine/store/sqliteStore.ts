import { AsyncLocalStorage } from 'node:async_hooks'
import type { Database } from 'better-sqlite3'
import { createChainVerifier, toAuditLine } from '../../core/audit/chain.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import type { AuditVerification } from '../../shared/model/audit.ts'
import type { EngineEvent } from '../../shared/model/event.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Store, StoreTransaction } from '../ports.ts'
import { type AuditRow, toAuditEntry } from './auditRows.ts'
import { backUpDatabase } from './backup.ts'
import { type CounterName, counterQuery } from './counters.ts'
import { explainDatabaseError } from './databaseErrors.ts'
import { GroupCommit } from './groupCommit.ts'
import { IdleCheckpoint } from './idleCheckpoint.ts'
import { migrations } from './migrations/index.ts'
import { NodeCache } from './nodeCache.ts'
import { inMemory, openDatabase, openReader } from './openDatabase.ts'
import { SqliteReader } from './sqliteReader.ts'
import { SqliteTransaction, sha256Hex } from './sqliteTransaction.ts'
import { Statements } from './statements.ts'

export interface OpenStoreOptions {
  /** A path, or `:memory:`. Its directory exists (`prepareHome`), and its home is ours (`acquireHomeLock`). */
  readonly databaseFile: string
  readonly backupsDirectory: string
  readonly clock: Pick<Clock, 'nowMs'>
  /** Hears of listeners that throw. */
  readonly logger?: Pick<Logger, 'error'>
  /** Events kept for watchers that were away. Default 20,000. */
  readonly keepEvents?: number
}

const defaultKeepEvents = 20_000
const auditPageRows = 2_000

/**
 * Opens the database of a home, migrating it after a backup where needed.
 *
 * @throws AppError DATABASE_CORRUPT, DATABASE_NEWER, HOME_NOT_WRITABLE, HOME_IN_USE, LOCAL_DISK_FULL; the file is then
 *   as it was
 */
export async function openStore(options: OpenStoreOptions): Promise<SqliteStore> {
  const { databaseFile, backupsDirectory, clock } = options
  const writer = await openDatabase({ databaseFile, backupsDirectory, nowMs: clock.nowMs(), migrations })
  return new SqliteStore(writer, databaseFile === inMemory ? undefined : openReader(databaseFile), options)
}

type CommitListener = (events: readonly EngineEvent[]) => void

/** The store on SQLite: one connection that writes, and for files one that reads what is committed. */
export class SqliteStore extends SqliteReader implements Store {
  readonly #writer: Database
  readonly #reader: Database | undefined
  readonly #writerStatements: Statements
  readonly #options: OpenStoreOptions
  readonly #commits: GroupCommit
  readonly #checkpoint: IdleCheckpoint
  readonly #listeners = new Set<CommitListener>()
  /** Which transaction the calling code is inside of, to turn a deadlock into an error. */
  readonly #current: AsyncLocalStorage<SqliteTransaction>
  #nodes: NodeCache | undefined
  #closed: Promise<void> | undefined

  constructor(writer: Database, reader: Database | undefined, options: OpenStoreOptions) {
    const writerStatements = new Statements(writer)
    const readerStatements = reader === undefined ? undefined : new Statements(reader)
    const current = new AsyncLocalStorage<SqliteTransaction>()
    const explain = (error: unknown): unknown => explainDatabaseError(error, options)
    super(async (query) => {
      assertOutside(current)
      // Without a connection of its own a read waits for the transaction before it, whose writes it would see half done.
      if (readerStatements === undefined) return this.#enqueue(async () => query(writerStatements))
      try {
        return query(readerStatements)
      } catch (error) {
        throw this.#closed === undefined ? explain(error) : storeClosed()
      }
    })
    this.#writer = writer
    this.#reader = reader
    this.#writerStatements = writerStatements
    this.#options = options
    this.#current = current
    this.#commits = new GroupCommit(writer, writerStatements, explain)
    this.#checkpoint = new IdleCheckpoint(writer)
    if (readerStatements !== undefined) this.#nodes = new NodeCache(() => readNodes(readerStatements))
  }

  override async listNodes(): Promise<FleetNode[]> {
    this.#assertReadable()
    return this.#nodes?.list() ?? super.listNodes()
  }

  override async getNode(id: NodeId): Promise<FleetNode | null> {
    this.#assertReadable()
    const known = this.#nodes?.get(id)
    return known === undefined ? super.getNode(id) : known
  }

  async transact<T>(body: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    assertOutside(this.#current)
    return this.#enqueue(body)
  }

  onCommitted(listener: CommitListener): () => void {
    // A wrapper each time: the same function may be given twice, and is then called twice.
    const entry: CommitListener = (events) => listener(events)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  headSeq(): Promise<number> {
    return this.#readCounter('event_seq')
  }

  oldestSeq(): Promise<number> {
    return this.#readCounter('oldest_event_seq')
  }

  async eventsAfter(seq: number, limit: number): Promise<EngineEvent[]> {
    const text = 'SELECT seq, at, change FROM events WHERE seq > ? ORDER BY seq LIMIT ?'
    const rows = await this.read((statements) =>
      statements.rows<{ seq: number; at: number; change: string }>(text).all(seq, limit),
    )
    return rows.map(({ change, ...event }) => ({ ...event, change: JSON.parse(change) as EngineEvent['change'] }))
  }

  /** Rows appended meanwhile are not part of the answer. */
  async verifyAudit(): Promise<AuditVerification> {
    const verifier = createChainVerifier(sha256Hex)
    const lastSeq = await this.#readCounter('audit_seq')
    for await (const rows of this.#auditPages(lastSeq)) for (const row of rows) verifier.add(toAuditEntry(row))
    return verifier.result(lastSeq)
  }

  /** The whole audit log, oldest first, as lines for `verifyAuditLines`; without line breaks. */
  async *exportAudit(): AsyncGenerator<string> {
    const lastSeq = await this.#readCounter('audit_seq')
    for await (const rows of this.#auditPages(lastSeq)) for (const row of rows) yield toAuditLine(toAuditEntry(row))
  }

  /** Lets other work go on between pages. */
  async *#auditPages(lastSeq: number): AsyncGenerator<readonly AuditRow[]> {
    const text = 'SELECT * FROM audit WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?'
    let position = Number.MIN_SAFE_INTEGER
    for (;;) {
      const rows = await this.read((statements) =>
        statements.rows<AuditRow>(text).all(position, lastSeq, auditPageRows),
      )
      yield rows
      if (rows.length < auditPageRows) return
      position = rows.at(-1)?.seq ?? position
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /**
   * Writes a consistent copy of everything committed into the backups directory.
   *
   * @returns its path
   * @throws AppError UNSUPPORTED for a store in memory, LOCAL_DISK_FULL, HOME_NOT_WRITABLE
   */
  async backUp(label: string): Promise<string> {
    const { backupsDirectory, clock } = this.#options
    if (this.#reader === undefined) throw new AppError('UNSUPPORTED', 'a store in memory is not backed up')
    try {
      // Through the reader: a transaction may be open on the writer.
      return await backUpDatabase(this.#reader, { backupsDirectory, nowMs: clock.nowMs(), label })
    } catch (error) {
      throw explainDatabaseError(error, this.#options)
    }
  }

  /** Waits for what was asked before; later calls are refused. */
  close(): Promise<void> {
    this.#closed ??= this.#commits.idle().then(() => {
      this.#checkpoint.stop()
      this.#reader?.close()
      this.#writer.close()
    })
    return this.#closed
  }

  #assertReadable(): void {
    assertOutside(this.#current)
    if (this.#reader?.open === false) throw storeClosed()
  }

  #readCounter(name: CounterName): Promise<number> {
    return this.read((statements) => Number(statements.integers(counterQuery).get(name) ?? 0n))
  }

  #enqueue<T>(body: (transaction: SqliteTransaction) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(storeClosed())
    return new Promise<T>((resolve, reject) => {
      let transaction: SqliteTransaction | undefined
      let result: T
      this.#commits.add({
        run: async () => {
          const { clock, keepEvents = defaultKeepEvents } = this.#options
          const cache = this.#nodes === undefined ? {} : { nodes: this.#nodes }
          const opened = new SqliteTransaction(this.#writerStatements, { nowMs: clock.nowMs(), keepEvents, ...cache })
          transaction = opened
          result = await this.#current.run(opened, () => body(opened))
        },
        finish: () => transaction?.finish(),
        failed: (error) => {
          transaction?.abandoned()
          reject(error)
        },
        committed: () => {
          this.#checkpoint.committed()
          transaction?.committed()
          this.#notify(transaction?.events ?? [])
          resolve(result)
        },
      })
    })
  }

  #notify(events: readonly EngineEvent[]): void {
    if (events.length === 0) return
    for (const listener of [...this.#listeners]) {
      try {
        listener(events)
      } catch (error) {
        this.#options.logger?.error({ err: error }, 'a listener of committed events failed')
      }
    }
  }
}

function readNodes(statements: Statements): FleetNode[] {
  return statements
    .values<string>('SELECT body FROM nodes')
    .all()
    .map((body) => JSON.parse(body) as FleetNode)
}

function assertOutside(current: AsyncLocalStorage<SqliteTransaction>): void {
  if (current.getStore()?.isOpen !== true) return
  throw new AppError('INTERNAL', 'inside of a transaction the store is asked through the transaction only')
}

function storeClosed(): AppError {
  return new AppError('ENGINE_UNAVAILABLE', 'the store is closed')
}
