import type { Database } from 'better-sqlite3'
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { databaseNewer, databaseOfOthers } from './databaseErrors.ts'

/** Kysely runs SQLite migrations outside of a transaction unless told that the DDL can be rolled back. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class TransactionalSqliteDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter()
  }
}

export interface MigrateOptions {
  readonly databaseFile: string
  readonly migrations: Readonly<Record<string, Migration>>
  /** Called before anything is changed in a database that holds data; names the first migration to come. */
  readonly backUp: (firstMigration: string) => Promise<void>
}

/**
 * Brings the database to the newest shape: all pending migrations in one transaction, or none.
 *
 * @throws AppError DATABASE_NEWER when it was written by a later version, CONFLICT when it is not ours; before anything is
 *   touched
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<void> {
  const known = Object.keys(options.migrations)
  const applied = appliedMigrations(database)
  const unknown = applied.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw databaseNewer(options.databaseFile, unknown)
  const [firstPending] = known.filter((name) => !applied.includes(name))
  if (firstPending === undefined) return
  if (applied.length > 0) await options.backUp(firstPending)
  await applyPending(database, options.migrations)
}

function appliedMigrations(database: Database): string[] {
  const table = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'kysely_migration'`).get()
  if (table === undefined) {
    const others = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()
    if (others !== 0) throw databaseOfOthers(database.name)
    return []
  }
  return database.prepare<[], string>('SELECT name FROM kysely_migration ORDER BY name').pluck().all()
}

async function applyPending(database: Database, migrations: Readonly<Record<string, Migration>>): Promise<void> {
  // The connection stays ours: Kysely gets no way to close it.
  const borrowed = { prepare: (text: string) => database.prepare<unknown[]>(text), close: () => undefined }
  const kysely = new Kysely<unknown>({ dialect: new TransactionalSqliteDialect({ database: borrowed }) })
  const migrator = new Migrator({ db: kysely, provider: { getMigrations: async () => ({ ...migrations }) } })
  const { error } = await migrator.migrateToLatest()
  await kysely.destroy()
  if (error !== undefined) throw error
}
