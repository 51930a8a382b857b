import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import BetterSqlite3, { type Database } from 'better-sqlite3'
import { AppError } from '../../shared/errors.ts'

const backupPattern = /^lockstep-.*\.db$/

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
export function newestBackup(backupsDirectory: string): string | undefined {
  const newest = namesIn(backupsDirectory)
    .filter((name) => backupPattern.test(name))
    .sort()
    .at(-1)
  return newest === undefined ? undefined : join(backupsDirectory, newest)
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
