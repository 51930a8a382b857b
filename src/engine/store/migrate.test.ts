import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3, { type Database } from 'better-sqlite3'
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrations } from './migrations/index.ts'
import { openDatabase } from './openDatabase.ts'

let directory: string
let opened: Database[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-migrate-'))
  opened = []
})
afterEach(() => {
  for (const database of opened) database.close()
  rmSync(directory, { recursive: true, force: true })
})

const backupsDirectory = () => join(directory, 'backups')
async function open(all: Readonly<Record<string, Migration>>): Promise<Database> {
  const databaseFile = join(directory, 'lockstep.db')
  const database = await openDatabase({ databaseFile, backupsDirectory: backupsDirectory(), nowMs: 0, migrations: all })
  opened.push(database)
  return database
}
const migration = (...statements: readonly string[]): Migration => ({
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await sql.raw(statement).execute(database)
  },
})
const addNote = migration('ALTER TABLE settings ADD COLUMN note TEXT', `UPDATE settings SET note = 'was ' || value`)

describe('openDatabase', () => {
  it('makes a new database durable, checked and strict, without a backup of nothing', async () => {
    const database = await open(migrations)
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(database.pragma('synchronous', { simple: true })).toBe(2)
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1)
    expect(database.pragma('trusted_schema', { simple: true })).toBe(0)
    expect(database.pragma('busy_timeout', { simple: true })).toBe(5_000)
    const tables = database.pragma('table_list') as readonly { name: string; strict: number; schema: string }[]
    const ours = tables.filter(({ name }) => !name.startsWith('sqlite_') && !name.startsWith('kysely_'))
    expect(ours.map(({ name }) => name).sort()).toEqual([
      ...['agent_runs', 'agents', 'allowed_findings', 'audit', 'certificates', 'counters', 'events', 'join_tokens'],
      ...['locks', 'nodes', 'operations', 'plans', 'registry_revisions', 'registry_sources', 'repositories'],
      ...['rollouts', 'runs', 'scan_reports', 'settings'],
    ])
    expect(ours.every(({ strict }) => strict === 1)).toBe(true)
    expect(readdirSync(directory)).not.toContain('backups')
  })

  it('backs up, then migrates rows from before; the backup holds them as they were', async () => {
    const before = await open(migrations)
    before.exec(`INSERT INTO settings (key, value) VALUES ('theme', 'dark')`)
    before.close()
    const after = await open({ ...migrations, '9999_note': addNote })
    expect(after.prepare('SELECT * FROM settings').all()).toEqual([{ key: 'theme', value: 'dark', note: 'was dark' }])
    expect(readdirSync(backupsDirectory())).toEqual(['lockstep-1970-01-01T00-00-00-000Z-before-9999_note.db'])
    const backup = new BetterSqlite3(join(backupsDirectory(), readdirSync(backupsDirectory())[0] ?? ''))
    opened.push(backup)
    expect(backup.prepare('SELECT * FROM settings').all()).toEqual([{ key: 'theme', value: 'dark' }])
  })

  it('changes nothing when one of several pending migrations fails, and can be tried again', async () => {
    const before = await open(migrations)
    before.exec(`INSERT INTO settings (key, value) VALUES ('theme', 'dark')`)
    before.close()
    const broken = migration('CREATE TABLE half (id TEXT) STRICT', 'this is not SQL')
    await expect(open({ ...migrations, '9998_note': addNote, '9999_broken': broken })).rejects.toThrow()
    const unchanged = await open(migrations)
    expect(unchanged.prepare('SELECT * FROM settings').all()).toEqual([{ key: 'theme', value: 'dark' }])
    expect(unchanged.prepare(`SELECT name FROM sqlite_schema WHERE name = 'half'`).all()).toEqual([])
    unchanged.close()
    const again = await open({ ...migrations, '9999_note': addNote })
    expect(again.prepare('SELECT note FROM settings').pluck().all()).toEqual(['was dark'])
  })

  it('does nothing to a database that is up to date', async () => {
    const first = await open(migrations)
    first.close()
    await open(migrations)
    expect(readdirSync(directory)).not.toContain('backups')
  })
})

describe('a new database', () => {
  it('starts all counters at zero and keeps integers of 64 bits', async () => {
    const database = await open(migrations)
    expect(database.prepare('SELECT name, value FROM counters ORDER BY name').all()).toEqual([
      { name: 'audit_seq', value: 0 },
      { name: 'event_seq', value: 0 },
      { name: 'krl_version', value: 0 },
      { name: 'oldest_event_seq', value: 0 },
      { name: 'serial', value: 0 },
    ])
    database.prepare(`UPDATE counters SET value = ? WHERE name = 'serial'`).run(2n ** 62n + 1n)
    const serial = database.prepare(`SELECT value FROM counters WHERE name = 'serial'`).pluck().safeIntegers().get()
    expect(serial).toBe(2n ** 62n + 1n)
  })

  it('refuses values of another type', async () => {
    const database = await open(migrations)
    const insert = database.prepare('INSERT INTO events (seq, at, change) VALUES (?, ?, ?)')
    expect(() => insert.run(1, 'yesterday', '{}')).toThrow(/INTEGER/)
  })
})
