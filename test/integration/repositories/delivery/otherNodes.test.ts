import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRepositoryRig, type RepositoryRig, sentinelOf, treeOf } from '../../../support/repositoryRig.ts'
import { writeTree } from '../../../support/runRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'

const manyFiles = (text: string): Record<string, string> => ({
  ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`d${index % 5}/f${index}`, `${index}`])),
  'line\nbreak': text,
  version: text,
})

const pathOf = (program: string): string =>
  execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim()

/** A node with these programs and no others. */
const worlds: Readonly<Record<string, (bin: string) => Promise<void>>> = {
  'busybox alone': async (bin) => {
    for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n'))
      if (applet !== '' && applet !== 'rsync') await symlink('/bin/busybox', join(bin, applet))
    await symlink(pathOf('rsync'), join(bin, 'rsync'))
  },
  'a mv that only renames, and perl': async (bin) => {
    for (const program of [
      'sh',
      'dd',
      'cat',
      'head',
      'tr',
      'mkdir',
      'find',
      'sort',
      'sha256sum',
      'wc',
      'df',
      'awk',
      'ls',
    ])
      await symlink(pathOf(program), join(bin, program))
    for (const program of [
      'touch',
      'readlink',
      'ln',
      'rm',
      'sync',
      'stat',
      'xargs',
      'rsync',
      'perl',
      'date',
      'grep',
      'sleep',
    ])
      await symlink(pathOf(program), join(bin, program))
    const script = `#!/bin/sh\nfor each; do case $each in -T|-h) echo "mv: bad option" >&2; exit 2 ;; esac; done\nexec ${pathOf('mv')} "$@"\n`
    await writeFile(join(bin, 'mv'), script)
    await chmod(join(bin, 'mv'), 0o755)
  },
}

for (const [name, provide] of Object.entries(worlds)) {
  describe.skipIf(sshdMissing !== null)(
    `delivery to a node with ${name}${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
    () => {
      let rig: RepositoryRig
      let bin: string

      beforeAll(async () => {
        bin = await mkdtemp(join(tmpdir(), 'ls-bin-'))
        await provide(bin)
        rig = await createRepositoryRig({
          extraConfig: [`ForceCommand PATH=${bin}; export PATH; eval "$SSH_ORIGINAL_COMMAND"`],
        })
      })
      afterAll(async () => {
        await rig.dispose()
        await rm(bin, { recursive: true })
      })

      const expectWhole = async (directory: string): Promise<void> => {
        expect(await sentinelOf(directory)).toBe(`${rig.repository.head}\n`)
        expect(await treeOf(directory)).toEqual(await treeOf(rig.repository.directoryOf(rig.repository.head)))
      }

      it('S2.5 S2.8 S2.27 in place: sent, found unchanged, changed, with deletes', async () => {
        const target = join(rig.rig.remote, "in 'place'")
        const plan = await rig.plan(target, { verify: { mode: 'full' } })
        await rig.repository.commit(manyFiles('1'))
        const first = await rig.run(plan)
        expect([first.failure, first.status]).toEqual([null, 'succeeded'])
        await expectWhole(target)
        expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
        await writeTree(target, { foreign: 'x', '__pycache__/kept': 'x' })
        await rig.repository.commit(manyFiles('2'))
        const run = await rig.run(plan)
        expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
        expect(run.summary).toMatchObject({ filesTransferred: 2, filesDeleted: 1 })
        await rm(join(target, '__pycache__'), { recursive: true })
        await expectWhole(target)
      })

      it('S2.4 as a release: made, replaced, rolled back and pruned', async () => {
        const target = join(rig.rig.remote, 'as "release"')
        const plan = await rig.plan(target, { strategy: { kind: 'release', keep: 2 } })
        const first = await rig.repository.commit(manyFiles('1'))
        for (const text of ['2', '3']) {
          const made = await rig.run(plan)
          expect([made.failure, made.status, made.tries]).toEqual([null, 'succeeded', 1])
          await expectWhole(join(target, 'current'))
          await rig.repository.commit(manyFiles(text))
        }
        rig.repository.head = first
        const back = await rig.run(plan)
        expect([back.failure, back.status, back.tries]).toEqual([null, 'succeeded', 1])
        expect(await readlink(join(target, 'current'))).toBe(`releases/${first}`)
        await expectWhole(join(target, 'current'))
      })
    },
  )
}
