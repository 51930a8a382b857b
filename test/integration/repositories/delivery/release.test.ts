import { lstat, mkdir, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { obsoleteReleases } from '../../../../src/engine/runs/executors/repository/release.ts'
import type { CommitHash } from '../../../../src/shared/model/repository.ts'
import { createRepositoryRig, type RepositoryRig, sentinelOf, treeOf } from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'

const files = (text: string): Record<string, string> => ({
  ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`lib/d${index % 4}/f${index}`, `${index}`])),
  version: text,
})

describe.skipIf(sshdMissing !== null)(
  `commits delivered as releases${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let targets = 0

    beforeAll(async () => {
      rig = await createRepositoryRig()
    })
    afterAll(() => rig.dispose())

    const newPlan = async (keep = 3, spec: object = {}): Promise<{ target: string; plan: string }> => {
      targets += 1
      const target = join(rig.rig.remote, `releases ${targets}`)
      return { target, plan: await rig.plan(target, { strategy: { kind: 'release', keep }, ...spec }) }
    }

    const expectInUse = async (target: string, commit: CommitHash): Promise<void> => {
      expect(await readlink(join(target, 'current'))).toBe(`releases/${commit}`)
      expect(await sentinelOf(join(target, 'current'))).toBe(`${commit}\n`)
      expect(await treeOf(join(target, 'releases', commit))).toEqual(await treeOf(rig.repository.directoryOf(commit)))
    }

    it('S2.4 S2.6 a release is built aside, proven, and comes into use in one rename', async () => {
      const { target, plan } = await newPlan()
      const commit = await rig.repository.commit(files('1'))
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.proof?.verify).toMatchObject({ mode: 'repository', commit, release: `releases/${commit}` })
      await expectInUse(target, commit)
      expect((await readdir(target)).sort()).toEqual(['current', 'releases'])
      const again = await rig.run(plan)
      expect(again).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
      expect(await rig.rig.log(again.id)).not.toContain('$ rsync ')
    })

    it('files that did not change are shared with the release before', async () => {
      const { target, plan } = await newPlan()
      const first = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const second = await rig.repository.commit(files('2'))
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 1, filesTotal: 41 } })
      await expectInUse(target, second)
      const inode = async (commit: string, name: string): Promise<number> =>
        (await stat(join(target, 'releases', commit, name))).ino
      expect(await inode(first, 'lib/d0/f0')).toBe(await inode(second, 'lib/d0/f0'))
      expect(await inode(first, 'version')).not.toBe(await inode(second, 'version'))
      expect(await inode(first, '.sync_rev')).not.toBe(await inode(second, '.sync_rev'))
      expect(await sentinelOf(join(target, 'releases', first))).toBe(`${first}\n`)
      expect(await readFile(join(target, 'releases', first, 'version'), 'utf8')).toBe('1')
    })

    it('a roll back to a release that is still there sends nothing: it is proven again and put into use', async () => {
      const { target, plan } = await newPlan()
      const first = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const second = await rig.repository.commit(files('2'))
      await rig.run(plan)
      rig.repository.head = first
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.summary).toMatchObject({ filesTransferred: 0 })
      expect(await rig.rig.log(run.id)).not.toContain('$ rsync ')
      await expectInUse(target, first)
      expect((await rig.rig.freshNode()).plans).toMatchObject([{ observed: { commit: first, previousCommit: second } }])
      rig.repository.head = second
      await rig.run(plan)
      await expectInUse(target, second)
    })

    it('S2.16 a release that was edited since is put right before it comes into use', async () => {
      const { target, plan } = await newPlan(3, { verify: { mode: 'full' } })
      const first = await rig.repository.commit(files('1'))
      await rig.run(plan)
      await rig.repository.commit(files('2'))
      await rig.run(plan)
      const edited = join(target, 'releases', first, 'version')
      const { mtime } = await stat(edited)
      await writeFile(edited, 'X')
      await utimes(edited, mtime, mtime)
      await rm(join(target, 'releases', first, 'lib/d0/f0'))
      rig.repository.head = first
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectInUse(target, first)
    })

    it('S2.16 content edited in the release in use is found by its hash, and put right there', async () => {
      const { target, plan } = await newPlan(3, { verify: { mode: 'full' } })
      const commit = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const edited = join(target, 'current', 'version')
      const { mtime } = await stat(edited)
      await writeFile(edited, 'X')
      await utimes(edited, mtime, mtime)
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', tries: 2 })
      await expectInUse(target, commit)
    })

    it('only so many releases are kept, the one in use and those used last, and nothing unfinished', async () => {
      const { target, plan } = await newPlan(2)
      const commits: CommitHash[] = []
      for (const text of ['1', '2', '3']) {
        commits.push(await rig.repository.commit(files(text)))
        expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      }
      const [, second, third] = commits
      if (second === undefined || third === undefined) throw new Error('no commits')
      expect((await readdir(join(target, 'releases'))).sort()).toEqual([second, third].sort())
      await mkdir(join(target, 'releases', `${'a'.repeat(40)}.partial`))
      await mkdir(join(target, 'releases', 'theirs'))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      expect((await readdir(join(target, 'releases'))).sort()).toEqual([second, third, 'theirs'].sort())
      await expectInUse(target, third)
    })

    it('only what holds our sentinel is an old release: what others keep beside it stays, whatever its name', async () => {
      const { target, plan } = await newPlan(1)
      const foreign = [
        '20240101120000',
        'cafe',
        'e'.repeat(40),
        `${'d'.repeat(39)}.partial`,
        'f'.repeat(64),
        'dead.partial',
      ]
      for (const name of foreign) {
        await mkdir(join(target, 'releases', name), { recursive: true })
        await writeFile(join(target, 'releases', name, 'theirs'), name)
      }
      // Copied by somebody: it names another commit than its directory does.
      const copied = 'b'.repeat(40)
      await mkdir(join(target, 'releases', copied))
      const first = await rig.repository.commit(files('1'))
      await writeFile(join(target, 'releases', copied, '.sync_rev'), `${first}\n`)
      // And one whose name leads elsewhere, where a sentinel fits it.
      const linked = 'c'.repeat(40)
      const elsewhere = join(rig.rig.remote, 'linked release')
      await mkdir(elsewhere)
      await writeFile(join(elsewhere, '.sync_rev'), `${linked}\n`)
      await symlink(elsewhere, join(target, 'releases', linked))
      await rig.run(plan)
      const second = await rig.repository.commit(files('2'))
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectInUse(target, second)
      expect((await readdir(join(target, 'releases'))).sort()).toEqual([...foreign, copied, linked, second].sort())
      for (const name of foreign) expect(await readFile(join(target, 'releases', name, 'theirs'), 'utf8')).toBe(name)
      expect(await readdir(elsewhere)).toEqual(['.sync_rev'])
      const log = await rig.rig.log(run.id)
      expect(log).toContain('left alone in releases/')
      expect(log).toContain('"20240101120000"')
      expect(log).toContain(`removed old releases: ${first}`)
    })

    it('what a program wrote into the release in use stays there where the plan deletes nothing', async () => {
      const { target, plan } = await newPlan(3, { delete: false })
      const commit = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const uploads = join(target, 'current', 'uploads')
      await mkdir(uploads)
      await writeFile(join(uploads, 'photo'), 'theirs')
      await writeFile(join(target, 'current', 'version'), 'edited')
      for (const options of [{}, { force: true } as const]) {
        const run = await rig.run(plan, options)
        expect([run.failure, run.status]).toEqual([null, 'succeeded'])
        expect(await readFile(join(uploads, 'photo'), 'utf8')).toBe('theirs')
        expect(await readFile(join(target, 'current', 'version'), 'utf8')).toBe('1')
        expect(await sentinelOf(join(target, 'current'))).toBe(`${commit}\n`)
      }
    })

    it('where the plan deletes, so much in the release in use halts the run as it does in place', async () => {
      const { target, plan } = await newPlan(3, { deleteLimits: { maxShare: 0.1, freeFiles: 2 } })
      const commit = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const uploads = join(target, 'current', 'uploads')
      await mkdir(uploads)
      const names = Array.from({ length: 20 }, (_, index) => `photo${index}`)
      for (const name of names) await writeFile(join(uploads, name), 'theirs')
      const run = await rig.run(plan)
      expect(run).toMatchObject({
        status: 'halted',
        halt: { reason: 'mass-delete', deletePreview: { filesDeleted: 20 } },
      })
      expect((await readdir(uploads)).sort()).toEqual([...names].sort())
      expect(await sentinelOf(join(target, 'current'))).toBe(`${commit}\n`)
      await rig.service.approve(run.id, 'mass-delete', 'tester')
      await rig.rig.until(run.id, ({ status }) => status === 'succeeded')
      await expectInUse(target, commit)
    })

    it('what was used longest ago goes first, never the commit that comes into use', () => {
      const have = new Map([
        ['a', 10],
        ['b', 30],
        ['c', 20],
      ])
      expect(obsoleteReleases({ have, unfinished: ['d', 'n'] }, { commit: 'n', keep: 2 })).toEqual([
        'c',
        'a',
        'd.partial',
      ])
      expect(obsoleteReleases({ have, unfinished: [] }, { commit: 'a', keep: 1 })).toEqual(['b', 'c'])
      expect(obsoleteReleases({ have, unfinished: [] }, { commit: 'a', keep: 5 })).toEqual([])
    })

    for (const [what, make] of [
      [
        'a directory',
        (path: string) => mkdir(path, { recursive: true }).then(() => writeFile(join(path, 'theirs'), 'x')),
      ],
      ['a file', (path: string) => writeFile(path, 'theirs')],
      ['a link to a place of somebody else', (path: string) => symlink('/srv/other', path)],
    ] as const) {
      it(`${what} named current is refused and left as it is`, async () => {
        const { target, plan } = await newPlan()
        await rig.repository.commit(files('1'))
        await mkdir(target, { recursive: true })
        await make(join(target, 'current'))
        const before = await lstat(join(target, 'current'))
        const run = await rig.run(plan)
        expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'REMOTE_PATH_INVALID' } })
        expect(run.failure?.sentence).toContain('"current"')
        expect(run.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
        const after = await lstat(join(target, 'current'))
        expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs])
      })
    }

    it('a link in the place of releases is refused: it would have us write somewhere else', async () => {
      const { target, plan } = await newPlan()
      await rig.repository.commit(files('1'))
      const elsewhere = join(rig.rig.remote, 'elsewhere')
      await mkdir(elsewhere, { recursive: true })
      await mkdir(target, { recursive: true })
      await symlink(elsewhere, join(target, 'releases'))
      expect(await rig.run(plan)).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PATH_INVALID' } })
      expect(await readdir(elsewhere)).toEqual([])
    })

    it('D18 force builds trust anew: every file of the release in use is compared', async () => {
      const { target, plan } = await newPlan(3, { verify: { mode: 'sample', files: 1 } })
      const commit = await rig.repository.commit(files('1'))
      await rig.run(plan)
      const edited = join(target, 'current', 'lib/d1/f1')
      const { mtime } = await stat(edited)
      await writeFile(edited, 'X')
      await utimes(edited, mtime, mtime)
      expect(await rig.run(plan, { force: true })).toMatchObject({ status: 'succeeded' })
      await expectInUse(target, commit)
    })
  },
)
