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
