import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scanSnippets } from '../../../../src/core/scan/snippets.ts'
import { readSentinel } from '../../../../src/engine/repositories/sentinels.ts'
import { createRepositoryRig, type RepositoryRig } from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'

describe.skipIf(sshdMissing !== null)('targets', () => {
  let programs: string
  let rig: RepositoryRig

  beforeAll(async () => {
    programs = await mkdtemp(join(tmpdir(), 'ls-programs-'))
    const bin = join(programs, 'bin')
    await mkdir(bin)
    for (const name of await readdir('/usr/bin'))
      if (!name.startsWith('git')) await symlink(join('/usr/bin', name), join(bin, name))
    await writeFile(join(bin, 'git'), `#!/bin/sh\necho "$*" >> ${join(programs, 'git-was-run')}\nexit 1\n`)
    await chmod(join(bin, 'git'), 0o755)
    // Every command of a login finds these programs and no others.
    const forced = `ForceCommand PATH=${bin}; export PATH; exec sh -c "$SSH_ORIGINAL_COMMAND"`
    rig = await createRepositoryRig({ sshd: { extraConfig: [forced] } })
  }, 60_000)
  afterAll(async () => {
    await rig.dispose()
    await rm(programs, { recursive: true, force: true })
  })

  it.each(['in-place', 'release'] as const)(
    'S2.1 S2.5 S2.8 S2.27 get a tree %s and have it read back without any git',
    async (strategy) => {
      const target = join(rig.rig.remote, strategy)
      const plan = await rig.plan(target, { strategy: { kind: strategy } }, strategy)
      for (const text of ['one', 'two']) {
        const commit = await rig.repository.commit({ 'readme.txt': text, 'lib/a.txt': 'a' })
        const run = await rig.run(plan)
        expect([run.failure, run.status]).toEqual([null, 'succeeded'])
        const tree = strategy === 'release' ? join(target, 'current') : target
        expect(await readFile(join(tree, 'readme.txt'), 'utf8')).toBe(text)
        expect(await readdir(tree)).not.toContain('.git')
        const file = `${tree}/.sync_rev`
        expect(await readSentinel(rig.rig.pool, { node: rig.rig.node, file })).toBe(commit)
      }
      await expect(readFile(join(programs, 'git-was-run'))).rejects.toMatchObject({ code: 'ENOENT' })
    },
  )

  it('S2.27 the canary does tell: a git that is run there leaves its mark', async () => {
    const { exitCode } = await rig.rig.pool.exec(rig.rig.node, 'git status', { timeoutMs: 20_000 })
    expect(exitCode).toBe(1)
    expect(await readFile(join(programs, 'git-was-run'), 'utf8')).toBe('status\n')
  })
})

describe('the main branch', () => {
  it('S2.32 S2.34 its guide names every rule, is linked, and shows the texts that this version makes', async () => {
    const guide = await readFile('docs/guide/branch-protection.md', 'utf8')
    for (const rule of ['pull request', 'two reviews', 'tests', 'no direct push'])
      expect(guide.toLowerCase()).toContain(rule)
    expect(await readFile('README.md', 'utf8')).toContain('docs/guide/branch-protection.md')
    expect(guide).toContain(scanSnippets({ tool: 'lockstep', branch: 'main' }).githubActions.trim())
  })
})
