import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Repository } from '../../../../src/shared/model/repository.ts'
import {
  commitFiles,
  createMirrorRig,
  failureOf,
  git,
  listing,
  type MirrorRig,
  newRepository,
  type SomeSettings,
} from './mirrorRig.ts'

let rig: MirrorRig
let checkout: string
beforeEach(async () => {
  rig = await createMirrorRig()
  checkout = join(rig.directory, 'work', 'checkout')
})
afterEach(() => rig.dispose())

type Heads = Repository['state']['heads']
const here = (heads: Heads = {}, settings: SomeSettings = {}): Repository =>
  rig.repository({ checkout: { kind: 'here', directory: checkout }, ...settings }, heads)
const fetch = (heads: Heads = {}, { force = false, ...settings }: SomeSettings & { readonly force?: boolean } = {}) =>
  rig.mirrors.fetch(here(heads, settings), { force })

describe('a checkout on the machine of the engine', () => {
  it('S2.2 S2.10 is cloned where it is missing, with the remote as its origin, and pulled forward later', async () => {
    const first = await fetch()
    expect(git(checkout, ['remote', 'get-url', 'origin'])).toBe(`file://${rig.origin}`)
    expect(await readdir(join(rig.directory, 'work'))).toEqual(['checkout'])
    const next = commitFiles(rig.origin, { 'b.txt': 'two\n' })
    const second = await fetch(first.heads)
    expect(second).toEqual({ heads: { main: next }, warnings: [] })
    expect(git(checkout, ['rev-parse', 'HEAD'])).toBe(next)
    expect(git(checkout, ['status', '--porcelain', '--branch'])).toBe('## main...origin/main')
    expect(readFileSync(join(checkout, 'b.txt'), 'utf8')).toBe('two\n')
  })

  it('S2.20 is cloned with the default branch checked out, also into an empty directory', async () => {
    git(rig.origin, ['branch', 'live'])
    await mkdir(checkout, { recursive: true })
    await fetch({}, { defaultBranch: 'live' })
    expect(git(checkout, ['symbolic-ref', '--short', 'HEAD'])).toBe('live')
  })

  it('S2.20 a default branch that the remote does not have clones nothing', async () => {
    const failure = await failureOf(fetch({}, { defaultBranch: 'nowhere' }))
    expect(failure.code).toBe('REF_NOT_FOUND')
    expect(listing(join(rig.directory, 'work'))).toEqual([])
  })

  it('S2.10 a directory that is there and is not a checkout is refused and not touched', async () => {
    await mkdir(checkout, { recursive: true })
    await writeFile(join(checkout, 'precious'), 'x')
    expect((await failureOf(fetch())).code).toBe('SOURCE_MISSING')
    expect((await failureOf(fetch({}, { force: true }))).code).toBe('SOURCE_MISSING')
    expect(listing(checkout)).toEqual(['precious'])
  })

  it('S2.10 a directory inside of another checkout is not taken for one', async () => {
    newRepository(join(rig.directory, 'work'))
    await mkdir(checkout, { recursive: true })
    await writeFile(join(checkout, 'precious'), 'x')
    expect((await failureOf(fetch())).code).toBe('SOURCE_MISSING')
    expect(git(join(rig.directory, 'work'), ['for-each-ref'])).not.toContain('lockstep')
  })

  it('S2.10 a file in its place, a link to nowhere and a bare repository are refused', async () => {
    await mkdir(join(rig.directory, 'work'))
    await writeFile(checkout, 'x')
    expect((await failureOf(fetch())).code).toBe('SOURCE_MISSING')
    await rm(checkout)
    await symlink('/nowhere/at/all', checkout)
    expect((await failureOf(fetch())).code).toBe('SOURCE_MISSING')
    await rm(checkout)
    git(rig.directory, ['clone', '--quiet', '--bare', rig.origin, checkout])
    expect((await failureOf(fetch())).code).toBe('SOURCE_MISSING')
  })

  it('D18 a checkout whose files lie elsewhere is refused, and nothing is written there', async () => {
    await fetch()
    const elsewhere = join(rig.directory, 'elsewhere')
    await mkdir(elsewhere)
    commitFiles(rig.origin, { 'b.txt': 'b' })
    for (const [name, value] of [
      ['core.worktree', elsewhere],
      ['core.worktree', join(rig.directory, 'work')],
      ['core.bare', 'true'],
    ] as const) {
      git(join(checkout, '.git'), ['config', '--file', 'config', name, value])
      const failure = await failureOf(fetch({}, { force: true }))
      expect([name, failure.code]).toEqual([name, 'SOURCE_MISSING'])
      git(join(checkout, '.git'), ['config', '--file', 'config', '--unset', name])
    }
    expect([listing(elsewhere), await readdir(join(rig.directory, 'work'))]).toEqual([[], ['checkout']])
  })

  it('S2.10 a missing checkout without a remote says so', async () => {
    expect((await failureOf(fetch({}, { remote: null }))).code).toBe('SOURCE_MISSING')
  })

  it('S2.2 without a remote what is committed in the checkout counts, on every branch', async () => {
    const first = newRepository(checkout)
    git(checkout, ['branch', 'other'])
    git(checkout, ['tag', 'v1'])
    const second = commitFiles(checkout, { 'b.txt': 'b' })
    const { heads } = await fetch({}, { remote: null })
    expect(heads).toEqual({ main: second, other: first, 'tags/v1': first })
  })

  it('S2.2 without a remote of ours its own origin is asked, relative paths too', async () => {
    await fetch()
    git(checkout, ['remote', 'set-url', 'origin', '../../origin'])
    const next = commitFiles(rig.origin, { 'b.txt': 'two\n' })
    expect((await fetch({}, { remote: null })).heads).toEqual({ main: next })
    expect(git(checkout, ['rev-parse', 'origin/main'])).toBe(next)
  })

  it('S2.2 commits that were not pushed are delivered, and said', async () => {
    await fetch()
    const local = commitFiles(checkout, { 'local.txt': 'x' })
    const { heads, warnings } = await fetch()
    expect(heads.main).toBe(local)
    expect(warnings.join()).toContain('that the remote does not have (1)')
  })

  it('D16 the sentinel is kept out of git once, whatever stands in the file before', async () => {
    await fetch()
    const exclude = join(checkout, '.git', 'info', 'exclude')
    writeFileSync(exclude, '*.log')
    await fetch()
    await fetch()
    expect(readFileSync(exclude, 'utf8')).toBe('*.log\n/.sync_rev\n')
    await writeFile(join(checkout, '.sync_rev'), 'x')
    expect((await fetch()).warnings).toEqual([])
    expect(git(checkout, ['status', '--porcelain'])).toBe('')
  })

  it('S2.10 changes that are not committed are a warning that counts them, and the pull goes on', async () => {
    const first = await fetch()
    await writeFile(join(checkout, 'a.txt'), 'changed\n')
    await writeFile(join(checkout, 'new.txt'), 'new\n')
    const next = commitFiles(rig.origin, { 'b.txt': 'two\n' })
    const { heads, warnings } = await fetch(first.heads)
    expect(heads.main).toBe(next)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^2 files .*not committed.*"a\.txt", "new\.txt"/)
    expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('changed\n')
    const snapshot = await rig.mirrors.snapshot(here(), next, { dotGit: false })
    expect(readFileSync(join(snapshot.directory, 'a.txt'), 'utf8')).toBe('one\n')
    snapshot.release()
  })

  it('S2.10 changes in the way of a pull are named and stay; force takes them back (D18)', async () => {
    const first = await fetch()
    await writeFile(join(checkout, 'a.txt'), 'mine\n')
    await writeFile(join(checkout, 'untracked.txt'), 'mine too\n')
    const next = commitFiles(rig.origin, { 'a.txt': 'theirs\n' })
    const failure = await failureOf(fetch(first.heads))
    expect(failure.code).toBe('REPOSITORY_DIVERGED')
    expect(failure.message).toContain('a.txt')
    expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('mine\n')
    expect((await fetch(first.heads, { force: true })).heads.main).toBe(next)
    expect(readFileSync(join(checkout, 'a.txt'), 'utf8')).toBe('theirs\n')
    expect(readFileSync(join(checkout, 'untracked.txt'), 'utf8')).toBe('mine too\n')
  })

  it('D18 not even force writes over a file that git never knew, ignored ones included', async () => {
    commitFiles(rig.origin, { '.gitignore': 'secret.txt\n' })
    const first = await fetch()
    await writeFile(join(checkout, 'secret.txt'), 'only copy\n')
    await mkdir(join(checkout, 'data'))
    await writeFile(join(checkout, 'data', 'deep'), 'only copy\n')
    git(rig.origin, ['rm', '--quiet', '.gitignore'])
    commitFiles(rig.origin, { 'secret.txt': 'theirs\n', data: 'a file now\n' })
    const failure = await failureOf(fetch(first.heads, { force: true }))
    expect(failure.code).toBe('REPOSITORY_DIVERGED')
    expect(failure.data?.files).toEqual(['data/deep', 'secret.txt'])
    expect(readFileSync(join(checkout, 'secret.txt'), 'utf8')).toBe('only copy\n')
    expect(readFileSync(join(checkout, 'data', 'deep'), 'utf8')).toBe('only copy\n')
  })

  it('D18 history that was rewritten is refused, and reset with force; the old commit is named', async () => {
    const first = await fetch()
    const old = first.heads.main ?? ''
    git(rig.origin, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    expect((await failureOf(fetch(first.heads))).code).toBe('REPOSITORY_DIVERGED')
    expect(git(checkout, ['rev-parse', 'HEAD'])).toBe(old)
    const forced = await fetch(first.heads, { force: true })
    expect(forced.warnings.join()).toContain(old)
    expect(git(checkout, ['rev-parse', 'HEAD'])).toBe(git(rig.origin, ['rev-parse', 'main']))
  })

  it('D18 force moves the branch that is checked out and no other', async () => {
    git(rig.origin, ['branch', 'other'])
    await fetch()
    git(checkout, ['branch', 'other', 'origin/other'])
    const mine = git(checkout, ['rev-parse', 'other'])
    const next = commitFiles(rig.origin, { 'b.txt': 'b' })
    git(rig.origin, ['branch', '-f', 'other'])
    const { heads } = await fetch({}, { force: true })
    expect(git(checkout, ['rev-parse', 'other'])).toBe(mine)
    expect(heads).toEqual({ main: next, other: next })
  })

  it('S2.10 a detached head is not moved, and the remote is fetched all the same', async () => {
    const first = await fetch()
    git(checkout, ['checkout', '--quiet', '--detach'])
    const next = commitFiles(rig.origin, { 'b.txt': 'b' })
    for (const force of [false, true]) {
      const { heads, warnings } = await fetch(first.heads, { force })
      expect(heads.main).toBe(next)
      expect(warnings.join()).toContain('detached head')
      expect(git(checkout, ['rev-parse', 'HEAD'])).toBe(first.heads.main)
    }
  })

  it('S2.10 an index that somebody holds locked is left alone, and tried again later', async () => {
    const first = await fetch()
    const next = commitFiles(rig.origin, { 'a.txt': 'two\n' })
    const lock = join(checkout, '.git', 'index.lock')
    await writeFile(lock, '')
    const failure = await failureOf(fetch(first.heads))
    expect(failure.code).toBe('REPOSITORY_LOCKED')
    expect(failure.retry?.kind).toBe('after')
    expect(existsSync(lock)).toBe(true)
    await rm(lock)
    expect((await fetch(first.heads)).heads.main).toBe(next)
  })

  it('S2.10 a merge that somebody has not finished stays as it is', async () => {
    const first = await fetch()
    const aside = git(checkout, ['commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', 'aside'])
    git(checkout, ['merge', '--quiet', '--no-ff', '--no-commit', aside])
    commitFiles(rig.origin, { 'b.txt': 'b' })
    expect((await failureOf(fetch(first.heads))).code).toBe('REPOSITORY_DIVERGED')
    expect(existsSync(join(checkout, '.git', 'MERGE_HEAD'))).toBe(true)
  })

  it('S2.10 a branch deleted at the remote disappears from the heads although it is checked out', async () => {
    git(rig.origin, ['branch', 'work'])
    const first = await fetch({}, { defaultBranch: 'work' })
    expect(Object.keys(first.heads)).toEqual(['main', 'work'])
    git(rig.origin, ['branch', '-D', 'work'])
    const { heads, warnings } = await fetch(first.heads, { defaultBranch: 'work' })
    expect(Object.keys(heads)).toEqual(['main'])
    expect(warnings.join()).toContain('does not have any more')
  })

  it('S2.10 a branch that was never pushed is a head, and does not linger when another one is checked out', async () => {
    await fetch()
    git(checkout, ['checkout', '--quiet', '-b', 'mine'])
    const mine = commitFiles(checkout, { 'mine.txt': 'x' })
    const first = await fetch()
    expect(first.heads.mine).toBe(mine)
    git(checkout, ['checkout', '--quiet', 'main'])
    expect(Object.keys((await fetch(first.heads)).heads)).toEqual(['main'])
  })

  it.runIf(process.getuid?.() === 0)('S2.10 a checkout of another user is refused with the reason', async () => {
    await fetch()
    chownSync(checkout, 12_345, 12_345)
    chownSync(join(checkout, '.git'), 12_345, 12_345)
    const failure = await failureOf(fetch())
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('belongs to another user')
  })

  it('S2.10 with its own remote under another URL the names of the person stay as they are', async () => {
    const elsewhere = join(rig.directory, 'elsewhere')
    newRepository(elsewhere)
    git(rig.directory, ['clone', '--quiet', elsewhere, checkout])
    const theirs = git(checkout, ['rev-parse', 'origin/main'])
    git(checkout, ['fetch', '--quiet', rig.origin, 'main'])
    git(checkout, ['reset', '--quiet', '--hard', 'FETCH_HEAD'])
    const next = commitFiles(rig.origin, { 'b.txt': 'b' })
    expect((await fetch()).heads).toEqual({ main: next })
    expect(git(checkout, ['rev-parse', 'origin/main'])).toBe(theirs)
  })

  it('S2.10 what a killed clone left is removed by the next one', async () => {
    const left = join(rig.directory, 'work', '.checkout.lockstep-clone-11111111')
    await mkdir(left, { recursive: true })
    await writeFile(join(left, 'half'), 'x')
    await fetch()
    expect(await readdir(join(rig.directory, 'work'))).toEqual(['checkout'])
  })

  it('S2.10 paths with spaces, quotes and percent signs are taken as they are', async () => {
    checkout = join(rig.directory, `a 'b' "c" %41 $HOME`, 'checkout')
    const { heads } = await fetch()
    expect(heads.main).toBe(git(checkout, ['rev-parse', 'HEAD']))
  })

  it('S2.10 a commit that only the remote has is pinned through the checkout', async () => {
    const repository = here()
    await rig.mirrors.fetch(repository, { force: false })
    const pinned = git(rig.origin, ['commit-tree', 'main^{tree}', '-m', 'pinned'])
    const snapshot = await rig.mirrors.snapshot(repository, pinned, { dotGit: false })
    expect(listing(snapshot.directory)).toEqual(['a.txt'])
    snapshot.release()
  })
})
