import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyAuditLines } from '../../../src/core/audit/chain.ts'
import { AuditEntry } from '../../../src/shared/model/audit.ts'
import { NodeId, RunId } from '../../../src/shared/model/ids.ts'
import { aNode } from '../../fakes/aNode.ts'
import { aCertificate, anAuditEntry, aRun, newId, StoreFixture } from './fixtures.ts'

let fixture: StoreFixture
beforeEach(() => {
  fixture = new StoreFixture()
})
afterEach(() => fixture.dispose())

/** Changes the database behind the store's back, as a bad disk or a bad person would. */
function tamper(statement: string): void {
  const database = new BetterSqlite3(fixture.databaseFile)
  database.exec(`DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted; ${statement}`)
  database.close()
}

describe('across restarts', () => {
  it('keeps everything, and goes on numbering where it stopped', async () => {
    const first = await fixture.open({ keepEvents: 10 })
    const run = aRun()
    const node = aNode({ id: NodeId.parse(newId()) })
    await first.transact(async (transaction) => {
      await transaction.saveRun(run)
      for (let index = 0; index < 30; index += 1) await transaction.saveNode(node)
      await transaction.reserveSerials(5)
      await transaction.appendAudit([anAuditEntry(1)])
    })
    await first.close()
    const second = await fixture.open()
    expect(await second.getRun(run.id)).toEqual({ ...run, seq: 1 })
    expect(await second.headSeq()).toBe(31)
    expect(await second.oldestSeq()).toBe(22)
    await second.transact(async (transaction) => {
      expect((await transaction.saveRun(aRun())).seq).toBe(32)
      expect(await transaction.reserveSerials(1)).toBe(6n)
      await transaction.appendAudit([anAuditEntry(2)])
    })
    expect(await second.verifyAudit()).toMatchObject({ entries: 2, intact: true })
  })

  it('never gives a seq twice, even when every event was lost', async () => {
    const first = await fixture.open()
    await first.transact((transaction) => transaction.saveRun(aRun()))
    await first.close()
    const database = new BetterSqlite3(fixture.databaseFile)
    database.exec('DELETE FROM events')
    database.close()
    const second = await fixture.open()
    expect((await second.transact((transaction) => transaction.saveRun(aRun()))).seq).toBe(2)
  })

  it('keeps its files to itself', async () => {
    const store = await fixture.open()
    await store.transact((transaction) => transaction.setSetting('a', 'b'))
    for (const name of readdirSync(fixture.directory)) {
      expect(statSync(join(fixture.directory, name)).mode & 0o077).toBe(0)
    }
  })

  it('S0.86 has every acknowledged run after kill -9, and a whole chain', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 3; round += 1) {
      const acknowledged = await writeUntilKilled(200)
      const store = await fixture.open()
      for (const id of acknowledged) expect(await store.getRun(RunId.parse(id))).not.toBeNull()
      const { entries, intact } = await store.verifyAudit()
      expect(intact).toBe(true)
      // One audit row and one event for each run, in one transaction: none without the others.
      expect(await store.headSeq()).toBe(entries)
      expect(await store.listRuns({ limit: 1_000_000 })).toHaveLength(entries)
      await store.close()
    }
  })
})

/** A process that saves runs as fast as it can, prints each acknowledged id, and is killed in the middle of it. */
async function writeUntilKilled(afterRuns: number): Promise<readonly string[]> {
  const fixtures = new URL('./fixtures.ts', import.meta.url).href
  const script = `
    const { aRun, anAuditEntry, clock } = await import(${JSON.stringify(fixtures)})
    const { openStore } = await import(${JSON.stringify(new URL('../../../src/engine/store/index.ts', import.meta.url).href)})
    const { createIdSource } = await import(${JSON.stringify(new URL('../../../src/platform/ids.ts', import.meta.url).href)})
    const newId = createIdSource({ nowMs: Date.now })
    const store = await openStore({ databaseFile: ${JSON.stringify(fixture.databaseFile)},
      backupsDirectory: ${JSON.stringify(fixture.backupsDirectory)}, clock })
    for (;;) {
      await Promise.all(Array.from({ length: 7 }, async () => {
        const id = newId()
        await store.transact(async (transaction) => {
          await transaction.saveRun(aRun({ id, idempotencyKey: 'key-' + id }))
          await transaction.appendAudit([anAuditEntry(1)])
        })
        process.stdout.write(id + '\\n')
      }))
    }`
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  const ended = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length === afterRuns) child.kill('SIGKILL')
  }
  await ended
  expect(acknowledged.length).toBeGreaterThanOrEqual(afterRuns)
  return acknowledged.filter((id) => RunId.safeParse(id).success)
}

