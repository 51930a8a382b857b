import { execFileSync } from 'node:child_process'
import { chmod, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyListing, listingScript, noListing } from '../../core/transfer/listing.ts'
import { Sources } from './source.ts'

const excludes = ['/.sync_rev', '.git', '*.log', '/data/']

describe('a source that many nodes get', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-source-'))
    await mkdir(join(directory, 'sub', 'empty'), { recursive: true })
    await mkdir(join(directory, 'data'))
    await mkdir(join(directory, '.git'))
    for (const name of [
      'a',
      'sub/with space',
      'sub/line\nbreak',
      'sub/*?[x]\\',
      '.sync_rev',
      'x.log',
      'data/d',
      '.git/HEAD',
      'zwei\r',
      'sub/data',
    ])
      await writeFile(join(directory, name), name)
    await symlink('with space', join(directory, 'sub', 'link'))
    await chmod(join(directory, 'a'), 0o750)
    await utimes(join(directory, 'a'), 1_700_000_000, 1_700_000_000)
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const digestOf = (shell = ['sh']): string => {
    const [program = 'sh', ...args] = shell
    const script = `cd "$0" && ${listingScript(excludes).trim()}\nl_digest`
    return execFileSync(program, [...args, '-c', script, directory], { encoding: 'utf8' }).trim()
  }

  it('has the digest that a node computes of the same tree, and another one after each change', async () => {
    const { digest } = await new Sources().of(directory, excludes)
    expect(digestOf()).toBe(digest)
    await writeFile(join(directory, 'another.log'), 'excluded')
    await writeFile(join(directory, '.sync_rev'), 'excluded too')
    expect(digestOf()).toBe(digest)
    await chmod(join(directory, 'sub', 'empty'), 0o700)
    expect(digestOf()).not.toBe(digest)
    await chmod(join(directory, 'sub', 'empty'), 0o755)
    expect(digestOf()).toBe(digest)
    await utimes(join(directory, 'a'), 1_700_000_000, 1_700_000_000.5)
    expect(digestOf()).not.toBe(digest)
  })

  it('where find cannot print, the node says that it does not know', async () => {
    const tools = await mkdtemp(join(tmpdir(), 'ls-tools-'))
    try {
      await symlink('/bin/busybox', join(tools, 'find'))
      expect(digestOf(['env', `PATH=${tools}:${process.env.PATH}`, 'sh'])).toBe(noListing)
    } finally {
      await rm(tools, { recursive: true })
    }
  })

  it('is read once, is not disturbed by other names for its files, and is read anew after a change', async () => {
    const sources = new Sources()
    const [first, second] = await Promise.all([sources.of(directory, excludes), sources.of(directory, excludes)])
    expect(second).toBe(first)
    const other = await mkdtemp(join(tmpdir(), 'ls-other-'))
    await link(join(directory, 'a'), join(other, 'a'))
    await rm(other, { recursive: true })
    expect(await Promise.all([sources.changes(first), sources.changes(first), sources.changes(first)])).toEqual([
      [],
      [],
      [],
    ])
    await writeFile(join(directory, 'a'), 'longer than before')
    expect(await Promise.all([sources.changes(first), sources.changes(first)])).toEqual([['a'], ['a']])
    const anew = await sources.of(directory, excludes)
    expect(anew.digest).not.toBe(first.digest)
    expect(await sources.changes(anew)).toEqual([])
  })

  it('what a later tree changes is known from the listing of the one before', async () => {
    const sources = new Sources()
    const before = await sources.of(directory, excludes)
    const there = digestOf()
    await writeFile(join(directory, 'a'), 'longer than before')
    await writeFile(join(directory, 'sub', 'new'), '')
    expect(await sources.changes(before)).not.toEqual([])
    const wanted = await sources.of(directory, excludes)
    const nobody = () => Promise.reject(new Error('not asked'))
    const expected = { changed: ['a', 'sub/new'], holdsOther: false }
    expect(await sources.differenceFrom(there, wanted, nobody)).toEqual(expected)
    expect(await sources.differenceFrom(wanted.digest, before, nobody)).toMatchObject({ holdsOther: true })
    // Another process: it has to ask, once for all, and believes only what has the digest.
    const anew = new Sources()
    const again = await anew.of(directory, excludes)
    const lines = [...before.facts].map(([name, facts]) =>
      facts.startsWith('l ') ? `l 10 ${name}/${facts.slice(2)}` : `${facts} ${name}`,
    )
    let asked = 0
    const list = async (): Promise<string[]> => {
      asked += 1
      return lines
    }
    const told = await Promise.all([1, 2, 3].map(() => anew.differenceFrom(there, again, list)))
    expect(told).toEqual([expected, expected, expected])
    expect(asked).toBe(1)
    expect(await anew.differenceFrom('0'.repeat(64), again, list)).toBeNull()
    await expect(anew.differenceFrom('1'.repeat(64), again, nobody)).rejects.toThrow('not asked')
    const empty = await mkdtemp(join(tmpdir(), 'ls-empty-'))
    expect((await sources.of(empty, [])).digest).toBe(emptyListing)
    await rm(empty, { recursive: true })
  })

  it('a directory that cannot be read is no source, and is tried again', async () => {
    const sources = new Sources()
    const missing = join(directory, 'later')
    await expect(sources.of(missing, [])).rejects.toMatchObject({ code: 'SOURCE_MISSING' })
    await mkdir(missing)
    expect((await sources.of(missing, [])).manifest.files).toBe(0)
  })
})
