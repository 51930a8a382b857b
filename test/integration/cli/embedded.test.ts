import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DemoStatus } from '../../../src/shared/model/demo.ts'
import { DoctorReport } from '../../../src/shared/model/diagnosis.ts'
import { FleetNode } from '../../../src/shared/model/node.ts'
import { Run } from '../../../src/shared/model/run.ts'
import { json, makeHome, refused, runCli, serveDaemon } from './harness.ts'

const Pushed = z.object({ runs: z.array(Run) })

let place: Awaited<ReturnType<typeof makeHome>>

describe('the command line without a daemon', () => {
  beforeAll(async () => {
    place = await makeHome()
    await json(place.home, ['demo', 'up', '--nodes', '2'], DemoStatus)
  })

  afterAll(async () => {
    await runCli(place.home, ['demo', 'down'])
    await place.remove()
  })

  it('push does the work itself, waits, and says so', async () => {
    const result = await runCli(place.home, ['push', '--all'])
    expect(result).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('2 of 2 runs succeeded.'),
      stderr: expect.stringContaining('does the work itself and waits'),
    })
  })

  it('asks nobody to serve who does not: open-link fails with 5', async () => {
    expect(await refused(place.home, ['open-link'])).toMatchObject({
      exitCode: 5,
      error: { code: 'ENGINE_UNAVAILABLE' },
    })
  })

  it('two commands at once do not shut each other out', async () => {
    const [pushed, ...lists] = await Promise.all([
      json(place.home, ['push', '--all', '--wait'], Pushed),
      json(place.home, ['nodes', 'list'], z.array(FleetNode)),
      json(place.home, ['nodes', 'list'], z.array(FleetNode)),
    ])
    expect(pushed.runs.map((run) => run.status)).toEqual(['succeeded', 'succeeded'])
    expect(lists.map((nodes) => nodes.length)).toEqual([2, 2])
  })

  it("what a killed daemon left behind is in nobody's way", async () => {
    const daemon = await serveDaemon(place.home)
    expect((await stat(join(place.home, 'run', 'engine.sock'))).mode & 0o777).toBe(0o600)
    await daemon.stop('SIGKILL')
    expect(await readdir(join(place.home, 'run'))).toContain('engine.sock')
    const report = await json(place.home, ['doctor'], DoctorReport)
    expect(report.steps.find((step) => step.name === 'owner')?.detail).toContain('is gone')
    expect(await json(place.home, ['nodes', 'list'], z.array(FleetNode))).toHaveLength(2)
    const next = await serveDaemon(place.home)
    expect(await refused(place.home, ['serve'])).toMatchObject({ exitCode: 5, error: { code: 'HOME_IN_USE' } })
    expect(await next.stop()).toBe(0)
    expect(await readdir(join(place.home, 'run'))).not.toContain('engine.sock')
  })

  it('doctor looks at this machine', async () => {
    const report = await json(place.home, ['doctor'], DoctorReport)
    expect(report.diagnosis).toBeNull()
    expect(report.steps.map((step) => `${step.name} ${step.status}`)).toEqual([
      'node ok',
      'ssh ok',
      'rsync ok',
      'sshd ok',
      'home ok',
      'owner ok',
      'key vault ok',
      'database ok',
    ])
  })

  it('demo down ends runs that wait for a person, too', async () => {
    const empty = join(place.home, 'empty')
    await mkdir(empty)
    const plan = `name: demo-site\nkind: tree\nselector: 'label.lockstep.demo:yes'\nspec: { push: { source: ${empty}, target: ~/sync/edge-config }, delete: true }\n`
    await json(place.home, ['plans', 'apply', '-'], z.unknown(), { stdin: plan })
    expect(await runCli(place.home, ['push', 'ada-laptop', '--wait'])).toMatchObject({ exitCode: 6 })
    expect(await json(place.home, ['demo', 'down'], DemoStatus)).toEqual({ up: false, nodes: [] })
    expect(await json(place.home, ['nodes', 'list'], z.array(FleetNode))).toEqual([])
  })
})