describe('audit log (N14)', () => {
  beforeEach(async () => {
    const store = await fixture.open()
    await store.transact((transaction) => transaction.appendAudit([1, 2, 3, 4, 5].map(anAuditEntry)))
    await store.close()
  })

  it('is exported as lines that are verified without the store', async () => {
    const store = await fixture.open()
    const lines = await Array.fromAsync(store.exportAudit())
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    const parse = (value: unknown) => AuditEntry.parse(value)
    const verified = verifyAuditLines(lines, sha256, parse)
    expect(verified).toEqual(await store.verifyAudit())
    expect(verified).toMatchObject({ entries: 5, intact: true })
  })

  it('cannot be changed or deleted by a statement', () => {
    const database = new BetterSqlite3(fixture.databaseFile)
    expect(() => database.exec(`UPDATE audit SET actor = 'eve' WHERE seq = 2`)).toThrow('append-only')
    expect(() => database.exec('DELETE FROM audit WHERE seq = 2')).toThrow('append-only')
    database.close()
  })

  it.each([
    [`UPDATE audit SET actor = 'eve' WHERE seq = 3`, 3],
    [`UPDATE audit SET detail = '{}' WHERE seq = 2`, 2],
    ['DELETE FROM audit WHERE seq = 4', 4],
    ['DELETE FROM audit WHERE seq >= 4', 4],
    ['DELETE FROM audit', 1],
    [`UPDATE audit SET detail = detail || '}' WHERE seq = 5`, 5],
    ['UPDATE audit SET seq = -1 WHERE seq = 1', -1],
  ])('finds the first broken row after %s', async (statement, firstBrokenSeq) => {
    tamper(statement)
    const store = await fixture.open()
    expect(await store.verifyAudit()).toMatchObject({ intact: false, firstBrokenSeq })
    // Rows appended later do not hide it.
    await store.transact((transaction) => transaction.appendAudit([anAuditEntry(6)]))
    expect(await store.verifyAudit()).toMatchObject({ intact: false, firstBrokenSeq })
  })
})

describe('a database that cannot be used', () => {
  async function makeDatabase(): Promise<void> {
    const store = await fixture.open()
    await store.transact(async (transaction) => {
      for (let index = 0; index < 200; index += 1) await transaction.saveRun(aRun())
    })
    await store.backUp('by-hand')
    await store.close()
  }

  it('is refused when it is not a database or damaged inside, names the backup, and deletes nothing', async () => {
    await makeDatabase()
    const [backup] = readdirSync(fixture.backupsDirectory)
    const whole = readFileSync(fixture.databaseFile)
    const damagedInside = Buffer.from(whole)
    damagedInside.fill(0xab, 3 * 4096, 9 * 4096)
    for (const content of [Buffer.from('this is no database at all, not even nearly'), damagedInside]) {
      writeFileSync(fixture.databaseFile, content)
      await expect(fixture.open()).rejects.toMatchObject({
        code: 'DATABASE_CORRUPT',
        message: expect.stringContaining(join(fixture.backupsDirectory, backup ?? '')),
      })
      expect(readFileSync(fixture.databaseFile).equals(content)).toBe(true)
    }
    // What the message says works.
    copyFileSync(join(fixture.backupsDirectory, backup ?? ''), fixture.databaseFile)
    expect(await (await fixture.open()).listRuns({ limit: 1_000 })).toHaveLength(200)
  })

  it('is left alone when it belongs to another program', async () => {
    const other = new BetterSqlite3(fixture.databaseFile)
    other.exec('CREATE TABLE theirs (id TEXT)')
    other.close()
    await expect(fixture.open()).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('says so when there is no backup', async () => {
    writeFileSync(fixture.databaseFile, 'x'.repeat(5_000))
    await expect(fixture.open()).rejects.toMatchObject({
      code: 'DATABASE_CORRUPT',
      message: expect.stringContaining('no backup'),
    })
  })

  it('is refused when a newer Lockstep wrote it, and left as it is', async () => {
    await makeDatabase()
    const database = new BetterSqlite3(fixture.databaseFile)
    database.exec(`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999_from_the_future', '2099')`)
    database.close()
    const before = readFileSync(fixture.databaseFile)
    await expect(fixture.open()).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      data: { unknownMigrations: ['9999_from_the_future'] },
    })
    expect(readFileSync(fixture.databaseFile).equals(before)).toBe(true)
  })

  it('is refused while another program holds it', async () => {
    await makeDatabase()
    const other = new BetterSqlite3(fixture.databaseFile)
    const store = await fixture.open()
    other.exec('BEGIN IMMEDIATE')
    const blocked = store.transact((transaction) => transaction.setSetting('a', 'b'))
    await expect(blocked).rejects.toMatchObject({ code: 'HOME_IN_USE' })
    other.exec('ROLLBACK')
    other.close()
    await store.transact((transaction) => transaction.setSetting('a', 'b'))
    expect(await store.getSetting('a')).toBe('b')
  })
})

