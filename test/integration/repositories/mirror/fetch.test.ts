import { existsSync, readdirSync, renameSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitFiles, createMirrorRig, failureOf, git, type MirrorRig, newRepository } from './mirrorRig.ts'

let rig: MirrorRig
beforeEach(async () => {
  rig = await createMirrorRig()
})
afterEach(() => rig.dispose())

const fetchOptions = { force: false }

describe('fetching from a remote without a checkout', () => {
  it('S2.10 brings branches and tags, a tag of a tag too, and says nothing of other refs', async () => {
    const first = git(rig.origin, ['rev-parse', 'main'])
    git(rig.origin, ['tag', 'light'])
    git(rig.origin, ['tag', '-a', '-m', 'one', 'heavy'])
    git(rig.origin, ['tag', '-a', '-m', 'two', 'heavier', 'heavy'])
    git(rig.origin, ['tag', 'of-a-tree', 'main^{tree}'])
    git(rig.origin, ['update-ref', 'refs/pull/1/head', first])
    git(rig.origin, ['branch', 'feature/x'])
    const { heads, warnings } = await rig.mirrors.fetch(rig.repository(), fetchOptions)
    expect(heads).toEqual({
      main: first,
      'feature/x': first,
      'tags/light': first,
      'tags/heavy': first,
      'tags/heavier': first,
    })
    expect(warnings).toEqual([])
  })

  it('S2.10 a branch that was deleted disappears, the others stay', async () => {
    git(rig.origin, ['branch', 'old'])
    const before = await rig.mirrors.fetch(rig.repository(), fetchOptions)
    git(rig.origin, ['branch', '-D', 'old'])
    const after = await rig.mirrors.fetch(rig.repository({}, before.heads), fetchOptions)
    expect([Object.keys(before.heads), Object.keys(after.heads)]).toEqual([['main', 'old'], ['main']])
  })

  it('S2.10 a branch that becomes a directory of branches is fetched', async () => {
    git(rig.origin, ['branch', 'work'])
    const before = await rig.mirrors.fetch(rig.repository(), fetchOptions)
    git(rig.origin, ['branch', '-m', 'work', 'work/one'])
    const after = await rig.mirrors.fetch(rig.repository({}, before.heads), fetchOptions)
    expect(Object.keys(after.heads)).toEqual(['main', 'work/one'])
  })

  it('S2.3 D18 history of the default branch that was rewritten is refused, and taken with force', async () => {
    const before = await rig.mirrors.fetch(rig.repository(), fetchOptions)
    git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'another first'])
    const known = rig.repository({}, before.heads)
    const refused = await failureOf(rig.mirrors.fetch(known, fetchOptions))
    expect(refused.code).toBe('REPOSITORY_DIVERGED')
    expect(refused.message).toContain('force')
    const { heads } = await rig.mirrors.fetch(known, { force: true })
    expect(heads.main).toBe(git(rig.origin, ['rev-parse', 'main']))
    expect(await rig.mirrors.has(known.id, before.heads.main ?? '')).toBe(true)
  })

  it('D18 another branch or tag that was rewritten keeps what was fetched before, with a warning, until there is force', async () => {
    git(rig.origin, ['branch', 'feature'])
    git(rig.origin, ['tag', 'v1'])
    const before = await rig.mirrors.fetch(rig.repository(), fetchOptions)
    const orphan = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'orphan'])
    git(rig.origin, ['branch', '-f', 'feature', orphan])
    git(rig.origin, ['tag', '-f', 'v1', orphan])
    const next = commitFiles(rig.origin, { 'a.txt': 'two\n' })
    const kept = await rig.mirrors.fetch(rig.repository({}, before.heads), fetchOptions)
    expect(kept.heads).toEqual({ ...before.heads, main: next })
    expect(kept.warnings.join()).toMatch(/feature.*rewritten|rewritten.*feature/)
    const forced = await rig.mirrors.fetch(rig.repository({}, kept.heads), { force: true })
    expect(forced.heads).toEqual({ main: next, feature: orphan, 'tags/v1': orphan })
  })

  it('S2.10 a remote that is gone says so, and works again when it is back', async () => {
    renameSync(rig.origin, `${rig.origin}-away`)
    const gone = await failureOf(rig.mirrors.fetch(rig.repository(), fetchOptions))
    expect(gone.code).toBe('REPOSITORY_UNREACHABLE')
    expect(gone.message).toContain(rig.origin)
    renameSync(`${rig.origin}-away`, rig.origin)
    expect(Object.keys((await rig.mirrors.fetch(rig.repository(), fetchOptions)).heads)).toEqual(['main'])
  })

  it('S2.10 a repository of SHA-256 is fetched too', async () => {
    const other = join(rig.directory, 'sha256')
    await mkdir(other)
    git(other, ['init', '--quiet', '--initial-branch=main', '--object-format=sha256'])
    const commit = commitFiles(other, { 'a.txt': 'x' })
    const repository = rig.repository({ remote: `file://${other}` })
    expect((await rig.mirrors.fetch(repository, fetchOptions)).heads).toEqual({ main: commit })
    const snapshot = await rig.mirrors.snapshot(repository, commit, { dotGit: true })
    expect(git(snapshot.directory, ['rev-parse', 'HEAD'])).toBe(commit)
    snapshot.release()
  })

  it('S2.10 an empty remote has no heads', async () => {
    const empty = join(rig.directory, 'empty')
    await mkdir(empty)
    git(empty, ['init', '--quiet', '--bare'])
    expect(await rig.mirrors.fetch(rig.repository({ remote: `file://${empty}` }), fetchOptions)).toEqual({
      heads: {},
      warnings: [],
    })
  })

  it('S2.10 with a depth only so many commits come, and a later commit still follows from the one before', async () => {
    for (let number = 0; number < 5; number += 1) commitFiles(rig.origin, { 'a.txt': `${number}` })
    const settings = { depth: 2 }
    const before = await rig.mirrors.fetch(rig.repository(settings), fetchOptions)
    const from = before.heads.main ?? ''
    expect(await rig.mirrors.log(rig.repository().id, { from, limit: 10 })).toHaveLength(2)
    const next = commitFiles(rig.origin, { 'a.txt': 'next' })
    const after = await rig.mirrors.fetch(rig.repository(settings, before.heads), fetchOptions)
    expect(after.heads.main).toBe(next)
    expect(await rig.mirrors.commitsBetween(rig.repository().id, from, next)).toBe(1)
    git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    const refused = await failureOf(rig.mirrors.fetch(rig.repository(settings, after.heads), fetchOptions))
    expect(refused.code).toBe('REPOSITORY_DIVERGED')
  })

  it('S2.10 a commit that no branch reaches is fetched by its hash; one that nobody has is named', async () => {
    const pinned = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'pinned'])
    const repository = rig.repository()
    await rig.mirrors.fetch(repository, fetchOptions)
    expect(await rig.mirrors.has(repository.id, pinned)).toBe(false)
    const snapshot = await rig.mirrors.snapshot(repository, pinned, { dotGit: false })
    expect(existsSync(join(snapshot.directory, 'a.txt'))).toBe(true)
    snapshot.release()
    const missing = await failureOf(rig.mirrors.snapshot(repository, 'f'.repeat(40), { dotGit: false }))
    expect(missing.code).toBe('REF_NOT_FOUND')
  })

  it('S2.10 nothing of a hostile configuration of a remote on this machine is run', async () => {
    const mark = join(rig.directory, 'ran')
    const script = join(rig.directory, 'script')
    await writeFile(script, `#!/bin/sh\necho ran >>'${mark}'\nexit 1\n`, { mode: 0o755 })
    for (const setting of ['core.fsmonitor', 'uploadpack.packObjectsHook', 'core.sshCommand', 'credential.helper'])
      git(rig.origin, ['config', setting, script])
    for (const hook of ['post-checkout', 'reference-transaction', 'post-merge', 'pre-receive', 'post-index-change']) {
      await mkdir(join(rig.origin, '.git', 'hooks'), { recursive: true })
      await writeFile(join(rig.origin, '.git', 'hooks', hook), `#!/bin/sh\necho ${hook} >>'${mark}'\n`, { mode: 0o755 })
    }
    const checkout = { kind: 'here', directory: rig.origin } as const
    const { heads } = await rig.mirrors.fetch(rig.repository({ remote: null, checkout }), fetchOptions)
    expect(heads.main).toBe(git(rig.origin, ['rev-parse', 'main']))
    expect(existsSync(mark)).toBe(false)
  })

  it('S2.11 ways that are not https, ssh or a file are refused', async () => {
    const checkout = join(rig.directory, 'checkout')
    newRepository(checkout)
    for (const url of ['ext::sh -c "touch /tmp/never"', 'http://127.0.0.1:1/x.git', 'git://127.0.0.1:1/x.git']) {
      git(checkout, ['config', 'remote.origin.url', url])
      const settings = { remote: null, checkout: { kind: 'here', directory: checkout } } as const
      const refused = await failureOf(rig.mirrors.fetch(rig.repository(settings), fetchOptions))
      expect([url, refused.code]).toEqual([url, 'REPOSITORY_REFUSED'])
    }
  })

  it('S2.11 a password in the URL of a checkout is refused and not repeated', async () => {
    const checkout = join(rig.directory, 'checkout')
    newRepository(checkout)
    git(checkout, ['config', 'remote.origin.url', 'https://me:canary-5f1c@127.0.0.1:1/x.git'])
    const settings = { remote: null, checkout: { kind: 'here', directory: checkout } } as const
    const refused = await failureOf(rig.mirrors.fetch(rig.repository(settings), fetchOptions))
    expect(refused.code).toBe('REPOSITORY_REFUSED')
    expect(JSON.stringify(refused.toBody())).not.toContain('canary-5f1c')
  })

  it('S2.10 a fetch is canceled at once when nobody wants it any more', async () => {
    const canceled = await failureOf(
      rig.mirrors.fetch(rig.repository(), { force: false, signal: AbortSignal.abort(new Error('no')) }),
    )
    expect(canceled.code).toBe('CANCELED')
  })

  it('S2.10 a server that takes the call and says nothing is given up, or left when nobody waits any more', async () => {
    const sockets = new Set<Socket>()
    const silent = createServer((socket) => void sockets.add(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    try {
      const address = silent.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      const repository = rig.repository({ remote: `https://127.0.0.1:${port}/x.git` })
      const impatient = rig.again({ limits: { silenceMs: 200 } })
      expect((await failureOf(impatient.fetch(repository, fetchOptions))).code).toBe('TIMED_OUT')
      const abort = new AbortController()
      const before = sockets.size
      const waiting = failureOf(rig.mirrors.fetch(repository, { force: false, signal: abort.signal }))
      await expect.poll(() => sockets.size).toBeGreaterThan(before)
      abort.abort()
      expect((await waiting).code).toBe('CANCELED')
    } finally {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => silent.close(resolve))
    }
  })

  it('S2.10 fetches of one repository come one after the other, and all of them succeed', async () => {
    const fetched = await Promise.all([1, 2, 3, 4].map(() => rig.mirrors.fetch(rig.repository(), fetchOptions)))
    expect(new Set(fetched.map(({ heads }) => heads.main))).toEqual(new Set([git(rig.origin, ['rev-parse', 'main'])]))
  })

  it('S2.10 a mirror that was asked very often keeps few packs and every commit', async () => {
    const often = rig.again({ limits: { mostPacks: 3 } })
    const commits: string[] = []
    for (let number = 0; number < 6; number += 1) {
      commits.push(commitFiles(rig.origin, { 'a.txt': `${number}` }))
      await often.fetch(rig.repository(), { force: true })
      // What was fetched is in no history any more.
      if (number === 1) git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    }
    const packs = join(rig.home, rig.repository().id, 'mirror.git', 'objects', 'pack')
    expect(readdirSync(packs).filter((name) => name.endsWith('.pack')).length).toBeLessThan(4)
    for (const commit of commits) expect(await rig.mirrors.has(rig.repository().id, commit)).toBe(true)
  })

  it('S2.10 what is removed is gone, and a checkout stays', async () => {
    const checkout = join(rig.directory, 'checkout')
    const repository = rig.repository({ checkout: { kind: 'here', directory: checkout } })
    await rig.mirrors.fetch(repository, fetchOptions)
    await rig.mirrors.remove(repository.id)
    expect([existsSync(join(rig.home, repository.id)), existsSync(join(checkout, 'a.txt'))]).toEqual([false, true])
  })
})

