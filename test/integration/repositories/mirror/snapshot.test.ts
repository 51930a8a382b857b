import { chmodSync, existsSync, lstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RepositoryMirrors, TreeSnapshot } from '../../../../src/engine/ports/repositories.ts'
import { createManualClock } from '../../../fakes/manualClock.ts'
import {
  blob,
  commitFiles,
  commitTree,
  createMirrorRig,
  failureOf,
  git,
  listing,
  type MirrorRig,
  rawTree,
  type SomeSettings,
} from './mirrorRig.ts'

let rig: MirrorRig
beforeEach(async () => {
  rig = await createMirrorRig()
})
afterEach(() => rig.dispose())

interface TakeOptions extends SomeSettings {
  readonly dotGit?: boolean
  readonly mirrors?: RepositoryMirrors
}
const take = async (commit: string, options: TakeOptions = {}): Promise<TreeSnapshot> => {
  const { dotGit = false, mirrors = rig.mirrors, ...settings } = options
  return mirrors.snapshot(rig.repository(settings), commit, { dotGit })
}
const inodeOf = (snapshot: TreeSnapshot, name: string): number => lstatSync(join(snapshot.directory, name)).ino
const timeOf = (snapshot: TreeSnapshot, name: string): number => lstatSync(join(snapshot.directory, name)).mtimeMs
const trees = (): string => join(rig.home, rig.repository().id, 'trees')

