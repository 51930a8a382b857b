import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSample, digestOf } from './sample.ts'

const entries = Array.from({ length: 1_000 }, (_unused, index) => ({ type: 'file' as const, name: `f${index}` }))
const nothing = new Set<string>()
const namesOf = (chosen: readonly { readonly name: string }[]): string[] => chosen.map((entry) => entry.name).sort()

describe('the sample that is verified', () => {
  it('is everything when the plan says full or there are few files, directories left out', () => {
    const some = [...entries.slice(0, 5), { type: 'directory' as const, name: 'd' }]
    expect(chooseSample(some, { verify: { mode: 'full' }, seed: 's', transferred: nothing })).toHaveLength(5)
    expect(chooseSample(some, { verify: { mode: 'sample', files: 5 }, seed: 's', transferred: nothing })).toHaveLength(
      5,
    )
  })

  it('is the same for the same run and another one for another run', () => {
    const draw = (seed: string): string[] =>
      namesOf(chooseSample(entries, { verify: { mode: 'sample', files: 50 }, seed, transferred: nothing }))
    expect(draw('run-1')).toEqual(draw('run-1'))
    expect(draw('run-1')).not.toEqual(draw('run-2'))
  })

  it('always holds what was just sent, up to its size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999 }),
        fc.uniqueArray(fc.nat(999), { maxLength: 200 }),
        (files, sentIndexes) => {
          const sent = new Set(sentIndexes.map((index) => `f${index}`))
          const chosen = chooseSample(entries, { verify: { mode: 'sample', files }, seed: 'x', transferred: sent })
          expect(chosen).toHaveLength(files)
          expect(new Set(namesOf(chosen)).size).toBe(files)
          expect(chosen.filter((entry) => sent.has(entry.name)).length).toBe(Math.min(files, sent.size))
        },
      ),
    )
  })

  it('reaches every file over many runs', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed += 1) {
      for (const entry of chooseSample(entries, {
        verify: { mode: 'sample', files: 50 },
        seed: `run ${seed}`,
        transferred: nothing,
      }))
        seen.add(entry.name)
    }
    expect(seen.size).toBe(1_000)
  })
})

describe('the digest', () => {
  it('does not depend on the order and does on every name and content', () => {
    const base = digestOf(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    )
    expect(
      digestOf(
        new Map([
          ['b', '2'],
          ['a', '1'],
        ]),
      ),
    ).toBe(base)
    expect(
      digestOf(
        new Map([
          ['a', '2'],
          ['b', '1'],
        ]),
      ),
    ).not.toBe(base)
    expect(digestOf(new Map([['a', '1']]))).not.toBe(base)
  })
})
