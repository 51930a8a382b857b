import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { untrackedInTheWay } from './gitCheckout.ts'
import { caseClashes, linkProblem, looksLikeDotGit, parseTree, unsafeEntries, utf8 } from './gitTree.ts'
import { parsePointer } from './largeFiles.ts'

const hash = 'a'.repeat(40)
const links = (map: Readonly<Record<string, string>>) => new Map(Object.entries(map))

describe('the listing of a tree', () => {
  it('S2.4 keeps names with tabs and line breaks, and sets unknown modes apart', () => {
    const records = [
      `100644 blob ${hash}\ta\tb\nc`,
      `100755 blob ${hash}\tx`,
      `120000 blob ${hash}\tl`,
      `040000 tree ${hash}\td`,
      `160000 commit ${hash}\tm`,
      `100600 blob ${hash}\todd`,
    ]
    const listing = records.map((record) => `${record}\u0000`).join('')
    const { entries, unknown } = parseTree(listing)
    expect(entries.map(({ kind, path }) => [kind, path])).toEqual([
      ['file', 'a\tb\nc'],
      ['executable', 'x'],
      ['symlink', 'l'],
      ['directory', 'd'],
      ['submodule', 'm'],
    ])
    expect(unknown).toEqual(['odd'])
    expect(unsafeEntries({ entries, unknown }, links({ l: 'x' }))).toHaveLength(1)
  })

  it('S2.4 no path that is let through has a part that climbs or belongs to git', () => {
    const part = fc.constantFrom('a', '..', '.', '', '.git', '.GIT', 'git~1', 'b.git', '.gitignore', '...')
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean(), (parts, withParents) => {
        const path = parts.join('/')
        const parents = parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join('/'))
        const entries = [...(withParents ? parents : []), path].map((name, index, all) => ({
          kind: index < all.length - 1 ? ('directory' as const) : ('file' as const),
          hash,
          path: name,
        }))
        const bad = parts.some((name) => ['..', '.', '', '.git', '.GIT', 'git~1'].includes(name))
        expect(unsafeEntries({ entries, unknown: [] }, links({})).length > 0).toBe(bad)
      }),
    )
  })
})

describe('links', () => {
  it.each([
    ['l', { l: '/etc' }, false],
    ['l', { l: '..' }, false],
    ['a/l', { 'a/l': '../b' }, true],
    ['a/l', { 'a/l': '../../b' }, false],
    ['deep/a/l', { 'deep/a/l': 'up/../x', 'deep/a/up': '../..' }, false],
    ['deep/a/l', { 'deep/a/l': 'up/x', 'deep/a/up': '../..' }, true],
    ['l', { l: 'm', m: '/etc' }, false],
    ['l', { l: 'm', m: 'l' }, true],
    ['l', { l: 'a/./b//c' }, true],
  ])('S2.4 %s of %j stays inside: %s', (path, map, inside) => {
    expect(linkProblem(path, links(map)) === null).toBe(inside)
  })

  it.each([
    ['m/a/../x', false],
    ['m/..', true],
    ['m/../b', true],
    ['m/a/b', true],
    ['x', true],
    ['into/../x', false],
    ['./m//a/./..', false],
    ['deep/m/a/..', false],
    ['deep/m/..', true],
  ])('S2.4 %s past submodules stays inside for sure: %s', (target, inside) => {
    const map = links({ l: target, into: 'm/a' })
    expect(linkProblem('l', map, new Set(['m', 'deep/m'])) === null).toBe(inside)
  })

  it('S2.4 what stays inside also does so on a file system', () => {
    const name = fc.constantFrom('a', 'b', 'c', '..', '.')
    const target = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
    fc.assert(
      fc.property(target, target, (one, other) => {
        const map = links({ 'a/l': one, 'b/c/l': other })
        for (const path of map.keys()) {
          // Without links on the way, walking the parts is all there is.
          const depth = path.split('/').length - 1
          let at = depth
          let lowest = depth
          for (const part of (map.get(path) ?? '').split('/')) {
            at += part === '..' ? -1 : part === '.' ? 0 : 1
            lowest = Math.min(lowest, at)
          }
          expect(linkProblem(path, map) === null).toBe(lowest >= 0)
        }
      }),
    )
  })
})

describe('names', () => {
  it.each(['.git', '.GIT', '.git.', '.git ', '.git:x', 'GIT~1', '.g\u00e2\u0080\u008cit', '\u00ef\u00bb\u00bf.git'])(
    'S2.4 %j is taken for .git somewhere',
    (name) => {
      expect(looksLikeDotGit(name)).toBe(true)
    },
  )
  it.each(['.gitignore', 'git', '.github', 'x.git', 'git~2', '.gitx'])('S2.4 %j is a name like any other', (name) => {
    expect(looksLikeDotGit(name)).toBe(false)
  })

  it('S2.4 finds names that differ in capitals only, the first few', () => {
    const bytes = (text: string): string => Buffer.from(text).toString('latin1')
    expect(caseClashes(['A', 'b', 'a', 'B'])).toEqual([
      ['A', 'a'],
      ['b', 'B'],
    ])
    expect(caseClashes([bytes('Ä/x'), bytes('ä/x')])).toHaveLength(1)
    expect(
      caseClashes(Array.from({ length: 40 }, (_value, number) => (number % 2 === 0 ? `x${number}` : `X${number - 1}`))),
    ).toHaveLength(5)
    expect(utf8(bytes('Ä'))).toBe('Ä')
  })

  it('D18 names files that git does not know and that a tree needs the place of', () => {
    const list = (...names: string[]): string => names.map((name) => `${name}\u0000`).join('')
    expect(
      untrackedInTheWay(list('a', 'b/c', 'd', 'free', 'nested/'), list('a', 'b', 'd/e', 'other', 'nested/x')),
    ).toEqual(['a', 'b/c', 'd', 'nested'])
  })
})

describe('pointers of Git LFS', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'b'.repeat(64)}\nsize 5\n`
  it('S2.4 are known by all their lines', () => {
    expect(parsePointer(pointer)).toEqual({ sha256: 'b'.repeat(64), sizeBytes: 5 })
    expect(parsePointer(pointer.replaceAll('\n', '\r\n'))).not.toBeNull()
    expect(parsePointer(pointer.replace('oid', 'ext-0-foo sha256:aa\noid'))).not.toBeNull()
    for (const text of ['', `x${pointer}`, `${pointer}more\n`, pointer.replace('size 5', 'size x')])
      expect(parsePointer(text)).toBeNull()
  })
})
