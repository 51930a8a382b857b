import { chmodSync } from 'node:fs'
import BetterSqlite3, { type Database } from 'better-sqlite3'
import type { Migration } from 'kysely/migration'
import { explainFileError } from '../../platform/fileErrors.ts'
import { backUpDatabase } from './backup.ts'
import { databaseCorrupt, explainDatabaseError } from './databaseErrors.ts'
import { migrate } from './migrate.ts'

export const inMemory = ':memory:'

export interface OpenDatabaseOptions {
  /** A path, or `:memory:`. */
  readonly databaseFile: string
  readonly backupsDirectory: string
  readonly nowMs: number
  readonly migrations: Readonly<Record<string, Migration>>
}

/**
 * Opens, checks and migrates the database, and returns its one writing connection.
 *
 * @throws AppError DATABASE_CORRUPT, DATABASE_NEWER, HOME_NOT_WRITABLE, HOME_IN_USE, LOCAL_DISK_FULL; the file is then
 *   as it was
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { databaseFile } = options
  let database: Database | undefined
  try {
    database = connect(databaseFile)
    assertSound(database)
    configureWriter(database)
    await migrate(database, {
      databaseFile,
      migrations: options.migrations,
      backUp: (firstMigration) => backUpBefore(firstMigration, database as Database, options),
    })
    return database
  } catch (error) {
    database?.close()
    if (error instanceof DamagedDatabase) throw databaseCorrupt(options, error.message)
    throw explainDatabaseError(explainFileError(error, databaseFile), options)
  }
}

class DamagedDatabase extends Error {}

function connect(databaseFile: string): Database {
  const database = new BetterSqlite3(databaseFile, { timeout: 5_000 })
  if (databaseFile !== inMemory) chmodSync(databaseFile, 0o600)
  return database
}

function assertSound(database: Database): void {
  const finding = database.pragma('quick_check(1)', { simple: true })
  if (finding !== 'ok') throw new DamagedDatabase(String(finding))
}

function configureWriter(database: Database): void {
  database.pragma('journal_mode = WAL')
  // A run that was acknowledged survives the loss of power.
  database.pragma('synchronous = FULL')
  // Moving the log into the database is left to quiet moments; at 64 MB it is done at the next commit.
  database.pragma(`wal_autocheckpoint = ${(64 * 1024 * 1024) / 4096}`)
  database.pragma('foreign_keys = ON')
  database.pragma('trusted_schema = OFF')
}

/** A second connection that sees what is committed and cannot write. Not for `:memory:`. */
export function openReader(databaseFile: string): Database {
  const database = new BetterSqlite3(databaseFile, { readonly: true, fileMustExist: true, timeout: 5_000 })
  database.pragma('trusted_schema = OFF')
  return database
}

async function backUpBefore(firstMigration: string, database: Database, options: OpenDatabaseOptions): Promise<void> {
  if (options.databaseFile === inMemory) return
  await backUpDatabase(database, { ...options, label: `before-${firstMigration}` })
}
