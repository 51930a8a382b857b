import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Run } from '../../../../src/shared/model/run.ts'
import { createRepositoryRig, type RepositoryRig, sentinelOf, treeOf } from '../../../support/repositoryRig.ts'
import { writeTree } from '../../../support/runRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'
import { waitFor } from '../../../support/waitFor.ts'

const isRoot = process.getuid?.() === 0
const run = (program: string, ...args: string[]): void => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
const manyFiles = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`d${index % 5}/f${index}`, `text ${index}`]))

describe.skipIf(sshdMissing !== null)(
  `bad worlds of delivery${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let targets = 0
    const undo: (() => void)[] = []

    beforeAll(async () => {
      rig = await createRepositoryRig()
    })
    afterEach(() => {
      for (const step of undo.splice(0).reverse()) step()
    })
    afterAll(() => rig.dispose())

    const newTarget = (): string => {
      targets += 1
      return join(rig.rig.remote, `target-${targets}`)
    }
    const mounted = async (limit = 'size=4m'): Promise<string> => {
      const directory = newTarget()
      await mkdir(directory)
      run('mount', '-t', 'tmpfs', '-o', limit, 'tmpfs', directory)
      undo.push(() => run('umount', directory))
      return directory
    }
    const expectWhole = async (target: string): Promise<void> => {
      expect(await sentinelOf(target)).toBe(`${rig.repository.head}\n`)
      expect(await treeOf(target)).toEqual(await treeOf(rig.repository.directoryOf(rig.repository.head)))
    }
    const refused = (ended: Run): void => {
      expect(ended).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'REMOTE_PATH_INVALID' } })
      expect(ended.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
    }

    it('S2.19 a target that is a file is refused and left as it is', async () => {
      const target = newTarget()
      await writeFile(target, 'theirs')
      await rig.repository.commit(manyFiles(3))
      refused(await rig.run(await rig.plan(target)))
      expect(await readFile(target, 'utf8')).toBe('theirs')
    })

    it('S2.19 a link to the root directory is refused, and its content is not even listed', async () => {
      const target = newTarget()
      await symlink('/', target)
      await rig.repository.commit(manyFiles(3))
      const ended = await rig.run(await rig.plan(target))
      refused(ended)
      expect(ended.failure?.sentence).toContain('really /,')
    })

    it('S2.19 the home directory of the login user, and what it lies in, are refused', async () => {
      await rig.repository.commit(manyFiles(3))
      refused(await rig.run(await rig.plan(join(rig.rig.remote, 'home'))))
      refused(await rig.run(await rig.plan(rig.rig.remote)))
      expect(await readdir(rig.rig.remote)).not.toContain('d0')
    })

    it.skipIf(!isRoot)('S2.19 the root of a mounted disk is refused, a directory on it is not', async () => {
      const disk = await mounted()
      await writeFile(join(disk, 'theirs'), 'x')
      await rig.repository.commit(manyFiles(3))
      const ended = await rig.run(await rig.plan(disk))
      refused(ended)
      expect(ended.failure?.short).toBe('target is mount point')
      expect(await readdir(disk)).toEqual(['theirs'])
      expect(await rig.run(await rig.plan(join(disk, 'below')))).toMatchObject({ status: 'succeeded' })
      await expectWhole(join(disk, 'below'))
    })

    it('a directory in the place of the sentinel is refused, never replaced', async () => {
      const target = newTarget()
      await writeTree(target, { '.sync_rev/theirs': 'x' })
      await rig.repository.commit(manyFiles(3))
      refused(await rig.run(await rig.plan(target)))
      expect(await readFile(join(target, '.sync_rev', 'theirs'), 'utf8')).toBe('x')
    })

    it('a link in the place of the sentinel is replaced, and what it points at is not touched', async () => {
      const target = newTarget()
      await mkdir(target)
      await writeFile(join(rig.rig.remote, 'pointed at'), 'theirs')
      await symlink('../pointed at', join(target, '.sync_rev'))
      await rig.repository.commit(manyFiles(3))
      expect(await rig.run(await rig.plan(target))).toMatchObject({ status: 'succeeded' })
      await expectWhole(target)
      expect(await readFile(join(rig.rig.remote, 'pointed at'), 'utf8')).toBe('theirs')
    })

    it.skipIf(!isRoot)('S2.12 a disk that is too small is noticed before anything is sent', async () => {
      const target = join(await mounted(), 'tree')
      await rig.repository.commit({ ...manyFiles(3), big: randomBytes(5_000_000) })
      const ended = await rig.run(await rig.plan(target))
      expect(ended).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
      expect(ended.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
    })

    it.skipIf(!isRoot)(
      'D16 a disk that fills in mid-transfer: no sentinel, and the next run completes the tree',
      async () => {
        const disk = await mounted()
        const target = join(disk, 'tree')
        const plan = await rig.plan(target)
        await rig.repository.commit(manyFiles(20))
        expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
        // Fits by bytes; by blocks of 4 KiB it does not.
        const small = Object.fromEntries(Array.from({ length: 1_200 }, (_, index) => [`small/s${index}`, `${index}`]))
        await rig.repository.commit({ ...manyFiles(20), ...small })
        const ended = await rig.run(plan)
        expect(ended).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
        expect(ended.visits.at(-2)).toMatchObject({ state: 'PUSH_SYNC', outcome: 'failed' })
        expect(await sentinelOf(target)).toBeNull()
        run('mount', '-o', 'remount,size=32m', disk)
        expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
        await expectWhole(target)
      },
    )

    it.skipIf(!isRoot)('D16 a disk that is full when only the sentinel is left to write: there is none', async () => {
      const disk = await mounted('nr_inodes=200')
      const target = join(disk, 'tree')
      const plan = await rig.plan(target)
      await rig.repository.commit(manyFiles(20))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      await rm(join(target, '.sync_rev'))
      const fill = async (index: number): Promise<void> => {
        await writeFile(join(disk, `fill-${index}`), '')
        return fill(index + 1)
      }
      await expect(fill(0)).rejects.toMatchObject({ code: 'ENOSPC' })
      const ended = await rig.run(plan)
      expect(ended).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
      expect((await readdir(target)).filter((name) => name.startsWith('.sync_rev'))).toEqual([])
      await rm(join(disk, 'fill-0'))
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      await expectWhole(target)
    })

    it('S2.14 two syncs of one target at once come one after the other', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { bandwidthKiBps: 256 })
      await rig.repository.commit({ big: randomBytes(300_000).toString('hex') })
      const first = await rig.push(plan)
      await rig.rig.until(first.id, ({ state }) => state === 'PUSH_SYNC')
      const second = await rig.push(plan)
      const [one, two] = await Promise.all([rig.rig.until(first.id), rig.rig.until(second.id)])
      expect([one.status, two.status]).toEqual(['succeeded', 'succeeded'])
      const locked = two.visits.find(({ state }) => state === 'ACQUIRE_LOCK')
      expect(locked?.leftAt).toBeGreaterThanOrEqual(one.finishedAt ?? Number.POSITIVE_INFINITY)
      expect(two.summary).toMatchObject({ filesTransferred: 0 })
      await expectWhole(target)
    })

    it('S2.13 a commit that arrives in mid-sync waits for the next run', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { bandwidthKiBps: 256 })
      const old = await rig.repository.commit({ big: randomBytes(200_000).toString('hex'), text: 'old' })
      const first = await rig.push(plan)
      await waitFor('bytes on the way', () => rig.rig.progress.some(({ runId }) => runId === first.id))
      const next = await rig.repository.commit({ big: randomBytes(200_000).toString('hex'), text: 'new' })
      const ended = await rig.rig.until(first.id)
      expect([ended.failure, ended.tries]).toEqual([null, 1])
      expect(ended.proof?.verify).toMatchObject({ commit: old })
      expect(await sentinelOf(target)).toBe(`${old}\n`)
      expect(await treeOf(target)).toEqual(await treeOf(rig.repository.directoryOf(old)))
      expect((await rig.run(plan)).proof?.verify).toMatchObject({ commit: next })
      await expectWhole(target)
    })

    it('S2.13 all tries of a run deliver one commit, also when another one arrives between them', async () => {
      const target = newTarget()
      await writeTree(target, { 'd0/in-the-way': 'x' })
      const plan = await rig.plan(target, { delete: false })
      const commit = await rig.repository.commit({ d0: 'a file where a directory stands' })
      const queued = await rig.push(plan)
      await rig.rig.until(queued.id, ({ tries }) => tries >= 1)
      await waitFor('the commit is held', () => rig.repository.held() > 0)
      await rig.repository.commit({ other: 'x' })
      const ended = await rig.rig.until(queued.id)
      expect(ended).toMatchObject({ status: 'failed', tries: 3, failure: { code: 'TRANSFER_INCOMPLETE' } })
      expect(await sentinelOf(target)).toBeNull()
      expect(await readdir(target)).not.toContain('other')
      expect(await rig.rig.log(queued.id)).not.toContain(rig.repository.head)
      expect(commit).not.toBe(rig.repository.head)
      expect(rig.repository.held()).toBe(0)
    })

    it('S2.16 a sentinel that somebody keeps changing is told after a second try', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      await rig.repository.commit(manyFiles(10))
      await rig.run(plan)
      // Whenever a commit is named, and from outside, so that nothing else is different there.
      const script =
        'while :; do read -r l < "$0/.sync_rev" && [ "$l" != intruder ] && echo intruder > "$0.x" && mv "$0.x" "$0/.sync_rev"; done'
      const writer = spawn('sh', ['-c', script, target], { stdio: 'ignore' })
      try {
        const ended = await rig.run(plan)
        expect(ended).toMatchObject({ status: 'failed', tries: 2, failure: { code: 'SENTINEL_MISMATCH' } })
        expect(ended.proof).toBeNull()
        expect((await rig.rig.freshNode()).plans).toMatchObject([{ driftReason: { code: 'SENTINEL_MISMATCH' } }])
      } finally {
        writer.kill('SIGKILL')
        await new Promise((resolve) => writer.once('exit', resolve))
      }
    })

    it('S2.7 a file that somebody keeps changing is never green, and no sentinel says that it is', async () => {
      const target = newTarget()
      const plan = await rig.plan(target, { verify: { mode: 'full' } })
      await rig.repository.commit(manyFiles(10))
      await rig.run(plan)
      const script = 'while :; do echo intruder > "$0/.x" && mv "$0/.x" "$0/d0/f0"; done'
      const writer = spawn('sh', ['-c', script, target], { stdio: 'ignore' })
      try {
        const ended = await rig.run(plan)
        expect(ended).toMatchObject({ status: 'failed', failure: { code: 'VERIFY_MISMATCH' } })
        expect(await sentinelOf(target)).toBeNull()
      } finally {
        writer.kill('SIGKILL')
        await new Promise((resolve) => writer.once('exit', resolve))
      }
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded' })
      await expectWhole(target)
    })

    it('S2.4 a commit that would delete much halts with its preview; approved, exactly that is done', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      const before = await rig.repository.commit(manyFiles(60))
      await rig.run(plan)
      await rig.repository.commit(manyFiles(20))
      const halted = await rig.run(plan)
      expect(halted).toMatchObject({
        status: 'halted',
        halt: { reason: 'mass-delete', deletePreview: { filesDeleted: 40, filesOnTarget: 60 } },
      })
      expect(await sentinelOf(target)).toBe(`${before}\n`)
      expect(await treeOf(target)).toEqual(await treeOf(rig.repository.directoryOf(before)))
      expect(rig.repository.held()).toBe(0)
      await rig.service.approve(halted.id, 'mass-delete', 'tester')
      expect(await rig.rig.until(halted.id, ({ status }) => status === 'succeeded')).toMatchObject({
        summary: { filesDeleted: 40 },
      })
      await expectWhole(target)
    })

    it('S2.4 an empty commit does not empty a target unasked', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      await rig.repository.commit(manyFiles(5))
      await rig.run(plan)
      await rig.repository.commit({})
      expect(await rig.run(plan)).toMatchObject({ status: 'halted', halt: { reason: 'source-empty' } })
      expect((await treeOf(target)).size).toBeGreaterThan(5)
    })

    it('S2.13 a snapshot that somebody changed proves nothing', async () => {
      const target = newTarget()
      const plan = await rig.plan(target)
      const commit = await rig.repository.commit(manyFiles(10))
      await rig.run(plan)
      await writeFile(join(rig.repository.directoryOf(commit), 'd0', 'f0'), 'tampered with')
      const ended = await rig.run(plan)
      // What lies there is what is sent from then on; the listing is made anew, and nothing is green by the old one.
      expect(ended.tries).toBeGreaterThan(1)
      expect(ended.attempts[0]?.diagnosis?.code).toBe('SOURCE_CHANGED')
    })
  },
)
