import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RepositoryTrees } from '../../../../src/engine/ports.ts'
import type { RepositoryParts } from '../../../../src/engine/repositories/parts.ts'
import { createScans, type Scans } from '../../../../src/engine/repositories/scans.ts'
import { createRepositorySecrets, keepNewSalt } from '../../../../src/engine/repositories/secrets.ts'
import { createRepositoryTrees } from '../../../../src/engine/repositories/trees.ts'
import { openStore, type SqliteStore } from '../../../../src/engine/store/index.ts'
import { systemClock } from '../../../../src/platform/clock.ts'
import { createIdSource } from '../../../../src/platform/ids.ts'
import { createLogging } from '../../../../src/platform/logger.ts'
import { AppError } from '../../../../src/shared/errors.ts'
import { RepositoryId } from '../../../../src/shared/model/ids.ts'
import { RepositorySpec } from '../../../../src/shared/model/plan.ts'
import { type Repository, RepositoryInput } from '../../../../src/shared/model/repository.ts'
import {
  commitOf,
  createFakeMirrors,
  createFakeScanner,
  type FakeMirrors,
  type FakeScanner,
} from '../../../fakes/fakeMirrors.ts'

let directory: string
let store: SqliteStore
let mirrors: FakeMirrors
let scanner: FakeScanner
let scans: Scans
let trees: RepositoryTrees
let logLines: string[]

const id = RepositoryId.parse('01900000-0000-7000-8000-000000000001')
const plan = { name: 'bring', spec: RepositorySpec.parse({ repository: 'project' }) }
const log = (): void => undefined
const prepare = (signal = new AbortController().signal, spec = plan.spec) =>
  trees.prepare({ ...plan, spec }, { signal, log })
const finding = (file: string) => ({
  hash: Buffer.from(file).toString('hex').padStart(64, '0'),
  rule: 'private-key',
  file,
  line: 1,
  message: 'a private key',
})

async function save(head: string, settings: object = {}): Promise<Repository> {
  mirrors.head = commitOf(head)
  const repository: Repository = {
    id,
    settings: RepositoryInput.parse({ name: 'project', remote: 'https://git.example/p.git', ...settings }),
    hasToken: false,
    state: { heads: { main: commitOf(head) }, fetchedAt: 0, diagnosis: null, warnings: [] },
    createdAt: 0,
    updatedAt: 0,
  }
  await store.transact((transaction) => transaction.saveRepository(repository))
  return repository
}