describe('a full disk', () => {
  it('fails the writes that did not fit, keeps what was acknowledged, and goes on when there is room', async (context) => {
    const mount = join(fixture.directory, 'small')
    mkdirSync(mount)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount], { stdio: 'ignore' })
    } catch {
      context.skip('mounting a small tmpfs needs root')
    }
    try {
      const store = await fixture.open({ databaseFile: join(mount, 'lockstep.db') })
      const acknowledged: RunId[] = []
      const fill = async (): Promise<never> => {
        for (;;) {
          const saved = store.transact((transaction) => transaction.saveRun(aRun({ planName: 'x'.repeat(20_000) })))
          acknowledged.push((await saved).id)
        }
      }
      await expect(fill()).rejects.toMatchObject({ code: 'LOCAL_DISK_FULL' })
      expect(acknowledged.length).toBeGreaterThan(3)
      const together = Array.from({ length: 5 }, () =>
        store.transact((transaction) => transaction.saveRun(aRun({ planName: 'y'.repeat(200_000) }))),
      )
      for (const outcome of await Promise.allSettled(together)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'LOCAL_DISK_FULL' } })
      }
      for (const id of acknowledged) expect(await store.getRun(id)).not.toBeNull()
      expect(await store.headSeq()).toBe(acknowledged.length)
      execFileSync('mount', ['-o', 'remount,size=8m', mount])
      const later = await store.transact((transaction) => transaction.saveRun(aRun()))
      expect(later.seq).toBe(acknowledged.length + 1)
      await store.close()
      const again = await fixture.open({ databaseFile: join(mount, 'lockstep.db') })
      expect(await again.listRuns({ limit: 1_000 })).toHaveLength(acknowledged.length + 1)
      await again.close()
    } finally {
      execFileSync('umount', [mount])
    }
  })
})

describe('group commit', () => {
  it('of transactions committed together one that fails takes nobody along', async () => {
    const store = await fixture.open()
    const outcomes = await Promise.allSettled([
      store.transact((transaction) => transaction.setSetting('first', '1')),
      store.transact(async (transaction) => {
        await transaction.insertCertificates([aCertificate(1n), aCertificate(1n)])
      }),
      store.transact((transaction) => transaction.setSetting('third', '3')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await store.listCertificates({ nowMs: 0, limit: 9 })).toEqual([])
    expect(await store.getSetting('third')).toBe('3')
  })
})

describe('backups', () => {
  it('are whole, private, and never replace one another', async () => {
    const store = await fixture.open()
    const run = await store.transact((transaction) => transaction.saveRun(aRun()))
    const paths = [await store.backUp('by-hand'), await store.backUp('by-hand')]
    expect(new Set(paths).size).toBe(2)
    for (const path of paths) {
      expect(existsSync(path)).toBe(true)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const copy = await fixture.open({ databaseFile: path })
      expect(await copy.getRun(run.id)).toEqual(run)
    }
  })
})