describe('the history in the mirror', () => {
  it('S2.16 is listed newest first, page by page, with what people write', async () => {
    const commits = ['second', 'Größe: "quoted"\n\nbody', 'last'].map((message, number) =>
      commitFiles(rig.origin, { 'a.txt': `${number}` }, message),
    )
    const repository = rig.repository()
    const { heads } = await rig.mirrors.fetch(repository, fetchOptions)
    const from = heads.main ?? ''
    const page = await rig.mirrors.log(repository.id, { from, limit: 2 })
    expect(page.map(({ commit }) => commit)).toEqual([commits[2], commits[1]])
    expect(page[1]).toMatchObject({ author: 'Ann Other', subject: 'Größe: "quoted"' })
    const rest = await rig.mirrors.log(repository.id, { from, after: page[1]?.commit ?? '', limit: 10 })
    expect(rest.map(({ subject }) => subject)).toEqual(['second', 'first'])
    expect(rest[0]?.committedAt).toBeGreaterThan(1_600_000_000_000)
  })

  it('S2.16 counts commits between two that follow from one another, and says nothing of others', async () => {
    const repository = rig.repository()
    const first = git(rig.origin, ['rev-parse', 'main'])
    const last = commitFiles(rig.origin, { 'b.txt': 'b', 'c.txt': 'c' })
    const aside = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'aside'])
    git(rig.origin, ['branch', 'aside', aside])
    await rig.mirrors.fetch(repository, fetchOptions)
    const count = (from: string, to: string) => rig.mirrors.commitsBetween(repository.id, from, to)
    expect([await count(first, last), await count(last, first), await count(last, aside)]).toEqual([1, 0, null])
    expect(await count(first, 'e'.repeat(40))).toBeNull()
    expect((await failureOf(rig.mirrors.log(repository.id, { from: 'e'.repeat(40), limit: 1 }))).code).toBe(
      'REF_NOT_FOUND',
    )
  })

  it('S2.33 names files that were added or changed, and none when a name is not UTF-8', async () => {
    const repository = rig.repository()
    const first = git(rig.origin, ['rev-parse', 'main'])
    await rm(join(rig.origin, 'a.txt'))
    const second = commitFiles(rig.origin, { 'new\nline.txt': 'b', 'ü.txt': 'c' })
    await writeFile(Buffer.concat([Buffer.from(`${rig.origin}/`), Buffer.from([0xff, 0xfe])]), 'x')
    const third = commitFiles(rig.origin, {})
    await rig.mirrors.fetch(repository, fetchOptions)
    expect(await rig.mirrors.changedFiles(repository.id, first, second)).toEqual(['new\nline.txt', 'ü.txt'])
    expect(await rig.mirrors.changedFiles(repository.id, second, third)).toBeNull()
    expect(await rig.mirrors.changedFiles(repository.id, 'e'.repeat(40), third)).toBeNull()
  })

  it('S2.11 a hash that is an option or an expression never gets to git', async () => {
    const repository = rig.repository()
    await rig.mirrors.fetch(repository, fetchOptions)
    for (const commit of ['--upload-pack=sh', 'main', 'HEAD~1', `${'a'.repeat(40)}^{tree}`]) {
      expect((await failureOf(rig.mirrors.snapshot(repository, commit, { dotGit: false }))).code).toBe('INVALID_INPUT')
      expect((await failureOf(rig.mirrors.has(repository.id, commit))).code).toBe('INVALID_INPUT')
    }
  })
})