interface SearchChange {
  readonly tool?: string
  readonly changed?: string[] | null
  readonly settings?: object
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-scanning-'))
  store = await openStore({ databaseFile: ':memory:', backupsDirectory: directory, clock: systemClock })
  mirrors = createFakeMirrors(directory)
  scanner = createFakeScanner()
  logLines = []
  const { logger } = createLogging({ level: 'debug', sinks: [(line) => logLines.push(line)] })
  const locked = () => Promise.reject(new AppError('VAULT_LOCKED', 'locked'))
  const secrets = createRepositorySecrets(store, { seal: locked, unseal: locked })
  const parts: RepositoryParts = {
    store,
    clock: systemClock,
    ids: createIdSource(systemClock),
    logger,
    mirrors,
    scanner,
    secrets,
  }
  scans = createScans(parts)
  trees = createRepositoryTrees({ ...parts, scans })
  await store.transact((transaction) => keepNewSalt(transaction, id))
})
afterEach(async () => {
  await scans.stop()
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

describe('S2.13 S2.14 a tree is prepared', () => {
  it('S2.14 one scan for all runs that ask at the same time, and none for those that ask later', async () => {
    await save('1')
    const prepared = await Promise.all(Array.from({ length: 40 }, () => prepare()))
    expect(scanner.scans).toEqual([{ files: null }])
    expect(mirrors.held).toBe(40)
    for (const tree of prepared) tree.release()
    prepared[0]?.release()
    expect(mirrors.held).toBe(0)
    const later = await prepare()
    later.release()
    expect(later.scan).toMatchObject({ status: 'clean', commit: commitOf('1'), filesScanned: 7 })
    expect(scanner.scans).toHaveLength(1)
  })

  it('S2.14 a run that is canceled leaves the scan to the others and nothing behind', async () => {
    await save('1')
    let goOn = (): void => undefined
    scanner.meanwhile = () => new Promise<void>((resolve) => (goOn = resolve))
    const cut = new AbortController()
    const [canceled, other] = [prepare(cut.signal), prepare()]
    await expect.poll(() => scanner.scans.length).toBe(1)
    cut.abort()
    await expect(canceled).rejects.toMatchObject({ code: 'CANCELED' })
    goOn()
    const tree = await other
    tree.release()
    expect(mirrors.held).toBe(0)
    expect(scanner.scans).toHaveLength(1)
  })

  it('S2.14 when all are canceled the scan is cut, and leaves no report', async () => {
    await save('1')
    let seen: AbortSignal | undefined
    scanner.meanwhile = (signal) =>
      new Promise<void>((resolve) => {
        seen = signal
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    const cut = new AbortController()
    const canceled = prepare(cut.signal)
    await expect.poll(() => seen !== undefined).toBe(true)
    cut.abort()
    await expect(canceled).rejects.toMatchObject({ code: 'CANCELED' })
    await scans.stop()
    expect(seen?.aborted).toBe(true)
    expect(mirrors.held).toBe(0)
    expect(await store.getScanReport(id)).toBeNull()
  })

  it('S2.5 S2.21 what is scanned are the files, whatever form goes over', async () => {
    await save('1')
    const tree = await prepare(undefined, { ...plan.spec, excludeDotGit: false })
    expect(mirrors.snapshots).toEqual([
      { commit: commitOf('1'), dotGit: true },
      { commit: commitOf('1'), dotGit: false },
    ])
    tree.release()
    expect(mirrors.held).toBe(0)
  })

  it('S2.20 nothing was fetched, or not this: said with what to do', async () => {
    const repository = await save('1')
    const gone = { ...plan.spec, ref: { kind: 'tag' as const, name: 'v9' } }
    await expect(prepare(undefined, gone)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    const other = { ...plan.spec, ref: { kind: 'commit' as const, commit: commitOf('9') } }
    await expect(prepare(undefined, other)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    const state = { ...repository.state, heads: {}, fetchedAt: null }
    await store.transact((transaction) => transaction.saveRepository({ ...repository, state }))
    await expect(prepare()).rejects.toThrow('nothing was fetched yet')
    await expect(prepare(undefined, { ...plan.spec, repository: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(mirrors.held).toBe(0)
  })
})

describe('S2.17 S2.33 what is searched', () => {
  it('S2.17 files that changed since the newest report; findings of the others are carried over', async () => {
    await mkdir(join(directory, 'keys'))
    for (const file of ['keys/old', 'keys/gone', 'keys/new']) await writeFile(join(directory, file), '')
    const first = await save('1')
    scanner.findings = [finding('keys/old'), finding('keys/gone')]
    expect((await scans.of(first, commitOf('1'), {})).status).toBe('blocked')

    const second = await save('2')
    mirrors.changed = ['keys/new']
    await rm(join(directory, 'keys/gone'))
    scanner.findings = [finding('keys/new')]
    const report = await scans.of(second, commitOf('2'), {})
    expect(report).toMatchObject({ scope: { kind: 'changed', since: commitOf('1') }, findingsTotal: 2 })
    expect(report.findings.map(({ file }) => file)).toEqual(['keys/old', 'keys/new'])
    expect(scanner.scans.at(-1)).toEqual({ files: ['keys/new'] })
  })

  it.each([
    ['another tool', { tool: 'fake 2' }],
    ['a history that does not follow', { changed: null }],
    ['attributes that changed', { changed: ['a/.gitattributes'] }],
    ['submodules', { settings: { submodules: true } }],
    ['content of large files', { settings: { largeFiles: 'fetch' } }],
  ])('S2.17 everything, with %s', async (_name, change: SearchChange) => {
    const { tool = 'fake 1', changed = ['a.txt'], settings = {} } = change
    await scans.of(await save('1'), commitOf('1'), {})
    mirrors.changed = changed
    scanner.tool = tool
    const report = await scans.of(await save('2', settings), commitOf('2'), {})
    expect(report.scope).toEqual({ kind: 'full' })
    expect(scanner.scans.at(-1)).toEqual({ files: null })
  })

  it('S2.17 the first thousand findings are kept, the others block all the same and are searched for again', async () => {
    scanner.findings = Array.from({ length: 1_001 }, (_, index) => finding(`file-${index}`))
    const report = await scans.of(await save('1'), commitOf('1'), {})
    expect([report.findings.length, report.findingsTotal, report.status]).toEqual([1_000, 1_001, 'blocked'])
    mirrors.changed = []
    scanner.findings = []
    expect((await scans.of(await save('2'), commitOf('2'), {})).scope).toEqual({ kind: 'full' })
  })

  it('S2.33 a scanner that fails is a report that blocks, and is tried again by the next who asks', async () => {
    const repository = await save('1')
    scanner.failure = new AppError('SCAN_FAILED', 'The search was cut off. Sync again.')
    const tree = await prepare()
    tree.release()
    expect(tree.scan).toMatchObject({ status: 'failed', diagnosis: { code: 'SCAN_FAILED' } })
    expect(await store.getScanReport(id)).toMatchObject({ status: 'failed' })
    scanner.failure = null
    expect((await scans.of(repository, commitOf('1'), {})).status).toBe('clean')
  })

  it('S2.33 an alert is logged with findings, and no more than where they are', async () => {
    scanner.findings = [finding('conf/secret.env')]
    await scans.of(await save('1'), commitOf('1'), {})
    expect(logLines.filter((line) => line.includes('"level":"warn"') && line.includes('secrets found'))).toHaveLength(1)
  })

  it('S2.14 a repository that is removed while it is scanned leaves no report', async () => {
    const repository = await save('1')
    scanner.meanwhile = () => store.transact((transaction) => transaction.removeRepository(id))
    await scans.of(repository, commitOf('1'), {})
    expect(await store.getScanReport(id)).toBeNull()
  })
})

describe('S2.17 what the store keeps', () => {
  it('S2.17 one report for each commit, the newest hundred', async () => {
    const repository = await save('1')
    const report = await scans.of(repository, commitOf('1'), {})
    const commitAt = (index: number): string => index.toString(16).padStart(40, '0')
    for (let index = 0; index < 105; index += 1)
      await store.transact((transaction) =>
        transaction.saveScanReport({ ...report, commit: commitAt(index), scannedAt: report.scannedAt + 1 + index }),
      )
    expect((await store.getScanReport(id))?.commit).toBe(commitAt(104))
    expect(await store.getScanReport(id, commitAt(4))).toBeNull()
    expect((await store.getScanReport(id, commitAt(5)))?.commit).toBe(commitAt(5))
    await store.transact((transaction) => transaction.saveScanReport({ ...report, commit: commitAt(50), tool: 'x' }))
    expect((await store.getScanReport(id, commitAt(50)))?.tool).toBe('x')
  })
})
