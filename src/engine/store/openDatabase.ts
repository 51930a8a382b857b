import { chmodSync, existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import BetterSqlite3, { type Database } from 'better-sqlite3'
import type { Migration } from 'kysely/migration'
import { AppError } from '../../shared/errors.ts'
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

const backupPattern = /^lockstep-.*\.db$/

/**
 * Opens, checks and migrates the database, and returns its one writing connection.
 *
 * @throws AppError DATABASE_CORRUPT, DATABASE_NEWER, HOME_NOT_WRITABLE, HOME_IN_USE, LOCAL_DISK_FULL; the file is then
 *   as it was
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { databaseFile, backupsDirectory } = options
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
    const backupFile = await newestBackup(backupsDirectory)
    if (error instanceof DamagedDatabase) throw databaseCorrupt({ databaseFile, backupFile }, error.message)
    throw explainDatabaseError(error, { databaseFile, backupFile })
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

export interface BackUpOptions {
  readonly backupsDirectory: string
  readonly nowMs: number
  readonly label: string
}

/**
 * Writes a consistent copy and checks it.
 *
 * @returns its path
 * @throws AppError DATABASE_CORRUPT when the copy cannot be read back
 */
export async function backUpDatabase(
  database: Database,
  { backupsDirectory, nowMs, label }: BackUpOptions,
): Promise<string> {
  await mkdir(backupsDirectory, { recursive: true, mode: 0o700 })
  const time = new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-')
  const path = freeName(backupsDirectory, `lockstep-${time}-${label}`)
  database.prepare('VACUUM INTO ?').run(path)
  chmodSync(path, 0o600)
  const copy = new BetterSqlite3(path, { readonly: true })
  const finding = copy.pragma('quick_check(1)', { simple: true })
  copy.close()
  if (finding !== 'ok') throw new AppError('DATABASE_CORRUPT', `the backup ${path} cannot be read back (${finding})`)
  return path
}

function freeName(directory: string, base: string): string {
  for (let number = 1; ; number += 1) {
    const path = join(directory, number === 1 ? `${base}.db` : `${base}-${number}.db`)
    if (!existsSync(path)) return path
  }
}

/** Names begin with their time, so the last one is the newest. */
async function newestBackup(backupsDirectory: string): Promise<string | undefined> {
  const names = await readdir(backupsDirectory).catch(() => [])
  const newest = names
    .filter((name) => backupPattern.test(name))
    .sort()
    .at(-1)
  return newest === undefined ? undefined : join(backupsDirectory, newest)
}
