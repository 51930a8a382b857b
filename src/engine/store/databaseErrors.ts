import { AppError, type ErrorCode } from '../../shared/errors.ts'
import { newestBackup } from './backup.ts'

export interface DatabaseErrorContext {
  readonly databaseFile: string
  /** Where to look for something to restore. */
  readonly backupsDirectory: string
}

const messages: readonly {
  readonly codes: RegExp
  readonly code: ErrorCode
  readonly message: (file: string) => string
}[] = [
  {
    codes: /^SQLITE_FULL/,
    code: 'LOCAL_DISK_FULL',
    message: (file) => `no space left to write ${file}: free some space and try again`,
  },
  {
    codes: /^SQLITE_(READONLY|CANTOPEN|PERM|AUTH|IOERR)/,
    code: 'HOME_NOT_WRITABLE',
    message: (file) => `${file} cannot be read and written: check its owner, its mount and the disk`,
  },
  {
    codes: /^SQLITE_(BUSY|LOCKED)/,
    code: 'HOME_IN_USE',
    message: (file) => `${file} is in use by another program`,
  },
  {
    codes: /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)/,
    code: 'CONFLICT',
    message: () => 'this would break a rule of the database: a name, key or serial is taken',
  },
]

/** What SQLite reported, in our words. Errors that are already ours, and unknown ones, come back unchanged. */
export function explainDatabaseError(thrown: unknown, context: DatabaseErrorContext): unknown {
  const reason = sqliteCode(thrown)
  if (reason === undefined) return thrown
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(reason)) return databaseCorrupt(context, reason)
  const known = messages.find(({ codes }) => codes.test(reason))
  if (known === undefined) return thrown
  const data = { path: context.databaseFile, reason }
  return new AppError(known.code, known.message(context.databaseFile), { data, cause: thrown })
}

export function sqliteCode(thrown: unknown): string | undefined {
  const code = (thrown as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined
}

/** @param reason what SQLite said, e.g. the first line of `quick_check` */
export function databaseCorrupt({ databaseFile, backupsDirectory }: DatabaseErrorContext, reason: string): AppError {
  const backupFile = newestBackup(backupsDirectory)
  const advice =
    backupFile === undefined
      ? 'There is no backup beside it: move the file away to start anew, or restore it from your own backup.'
      : `Stop Lockstep, move the file and its -wal and -shm away, and copy ${backupFile} in its place.`
  return new AppError('DATABASE_CORRUPT', `${databaseFile} is damaged (${reason}). Nothing was deleted. ${advice}`, {
    data: { path: databaseFile, reason, backupFile },
  })
}

export function databaseNewer(databaseFile: string, unknown: readonly string[]): AppError {
  return new AppError(
    'DATABASE_NEWER',
    `${databaseFile} was written by a newer Lockstep (${unknown.join(', ')}): update this one. Nothing was changed.`,
    { data: { path: databaseFile, unknownMigrations: unknown } },
  )
}

export function databaseOfOthers(databaseFile: string): AppError {
  return new AppError('CONFLICT', `${databaseFile} is a database of another program. Nothing was changed.`, {
    data: { path: databaseFile },
  })
}