describe('a shut key vault', () => {
  it('says how to open it, registers nothing, and opens with the passphrase of a file', async () => {
    const { home, remove } = await makeHome()
    try {
      expect(await refused(home, ['ca', 'export'])).toMatchObject({ exitCode: 4, error: { code: 'VAULT_LOCKED' } })
      const file = join(home, 'passphrase')
      await writeFile(file, 'a long passphrase for this test\n')
      expect((await runCli(home, ['ca', 'export'], { env: { LOCKSTEP_PASSPHRASE_FILE: file } })).stdout).toMatch(
        /^ssh-ed25519 /,
      )
      expect((await runCli(home, ['ca', 'export', '--passphrase-file', file])).exitCode).toBe(0)
      await writeFile(file, 'another passphrase altogether\n')
      const wrong = await refused(home, ['push', '--all', '--passphrase-file', file])
      expect(wrong).toMatchObject({ exitCode: 4, error: { code: 'VAULT_PASSPHRASE_WRONG' } })
      expect(JSON.stringify(wrong)).not.toContain('altogether')
    } finally {
      await remove()
    }
  })
})

describe('homes that cannot be used', () => {
  it('a file as home', async () => {
    const { home, remove } = await makeHome()
    const file = join(home, 'file')
    await writeFile(file, '')
    expect(await refused(file, ['nodes', 'list'])).toMatchObject({ exitCode: 5, error: { code: 'HOME_NOT_WRITABLE' } })
    const report = await json(file, ['doctor'], DoctorReport, { exitCode: 1 })
    expect(report.diagnosis?.code).toBe('HOME_NOT_WRITABLE')
    await remove()
  })

  it('a path too long for a socket, of which nothing is made', async () => {
    const { home, remove } = await makeHome()
    const long = join(home, 'x'.repeat(100))
    expect(await refused(long, ['status'])).toMatchObject({ exitCode: 5, error: { code: 'HOME_PATH_TOO_LONG' } })
    expect(await readdir(home)).toEqual([])
    expect((await json(long, ['doctor'], DoctorReport, { exitCode: 1 })).diagnosis?.code).toBe('HOME_PATH_TOO_LONG')
    await remove()
  })

  it('a database that is none, and one of a later version: left as they are', async () => {
    const { home, remove } = await makeHome()
    await runCli(home, ['status'])
    const file = join(home, 'data', 'lockstep.db')
    const database = new Database(file)
    database.prepare("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999_future', '2030')").run()
    database.close()
    expect(await refused(home, ['nodes', 'list'])).toMatchObject({ exitCode: 5, error: { code: 'DATABASE_NEWER' } })
    expect((await json(home, ['doctor'], DoctorReport, { exitCode: 1 })).diagnosis?.code).toBe('DATABASE_NEWER')
    await writeFile(file, 'this is no database, however long it may be '.repeat(100))
    expect(await refused(home, ['nodes', 'list'])).toMatchObject({ exitCode: 5, error: { code: 'DATABASE_CORRUPT' } })
    expect((await json(home, ['doctor'], DoctorReport, { exitCode: 1 })).diagnosis?.code).toBe('DATABASE_CORRUPT')
    await remove()
  })

  it('a configuration that does not read', async () => {
    const { home, remove } = await makeHome()
    await writeFile(join(home, 'config.yaml'), 'reconcileInterval: 5\n')
    expect(await refused(home, ['status'])).toMatchObject({
      exitCode: 2,
      error: { message: expect.stringContaining('unknown key') },
    })
    await remove()
  })
})

describe('serve', () => {
  it('refuses a port that is taken, and options that do not go together', async () => {
    const { home, remove } = await makeHome()
    const first = await serveDaemon(home)
    const other = await makeHome()
    const port = new URL(first.link).port
    const answers = await Promise.all([
      refused(other.home, ['serve', '--port', port]),
      refused(other.home, ['serve', '--nodes', '3']),
      refused(other.home, ['serve', '--port', '70000']),
      refused(other.home, ['serve', '--reconcile-seconds', 'soon']),
    ])
    expect(answers.map(({ exitCode, error }) => [exitCode, error.code])).toEqual([
      [5, 'ADDRESS_IN_USE'],
      [2, 'INVALID_INPUT'],
      [2, 'INVALID_INPUT'],
      [2, 'INVALID_INPUT'],
    ])
    expect(await first.stop('SIGINT')).toBe(0)
    await other.remove()
    await remove()
  })
})
