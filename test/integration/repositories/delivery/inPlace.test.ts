import { chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createRepositoryRig,
  expectHead,
  manyFiles,
  type RepositoryRig,
  sentinelOf,
} from '../../../support/repositoryRig.ts'
import { writeTree } from '../../../support/runRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'

describe.skipIf(sshdMissing !== null)(
  `commits delivered in place${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let targets = 0

    beforeAll(async () => {
      rig = await createRepositoryRig()
    })
    afterAll(() => rig.dispose())

    const newTarget = (): string => {
      targets += 1
      return join(rig.rig.remote, `target-${targets}`)
    }

    const expectWhole = (target: string): Promise<void> => expectHead(rig, target)

    it('S2.4 S2.6 S2.7 the tree arrives with links, programs and the sentinel, and is read back', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      const commit = await rig.repository.commit({
        ...manyFiles(60),
        'bin/run': { program: '#!/bin/sh\n' },
        'bin/again': { link: 'run' },
      })
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectWhole(target)
      expect(run.proof).toMatchObject({
        filesVerified: 62,
        verify: { mode: 'repository', commit, compared: 'sample', release: null },
      })
      expect(run.summary).toMatchObject({ filesTotal: 62, filesTransferred: 61, filesDeleted: 0 })
      expect(run.visits.find(({ state }) => state === 'PULL_SYNC')?.outcome).toBe('skipped')
      const log = await rig.rig.log(run.id)
      expect(log).toMatch(/sending 7\d of 7\d entries in one stream/)
      expect(log).toContain('src/d0/file-0')
      expect((await rig.rig.freshNode()).plans).toMatchObject([{ observed: { commit, runId: run.id } }])
      expect(rig.repository.held()).toBe(0)
    })

    it('S2.6 a second run finds nothing to do, sends nothing and leaves the sentinel alone', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      await rig.repository.commit(manyFiles(20))
      const first = await rig.run(plan)
      const before = await rig.rig.sshd.log()
      const again = await rig.run(plan)
      expect([first.status, again.status]).toEqual(['succeeded', 'succeeded'])
      expect(again.summary).toMatchObject({ filesTotal: 20, filesTransferred: 0, bytesTransferred: 0 })
      expect(await rig.rig.log(again.id)).not.toContain('$ rsync ')
      expect((await rig.rig.sshd.log()).slice(before.length)).not.toContain('rsync')
      expect(again.proof?.digest).toBeDefined()
      await expectWhole(target)
    })

    it('S2.4 a commit that changes a few files costs a few files, and the commit before it is remembered', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      const files = manyFiles(50)
      const before = await rig.repository.commit(files)
      await rig.run(plan)
      const commit = await rig.repository.commit({ ...files, 'src/d0/file-0': 'new', 'new/file': 'made' })
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.summary).toMatchObject({ filesTotal: 51, filesTransferred: 2, filesDeleted: 0 })
      expect(await rig.rig.log(run.id)).toContain('sending 3 of 60 entries in one stream')
      await expectWhole(target)
      expect((await rig.rig.freshNode()).plans).toMatchObject([{ observed: { commit, previousCommit: before } }])
    })

    it('S2.4 content of the same size is told apart, and a change of permissions alone arrives', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { verify: { mode: 'full' } })
      await rig.repository.commit({ ...manyFiles(10), same: 'aaaa', tool: 'text' })
      await rig.run(plan)
      await rig.repository.commit({ ...manyFiles(10), same: 'bbbb', tool: { program: 'text' } })
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', tries: 1 })
      await expectWhole(target)
      expect(await readFile(join(target, 'same'), 'utf8')).toBe('bbbb')
    })

    it('D16 S2.22 deletes leave the sentinel and what is excluded alone', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { excludes: ['__pycache__', '*.log', '/data/', 'build/[ab]'] })
      await rig.repository.commit({ ...manyFiles(10), gone: '1', 'old/gone': '2' })
      await rig.run(plan)
      const kept = ['src/__pycache__/x.pyc', 'run.log', 'data/db', 'src/build/a', '.git/config']
      await writeTree(target, Object.fromEntries(kept.map((name) => [name, 'theirs'])))
      await writeTree(target, { foreign: 'x' })
      await rig.repository.commit(manyFiles(10))
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.summary).toMatchObject({ filesDeleted: 3 })
      expect(await sentinelOf(target)).toBe(`${rig.repository.head}\n`)
      for (const name of kept) expect(await readFile(join(target, name), 'utf8'), name).toBe('theirs')
      expect(await readdir(target)).not.toContain('foreign')
      expect(await readdir(target)).not.toContain('old')
    })

    it('S2.22 caches that programs leave beside excluded names are no reason to send anything', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      await rig.repository.commit(manyFiles(10))
      await rig.run(plan)
      await writeTree(target, { 'src/__pycache__/m.pyc': 'x', '.vscode/settings.json': '{}' })
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
      expect(await rig.rig.log(run.id)).not.toContain('$ rsync ')
    })

    it('without deletes what lies there stays, and is no reason to send again', async () => {
      const target = newTarget()
      await writeTree(target, { theirs: 'x' })
      const plan = await rig.plan(target, { delete: false })
      await rig.repository.commit(manyFiles(10))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
      expect(await readFile(join(target, 'theirs'), 'utf8')).toBe('x')
      expect(await sentinelOf(target)).toBe(`${rig.repository.head}\n`)
    })

    it('S2.5 S2.21 .git stays here unless the plan says otherwise', async () => {
      const files = { ...manyFiles(5), '.git/HEAD': 'ref: refs/heads/main\n', '.git/refs/heads/main': 'c' }
      await rig.repository.commit(files)
      const without = newTarget()
      await rig.run(await rig.plan(without))
      expect(await readdir(without)).not.toContain('.git')
      const withGit = newTarget()
      const run = await rig.run(await rig.plan(withGit, { excludeDotGit: false }))
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectWhole(withGit)
      expect(await readdir(withGit)).toContain('.git')
    })

    it('S2.19 D17 the target of each node, with ~ expanded there', async () => {
      const other = await rig.rig.addNode({ name: 'other' })
      const plan = await rig.plan('~/th_timmy', { targets: { other: "~/it's elsewhere/x y" } })
      await rig.repository.commit(manyFiles(5))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      expect(await rig.run(plan, { node: other })).toMatchObject({ status: 'succeeded' })
      const home = join(rig.rig.remote, 'home')
      await expectWhole(join(home, 'th_timmy'))
      await expectWhole(join(home, "it's elsewhere", 'x y'))
      await rig.rig.store.transact((transaction) => transaction.removeNode(other.id))
    })

    it('D17 names and targets with spaces, quotes, line breaks and what a shell would run', async () => {
      const target = join(newTarget(), 'a "b" \'c\' $(touch x) `y`', 'line\nbreak', '-rf')
      const plan = await rig.plan(target, { verify: { mode: 'full' } })
      const files = {
        ...manyFiles(10),
        'with space/and\nbreak': '1',
        '-e sh': '2',
        'quote\'s"': '3',
        '*?[x]\\': '4',
        'zwei\r\nzeilen': '5',
        'l\nk': { link: 'with space/and\nbreak' },
      }
      await rig.repository.commit(files)
      const first = await rig.run(plan)
      expect([first.failure, first.status]).toEqual([null, 'succeeded'])
      await expectWhole(target)
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
      await rig.repository.commit({ ...files, 'with space/and\nbreak': 'changed', '*?[x]\\': 'changed too' })
      const changed = await rig.run(plan)
      expect(changed).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 2 } })
      expect(await rig.rig.log(changed.id)).toContain('entries in one stream')
      await expectWhole(target)
    })

    it('D18 force sends also what sentinel and listing call equal', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { verify: { mode: 'sample', files: 1 } })
      await rig.repository.commit({ ...manyFiles(30), broken: 'good' })
      await rig.run(plan)
      const { mtime } = await stat(join(target, 'broken'))
      await writeFile(join(target, 'broken'), 'evil')
      await utimes(join(target, 'broken'), mtime, mtime)
      const run = await rig.run(plan, { force: true })
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.force).toBe(true)
      expect(await readFile(join(target, 'broken'), 'utf8')).toBe('good')
      await expectWhole(target)
    })

    it('S2.7 S2.16 content that lies behind an equal listing is found, sent again once and proven', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { verify: { mode: 'full' } })
      await rig.repository.commit({ ...manyFiles(30), broken: 'good' })
      await rig.run(plan)
      const { mtime } = await stat(join(target, 'broken'))
      await writeFile(join(target, 'broken'), 'evil')
      await utimes(join(target, 'broken'), mtime, mtime)
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', tries: 2 })
      expect(run.warnings).toMatchObject([{ code: 'CONTENT_DIFFERED', evidence: ['broken'] }])
      await expectWhole(target)
    })

    it('S2.16 a sentinel that was edited by hand makes everything be compared, and is put right', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      await rig.repository.commit({ ...manyFiles(30), broken: 'good' })
      await rig.run(plan)
      const { mtime } = await stat(join(target, 'broken'))
      await writeFile(join(target, 'broken'), 'evil')
      await utimes(join(target, 'broken'), mtime, mtime)
      for (const text of ['somebody was here\n', `${'a'.repeat(40)}\n`, '']) {
        await writeFile(join(target, '.sync_rev'), text)
        const run = await rig.run(plan)
        expect([run.failure, run.status]).toEqual([null, 'succeeded'])
        expect(await rig.rig.log(run.id)).toContain('--checksum')
        await expectWhole(target)
      }
      await rm(join(target, '.sync_rev'))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      await expectWhole(target)
      await writeFile(join(target, '.sync_rev'), rig.repository.head)
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', tries: 2 })
      await expectWhole(target)
    })

    it('S2.14 many targets share one manifest, and each ends with the whole tree', async () => {
      const nodes = await Promise.all(['n1', 'n2', 'n3', 'n4'].map((name) => rig.rig.addNode({ name })))
      const places = Object.fromEntries(nodes.map(({ name }) => [name, newTarget()]))
      const plan = await rig.plan('~/elsewhere', { targets: places })
      await rig.repository.commit(manyFiles(100))
      const runs = await Promise.all(nodes.map((node) => rig.run(plan, { node })))
      expect(runs.map(({ status }) => status)).toEqual(nodes.map(() => 'succeeded'))
      for (const target of Object.values(places)) await expectWhole(target)
      expect(new Set(runs.map((run) => run.proof?.digest)).size).toBe(1)
      await rig.rig.store.transact(async (transaction) => {
        for (const { id } of nodes) await transaction.removeNode(id)
      })
    })

    it('a directory that somebody made where a file goes, and the other way round, is replaced as rsync does', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { deleteLimits: { maxShare: 1, freeFiles: 100 } })
      await rig.repository.commit({ ...manyFiles(10), one: 'file', 'two/inside': 'x' })
      await rig.run(plan)
      await rm(join(target, 'one'))
      await mkdir(join(target, 'one'))
      await rm(join(target, 'two'), { recursive: true })
      await writeFile(join(target, 'two'), 'a file')
      await chmod(join(target, 'src'), 0o700)
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectWhole(target)
    })
  },
)
