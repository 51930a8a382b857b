import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createRepositoryRig,
  expectHead,
  manyFiles,
  type RepositoryRig,
  sentinelOf,
  treeOf,
} from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'
import { waitFor } from '../../../support/waitFor.ts'

const streamed = 'entries in one stream'
const byRsync = '$ rsync '

describe.skipIf(sshdMissing !== null)(
  `commits in one stream${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let targets = 0
    beforeAll(async () => {
      rig = await createRepositoryRig()
    })
    afterAll(() => rig.dispose())

    const newTarget = (): string => {
      targets += 1
      return join(rig.rig.remote, `stream ${targets}`)
    }
    const expectWhole = (directory: string): Promise<void> => expectHead(rig, directory)
    const delivered = async (files: Record<string, string>, spec: object = {}) => {
      const target = newTarget()
      const plan = await rig.plan(target, spec)
      await rig.repository.commit(files)
      const run = await rig.run(plan)
      expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
      return { target, plan, log: await rig.rig.log(run.id) }
    }

    it('S2.4 a large tree goes by a login of its own, and leaves no file of ours behind on either side', async () => {
      const large = { ...manyFiles(30), big: 'x'.repeat(6 * 1024 * 1024) }
      const { target, log } = await delivered(large)
      expect(log).toContain(streamed)
      expect(log).not.toContain(byRsync)
      await expectWhole(target)
      const snapshot = rig.repository.directoryOf(rig.repository.head)
      await waitFor('the archive to go', async () => {
        const left = await readdir(dirname(snapshot))
        return left.every((name) => !name.endsWith('.tar'))
      })
      expect(await readdir(target)).not.toContain('.lockstep-partial')
    })

    it('D16 what somebody changed behind a sentinel that still names the commit before is found, and put right', async () => {
      const files = manyFiles(30)
      const { target, plan } = await delivered(files)
      await writeFile(join(target, 'src/d3/file-3'), 'tampered with')
      await writeFile(join(target, 'foreign'), 'x')
      await rig.repository.commit({ ...files, 'src/d0/file-0': 'new' })
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      const log = await rig.rig.log(run.id)
      expect(log).toContain('rsync takes over: the listing is another than it should be')
      // The sentinel was not put over what was not known.
      expect(log.indexOf('names the commit')).toBe(-1)
      expect(log.indexOf(`.sync_rev names ${rig.repository.head}`)).toBeGreaterThan(log.indexOf(byRsync))
      await expectWhole(target)
    })

    it('D17 follows no link that stands where a directory was', async () => {
      const files = { ...manyFiles(30), 'inner/file': 'old' }
      const { target, plan } = await delivered(files)
      const outside = join(rig.rig.remote, `outside ${targets}`)
      await rename(join(target, 'inner'), outside)
      await symlink(outside, join(target, 'inner'))
      await rig.repository.commit({ ...files, 'inner/file': 'new' })
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(await rig.rig.log(run.id)).toContain('rsync takes over: inner: is no directory')
      expect(await readFile(join(outside, 'file'), 'utf8')).toBe('old')
      await expectWhole(target)
    })

    it('S2.4 limits of bandwidth, force and what was cut are left to rsync', async () => {
      const files = manyFiles(30)
      const limited = await delivered(files, { bandwidthKiBps: 10_000 })
      expect(limited.log).toContain(byRsync)
      expect(limited.log).not.toContain(streamed)
      const { plan, target } = await delivered(files)
      const forced = await rig.run(plan, { force: true })
      expect(await rig.rig.log(forced.id)).toContain(byRsync)
      await expectWhole(target)
    })

    it('S2.4 where the archive has no room here, rsync brings the commit', async () => {
      const files = manyFiles(30)
      const { target, plan } = await delivered(files)
      rig.repository.scratch = join(rig.rig.local, 'no such directory')
      try {
        await rig.repository.commit({ ...files, 'src/d0/file-0': 'new' })
        const run = await rig.run(plan)
        expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
        expect(await rig.rig.log(run.id)).toContain('rsync takes over: tar could not put the files together')
      } finally {
        rig.repository.scratch = null
      }
      await expectWhole(target)
      await rig.repository.commit({ ...files, 'src/d0/file-0': 'newer' })
      expect(await rig.rig.log((await rig.run(plan)).id)).not.toContain(byRsync)
    })

    it('S2.6 half a stream leaves what was there, with its sentinel; the next run begins by looking', async () => {
      const files = manyFiles(30)
      const { target, plan } = await delivered(files)
      const before = rig.repository.head
      await rig.repository.commit({ ...files, 'src/d0/file-0': 'y'.repeat(3 * 1024 * 1024) })
      // What a stream that was cut while it was unpacked leaves.
      await mkdir(join(target, '.lockstep-partial/stream/src/d0'), { recursive: true })
      await writeFile(join(target, '.lockstep-partial/stream/src/d0/file-0'), 'y')
      expect(await sentinelOf(target)).toBe(`${before}\n`)
      const run = await rig.run(plan)
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      await expectWhole(target)
      expect(await readdir(target)).not.toContain('.lockstep-partial')
    })
  },
)

/** Programs of a node as it is, but for one. */
describe.skipIf(sshdMissing !== null)(
  `a node without perl${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    it('S2.4 gets the first commit in a stream and later ones by rsync, which is told what differs', async () => {
      const bin = await mkdtemp(join(tmpdir(), 'ls-bin-'))
      for (const directory of ['/usr/bin', '/bin'])
        for (const program of await readdir(directory))
          if (!/^perl/.test(program)) await symlink(join(directory, program), join(bin, program)).catch(() => undefined)
      expect(() => execFileSync('sh', ['-c', `PATH=${bin} command -v perl`])).toThrow()
      const rig = await createRepositoryRig({
        extraConfig: [`ForceCommand PATH=${bin}; export PATH; eval "$SSH_ORIGINAL_COMMAND"`],
      })
      try {
        const target = join(rig.rig.remote, 'target')
        const plan = await rig.plan(target)
        await rig.repository.commit(manyFiles(30))
        const first = await rig.run(plan)
        expect(await rig.rig.log(first.id)).toContain(streamed)
        for (const text of ['second', 'third']) {
          await rig.repository.commit({ ...manyFiles(30), 'src/d0/file-0': text })
          const run = await rig.run(plan)
          expect([run.failure, run.status]).toEqual([null, 'succeeded'])
          const log = await rig.rig.log(run.id)
          expect(log.includes('rsync takes over')).toBe(text === 'second')
          expect(log).toContain(byRsync)
          expect(await treeOf(target)).toEqual(await treeOf(rig.repository.directoryOf(rig.repository.head)))
        }
      } finally {
        await rig.dispose()
        await rm(bin, { recursive: true })
      }
    })
  },
)
