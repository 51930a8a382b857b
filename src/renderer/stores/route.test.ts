import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHash, parseHash } from './route.ts'

describe('the address', () => {
  it('starts at the fleet', () => {
    expect(parseHash('')).toEqual({ view: 'fleet', path: [], query: {} })
    expect(parseHash('#/')).toEqual({ view: 'fleet', path: [], query: {} })
  })

  it('brings back every view, path and filter that was put into it', () => {
    const segment = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed())
    const query = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), segment, { maxKeys: 4, noNullPrototype: true })
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{1,10}$/),
        fc.array(segment, { maxLength: 3 }),
        query,
        (view, path, values) => {
          expect(parseHash(formatHash({ view, path, query: values }))).toEqual({ view, path, query: values })
        },
      ),
    )
  })

  it('takes what cannot be decoded literally instead of failing', () => {
    expect(parseHash('#/runs/%E0%A4%A')).toMatchObject({ view: 'runs', path: ['%E0%A4%A'] })
  })
})
