import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitFiles, createMirrorRig, failureOf, git, listing, type MirrorRig } from './mirrorRig.ts'

let rig: MirrorRig
let checkout: string
beforeEach(async () => {
  rig = await createMirrorRig()
  checkout = join(rig.directory, 'work', 'checkout')
  await rig.mirrors.fetch(here(), { force: false })
})
afterEach(() => rig.dispose())

const here = () => rig.repository({ checkout: { kind: 'here', directory: checkout } })
const fetch = (force = false) => rig.mirrors.fetch(here(), { force })
const configure = (name: string, value: string) => git(checkout, ['config', '--add', name, value])

describe('files that git was told to ignore', () => {
  it.each([
    ['conf.local', 'conf.local'],
    ['data/only', 'data'],
  ])('S2.10 %s is not written over by a pull that brings %s', async (file, brought) => {
    commitFiles(rig.origin, { '.gitignore': 'conf.local\n/data/\n' })
    await fetch()
    await mkdir(join(checkout, 'data'))
    await writeFile(join(checkout, file), 'only copy\n')
    await writeFile(join(rig.origin, brought), 'theirs\n')
    git(rig.origin, ['add', '--force', brought])
    git(rig.origin, ['commit', '--quiet', '-m', 'force-added'])
    const failure = await failureOf(fetch())
    expect(readFileSync(join(checkout, file), 'utf8')).toBe('only copy\n')
    expect([failure.code, failure.message]).toEqual(['REPOSITORY_DIVERGED', expect.stringContaining(brought)])
    expect((await failureOf(fetch(true))).code).toBe('REPOSITORY_DIVERGED')
    expect(readFileSync(join(checkout, file), 'utf8')).toBe('only copy\n')
  })
})

describe('what a checkout brings along in its own configuration', () => {
  const ran = (): string => join(rig.directory, 'ran')
  const program = (): string => `touch '${ran()}'; cat`

  beforeEach(async () => {
    await writeFile(join(checkout, '.git', 'info', 'attributes'), '* filter=x diff=x merge=x\n')
    commitFiles(rig.origin, { 'a.txt': 'two\n', 'b.txt': 'b\n' })
    // git looks into a file whose time it does not know.
    await writeFile(join(checkout, 'a.txt'), 'one\n')
  })

  it.each([
    'filter.x.clean',
    'filter.x.smudge',
    'filter.x.process',
    'filter.lfs.clean',
    'hook.x.command',
    'lfs.extension.x.clean',
    'remote.origin.uploadpack',
  ])('S2.11 %s is refused by its name, and nothing of it is run', async (name) => {
    configure(name, program())
    for (const force of [false, true]) {
      const failure = await failureOf(fetch(force))
      expect([failure.code, failure.message]).toEqual(['REPOSITORY_UNSAFE', expect.stringContaining(name)])
    }
    expect(existsSync(ran())).toBe(false)
    expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('one\n')
  })

  it.each([
    'http.https://git.example/.sslverify',
    'http.sslcainfo',
    'http.proxy',
    'http.https://git.example.extraheader',
    'http.curloptresolve',
    'http.cookiefile',
    'url.https://evil.example/.insteadof',
    'remote.origin.proxy',
    'remote.https://git.example/x.url',
    'branch.main.mergeoptions',
  ])('S2.11 %s is refused by its name, never its value', async (name) => {
    configure(name, 'value-canary-1f7')
    const failure = await failureOf(fetch())
    expect([failure.code, failure.message]).toEqual(['REPOSITORY_UNSAFE', expect.stringContaining(name)])
    expect(JSON.stringify(failure.toBody())).not.toContain('value-canary-1f7')
  })

  it('S2.11 a password in the name of a setting is not shown', async () => {
    configure('url.https://me:name-canary-9@git.example/.insteadOf', 'https://git.example/')
    const failure = await failureOf(fetch())
    expect(failure.message).toContain('url.https://git.example/.insteadof')
    expect(JSON.stringify(failure.toBody())).not.toContain('name-canary-9')
  })

  it('S2.11 what it includes counts, and so does what is for this work tree only', async () => {
    await writeFile(join(checkout, '.git', 'more'), `[filter "x"]\n\tclean = ${program()}\n`)
    configure('include.path', 'more')
    expect((await failureOf(fetch())).message).toContain('filter.x.clean')
    git(checkout, ['config', '--unset-all', 'include.path'])
    configure('extensions.worktreeConfig', 'true')
    await writeFile(join(checkout, '.git', 'config.worktree'), `[filter "y"]\n\tsmudge = ${program()}\n`)
    expect((await failureOf(fetch())).message).toContain('filter.y.smudge')
    expect(existsSync(ran())).toBe(false)
  })

  it('S2.11 a commit is not pinned through such a checkout either', async () => {
    configure('remote.origin.uploadpack', program())
    const pinned = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'pinned'])
    const failure = await failureOf(rig.mirrors.snapshot(here(), pinned, { dotGit: false }))
    expect([failure.code, existsSync(ran())]).toEqual(['REPOSITORY_UNSAFE', false])
  })

  it('S2.10 S2.11 what ordinary checkouts have is let through, and none of it is run', async () => {
    for (const name of [
      'core.sshCommand',
      'core.fsmonitor',
      'core.hooksPath',
      'core.pager',
      'core.editor',
      'core.askPass',
      'core.gitProxy',
      'core.alternateRefsCommand',
      'core.attributesFile',
      'credential.helper',
      'credential.https://git.example.helper',
      'diff.x.textconv',
      'diff.x.command',
      'diff.external',
      'merge.x.driver',
      'gpg.program',
      'gpg.ssh.program',
      'pager.status',
      'ssh.variant',
      'alias.fetch',
      'uploadpack.packObjectsHook',
    ])
      configure(name, program())
    configure('http.postBuffer', '524288000')
    configure('http.sslVerify', 'false')
    configure('protocol.ext.allow', 'always')
    configure('commit.gpgSign', 'true')
    configure('merge.verifySignatures', 'true')
    configure('filter.lfs.required', 'true')
    configure('filter.lfs.clean', 'git-lfs clean -- %f')
    configure('filter.lfs.smudge', 'git-lfs smudge -- %f')
    configure('filter.lfs.process', 'git-lfs filter-process')
    configure('lfs.https://git.example/x.git/info/lfs.locksverify', 'false')
    const next = git(rig.origin, ['rev-parse', 'main'])
    expect((await fetch()).heads.main).toBe(next)
    git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    await writeFile(join(checkout, 'a.txt'), 'changed\n')
    expect((await fetch(true)).heads.main).toBe(git(rig.origin, ['rev-parse', 'main']))
    expect(listing(checkout)).toEqual(['a.txt', 'b.txt'])
    expect(existsSync(ran())).toBe(false)
  })
})
