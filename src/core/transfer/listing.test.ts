import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareFacts,
  compareListing,
  type DescribedEntry,
  type EntryFacts,
  factsOf,
  findTestOf,
  listingLine,
} from './listing.ts'

/** Any bytes but NUL; a slash only inside. */
const aName = fc
  .array(
    fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)),
    { minLength: 1, maxLength: 20 },
  )
  .map((characters) => characters.join('').replaceAll('/', '_'))

const anEntry: fc.Arbitrary<DescribedEntry> = fc
  .record({
    type: fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const),
    name: aName,
    sizeBytes: fc.nat(),
    modifiedNs: fc.bigInt({ min: -5_000_000_000n, max: 4_000_000_000_000_000_000n }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    target: aName,
  })
  .map(({ target, ...entry }) =>
    entry.type === 'symlink'
      ? { ...entry, sizeBytes: target.length, linkTarget: target }
      : { ...entry, linkTarget: null },
  )

const tree = fc.uniqueArray(anEntry, { selector: ({ name }) => name, maxLength: 30 })

const factsOfAll = (entries: readonly DescribedEntry[]): Map<string, EntryFacts> =>
  new Map(entries.map((entry) => [entry.name, factsOf(entry)]))
const linesOf = (entries: readonly DescribedEntry[]): string[] =>
  entries.map((entry) => listingLine(entry, factsOf(entry)))

describe('the listing of a tree', () => {
  it('reads as `find` of GNU writes it', () => {
    const entry = { name: 'a b', sizeBytes: 12, modifiedNs: 1_795_259_383_819_200_580n, mode: 0o644, linkTarget: null }
    expect(factsOf({ ...entry, type: 'file' })).toBe('f 644 12 1795259383.8192005800')
    expect(listingLine({ ...entry, type: 'directory', mode: 0o755 }, 'd 755')).toBe('d 755 a b')
    const link = { ...entry, type: 'symlink' as const, sizeBytes: 3, linkTarget: '../' }
    expect(listingLine(link, factsOf(link))).toBe('l 3 a b/../')
    expect(factsOf({ ...entry, type: 'file', modifiedNs: -1n })).toBe('f 644 12 -1.9999999990')
  })

  it('a tree is the same as itself, whatever bytes are in its names, in any order', () => {
    fc.assert(
      fc.property(tree, (entries) => {
        const lines = linesOf(entries).reverse()
        expect(compareListing(factsOfAll(entries), lines)).toEqual({ changed: [], holdsOther: false })
      }),
    )
  })

  it('names what is missing and what is other, and tells of what is not ours', () => {
    fc.assert(
      fc.property(tree, fc.nat(), (entries, seed) => {
        fc.pre(entries.length > 0)
        const chosen = entries[seed % entries.length]
        if (chosen === undefined) return
        const wanted = factsOfAll(entries)
        const rest = entries.filter((entry) => entry !== chosen)
        expect(compareListing(wanted, linesOf(rest))).toEqual({ changed: [chosen.name], holdsOther: false })
        expect(compareListing(factsOfAll(rest), linesOf(entries))).toEqual({ changed: [], holdsOther: true })
        expect(compareFacts(wanted, factsOfAll(rest))).toEqual({ changed: [chosen.name], holdsOther: false })
        expect(compareFacts(factsOfAll(rest), wanted)).toEqual({ changed: [], holdsOther: true })
        const other = {
          ...chosen,
          mode: chosen.mode ^ 1,
          linkTarget: chosen.linkTarget === null ? null : `${chosen.linkTarget}x`,
        }
        const longer = { ...other, sizeBytes: chosen.type === 'symlink' ? chosen.sizeBytes + 1 : chosen.sizeBytes }
        expect(compareListing(wanted, linesOf([...rest, longer]))).toEqual({
          changed: [chosen.name],
          holdsOther: false,
        })
      }),
    )
  })

  it('something of another kind is not ours to replace by listing', () => {
    const wanted = new Map([['x', 'f 644 1 1.0000000000']])
    expect(compareListing(wanted, ['d 755 x'])).toEqual({ changed: ['x'], holdsOther: true })
    expect(compareListing(wanted, ['o x'])).toEqual({ changed: ['x'], holdsOther: true })
  })

  it('a listing that was broken off, or that nobody understands, says nothing', () => {
    const wanted = new Map([['x', 'f 644 1 1.0000000000']])
    for (const line of ['e', 'f 644 1', 'f 64x 1 1.0 x', 'l 9999 x/y', 'find: x: Permission denied', ''])
      expect(compareListing(wanted, ['f 644 1 1.0000000000 x', line]), line).toBeNull()
  })
})

describe('excludes as tests of find', () => {
  it('mean the same where they are simple', () => {
    expect(findTestOf('__pycache__')).toBe("-name '__pycache__'")
    expect(findTestOf('*.pyc')).toBe("-name '*.pyc'")
    expect(findTestOf('build/')).toBe("-type d -name 'build'")
    expect(findTestOf('/.sync_rev')).toBe("-path './.sync_rev'")
    expect(findTestOf('/data/db/')).toBe("-type d -path './data/db'")
  })

  it('are left to rsync where they are not', () => {
    for (const pattern of ['a/b', '**', 'a**b', '[ab]', 'a?', '/*.log', "it's", 'a b', '/', 'a\\b', '/a//b', ''])
      expect(findTestOf(pattern), pattern).toBeNull()
  })
})