describe('a snapshot of one commit', () => {
  it('S2.4 S2.21 holds the files of the commit, byte by byte, without .git', async () => {
    await writeFile(join(rig.origin, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
    await symlink('dir/deep.bin', join(rig.origin, 'link'))
    await mkdir(join(rig.origin, 'dir'))
    const bytes = Buffer.from([0, 255, 13, 10, 10, 13])
    await writeFile(join(rig.origin, 'dir', 'deep.bin'), bytes)
    await writeFile(join(rig.origin, 'empty'), '')
    const commit = commitFiles(rig.origin, {})
    const { directory, release } = await take(commit)
    expect(listing(directory)).toEqual(['a.txt', 'dir/', 'dir/deep.bin', 'empty', 'link', 'run.sh'])
    expect(existsSync(join(directory, '.git'))).toBe(false)
    expect(readFileSync(join(directory, 'dir', 'deep.bin')).equals(bytes)).toBe(true)
    expect(readlinkSync(join(directory, 'link'))).toBe('dir/deep.bin')
    const modes = ['run.sh', 'a.txt', 'dir', '.'].map((name) =>
      (lstatSync(join(directory, name)).mode & 0o7777).toString(8),
    )
    expect(modes).toEqual(['755', '644', '755', '755'])
    release()
  })

  it('S2.4 modes do not depend on the umask of the engine', async () => {
    const commit = commitFiles(rig.origin, { 'dir/b.txt': 'b' })
    const before = process.umask(0o077)
    try {
      const { directory } = await take(commit, { dotGit: true })
      const modes = ['dir', 'dir/b.txt', '.git', '.git/HEAD'].map(
        (name) => statSync(join(directory, name)).mode & 0o777,
      )
      expect(modes).toEqual([0o755, 0o644, 0o755, 0o644])
    } finally {
      process.umask(before)
    }
  })

  it('S2.4 names with line breaks, quotes, leading dashes and bytes that are not UTF-8 come through', async () => {
    const hash = blob(rig.origin, 'x')
    const names = ['-rf', 'line\nbreak', 'quo"te\\', 'tab\t', 'ünï', ' '].map((name) => Buffer.from(name))
    names.push(Buffer.from([0xff, 0xfe, 0x41]))
    names.sort(Buffer.compare)
    const inner = rawTree(
      rig.origin,
      names.map((name) => ({ mode: '100644', name, hash })),
    )
    const commit = commitTree(
      rig.origin,
      rawTree(rig.origin, [{ mode: '040000', name: Buffer.from([0x64, 0xe9]), hash: inner }]),
    )
    await rig.mirrors.fetch(rig.repository(), { force: true })
    const { directory, release } = await take(commit)
    const [top] = await readdir(directory, { encoding: 'buffer' })
    const found = await readdir(Buffer.concat([Buffer.from(`${directory}/`), top ?? Buffer.alloc(0)]), {
      encoding: 'buffer',
    })
    expect(found.sort(Buffer.compare).map((name) => name.toString('latin1'))).toEqual(
      names.map((name) => name.toString('latin1')),
    )
    release()
  })

  it('S2.4 attributes of the commit decide about line ends, as in a checkout; nobody elses do', async () => {
    const commit = commitFiles(rig.origin, {
      '.gitattributes': '*.bat text eol=crlf\n',
      'x.bat': 'a\nb\n',
      'x.sh': 'a\n',
    })
    const { directory, release } = await take(commit)
    expect(readFileSync(join(directory, 'x.bat'), 'latin1')).toBe('a\r\nb\r\n')
    expect(readFileSync(join(directory, 'x.sh'), 'latin1')).toBe('a\n')
    release()
    const plain = commitFiles(rig.origin, { '.gitattributes': '' })
    const next = await take(plain)
    expect(readFileSync(join(next.directory, 'x.bat'), 'latin1')).toBe('a\nb\n')
    next.release()
  })

  it('S2.4 unchanged files are hard links with their times; changed ones have a time that no snapshot had', async () => {
    const clock = createManualClock()
    const mirrors = rig.again({ clock })
    const one = commitFiles(rig.origin, { 'b.txt': 'b1', 'dir/c.txt': 'c', 'other/d.txt': 'd1' })
    const first = await take(one, { mirrors })
    const two = commitFiles(rig.origin, { 'b.txt': 'b2', 'other/d.txt': 'd2' })
    const second = await take(two, { mirrors })
    expect(inodeOf(second, 'a.txt')).toBe(inodeOf(first, 'a.txt'))
    expect(inodeOf(second, 'dir/c.txt')).toBe(inodeOf(first, 'dir/c.txt'))
    expect(timeOf(second, 'dir')).toBe(timeOf(first, 'dir'))
    expect(inodeOf(second, 'b.txt')).not.toBe(inodeOf(first, 'b.txt'))
    // The clock did not move, and equal size with equal time would be taken for equal content.
    expect(timeOf(second, 'b.txt')).toBe(timeOf(first, 'b.txt') + 1000)
    expect(timeOf(second, 'other/d.txt') % 1000).toBe(0)
    expect(readFileSync(join(first.directory, 'b.txt'), 'utf8')).toBe('b1')
    const back = await take(one, { mirrors: rig.again({ clock }) })
    expect(back.directory).toBe(first.directory)
  })

  it('S2.4 a file that only became executable is a file of its own', async () => {
    const first = await take(commitFiles(rig.origin, {}))
    chmodSync(join(rig.origin, 'a.txt'), 0o755)
    const second = await take(commitFiles(rig.origin, {}))
    const mode = (snapshot: TreeSnapshot): number => statSync(join(snapshot.directory, 'a.txt')).mode & 0o777
    expect([mode(first), mode(second)]).toEqual([0o644, 0o755])
  })

  it('S2.4 a file of an older snapshot that somebody touched is not taken over', async () => {
    const first = await take(commitFiles(rig.origin, { 'b.txt': 'good', 'c.txt': 'good' }))
    writeFileSync(join(first.directory, 'b.txt'), 'evil')
    await chmod(join(first.directory, 'c.txt'), 0o600)
    const second = await take(commitFiles(rig.origin, { 'd.txt': 'd' }))
    expect(readFileSync(join(second.directory, 'b.txt'), 'utf8')).toBe('good')
    expect(statSync(join(second.directory, 'c.txt')).mode & 0o777).toBe(0o644)
    expect(inodeOf(second, 'a.txt')).toBe(inodeOf(first, 'a.txt'))
  })

  it('S2.14 is made once for all who ask at the same time, and again for nobody', async () => {
    const commit = commitFiles(rig.origin, {})
    await rig.mirrors.fetch(rig.repository(), { force: false })
    const taken = await Promise.all([take(commit), take(commit), take(commit)])
    expect(new Set(taken.map(({ directory }) => directory)).size).toBe(1)
    expect(new Set(taken.map((snapshot) => inodeOf(snapshot, 'a.txt'))).size).toBe(1)
    const before = inodeOf(await take(commit), 'a.txt')
    expect(inodeOf(await take(commit, { mirrors: rig.again() }), 'a.txt')).toBe(before)
  })

  it('S2.14 one who gives up does not take it from the others', async () => {
    const commit = commitFiles(rig.origin, {})
    const abort = new AbortController()
    const repository = rig.repository()
    const given = rig.mirrors.snapshot(repository, commit, { dotGit: false, signal: abort.signal })
    const kept = take(commit)
    abort.abort()
    expect((await failureOf(given)).code).toBe('CANCELED')
    expect(listing((await kept).directory)).toEqual(['a.txt'])
  })

  it('S2.4 the newest three stay and those that somebody has; others go', async () => {
    const held = await take(commitFiles(rig.origin, { 'a.txt': '0' }))
    const commits: string[] = []
    for (let number = 1; number <= 5; number += 1) {
      const commit = commitFiles(rig.origin, { 'a.txt': `${number}` })
      const snapshot = await take(commit)
      snapshot.release()
      snapshot.release()
      commits.push(commit)
    }
    const names = async (): Promise<string[]> => (await readdir(trees())).sort()
    await expect.poll(names).toEqual([held.commit, ...commits.slice(2)].sort())
    held.release()
    const next = await take(commitFiles(rig.origin, { 'a.txt': '6' }))
    await expect.poll(names).toEqual([...commits.slice(3), next.commit].sort())
  })

  it('S2.21 with .git there is a repository of this one commit, without remotes, hooks or history', async () => {
    commitFiles(rig.origin, { 'b.txt': 'b' })
    const commit = commitFiles(rig.origin, { 'c.txt': 'c' })
    const { directory, release } = await take(commit, { dotGit: true })
    expect(git(directory, ['rev-list', '--all', 'HEAD'])).toBe(commit)
    expect(git(directory, ['status', '--porcelain'])).toBe('')
    expect(git(directory, ['remote'])).toBe('')
    expect(git(directory, ['fsck', '--strict'])).toBe('')
    expect(readFileSync(join(directory, '.git', 'info', 'exclude'), 'utf8')).toBe('/.sync_rev\n')
    const config = readFileSync(join(directory, '.git', 'config'), 'utf8')
    expect(config).not.toMatch(/url|remote|credential|include|hook/i)
    expect(config).not.toContain(rig.directory)
    expect(existsSync(join(directory, '.git', 'hooks'))).toBe(false)
    expect(existsSync(join(directory, '.git', 'FETCH_HEAD'))).toBe(false)
    release()
    const bare = await take(commit)
    expect(existsSync(join(bare.directory, '.git'))).toBe(false)
  })

  it('S2.10 what a killed engine left is removed at the start, and nothing half is taken for whole', async () => {
    const commit = commitFiles(rig.origin, { 'b.txt': 'b' })
    const first = await take(commit)
    const mirror = join(rig.home, rig.repository().id, 'mirror.git')
    const left = ['.unfinished-1/tree/half', `${'a'.repeat(40)}/tree/half`].map((name) => join(trees(), name))
    for (const path of left) {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, 'x')
    }
    await writeFile(join(mirror, 'packed-refs.lock'), '')
    await writeFile(join(mirror, 'objects', 'pack', 'tmp_pack_abc'), 'x')
    await rm(join(first.directory, '..', 'snapshot.json'))
    const mirrors = rig.again()
    const next = commitFiles(rig.origin, { 'c.txt': 'c' })
    await mirrors.fetch(rig.repository(), { force: false })
    const again = await take(commit, { mirrors })
    await take(next, { mirrors })
    expect(listing(again.directory)).toEqual(['a.txt', 'b.txt'])
    expect(existsSync(join(trees(), '.unfinished-1'))).toBe(false)
    expect(existsSync(join(mirror, 'packed-refs.lock'))).toBe(false)
    expect(existsSync(join(mirror, 'objects', 'pack', 'tmp_pack_abc'))).toBe(false)
    const half = await failureOf(take('a'.repeat(40), { mirrors }))
    expect(half.code).toBe('REF_NOT_FOUND')
  })
})

describe('Git LFS', () => {
  const pointer = (oid = 'b'.repeat(64)): string =>
    `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 12\n`

  it('S2.4 pointers in the place of content are refused by name, also where the snapshot is there already', async () => {
    const commit = commitFiles(rig.origin, { 'big.bin': pointer(), 'dir/other.bin': pointer() })
    const snapshot = await take(commit, { largeFiles: 'pointers' })
    expect(readFileSync(join(snapshot.directory, 'big.bin'), 'utf8')).toBe(pointer())
    const refused = await failureOf(take(commit))
    expect(refused.code).toBe('LARGE_FILE_POINTERS')
    expect(refused.message).toContain('"big.bin", "dir/other.bin"')
    const next = commitFiles(rig.origin, { 'a.txt': 'changed' })
    expect((await failureOf(take(next))).data?.files).toEqual(['big.bin', 'dir/other.bin'])
  })

  it('S2.4 a text about pointers is not one', async () => {
    const commit = commitFiles(rig.origin, { 'README.md': `about\n${pointer()}`, 'x.txt': 'version 1\n' })
    expect(listing((await take(commit)).directory)).toContain('README.md')
  })
})
