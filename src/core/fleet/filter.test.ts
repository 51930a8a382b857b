import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { DisplayName } from '../../shared/model/text.ts'
import { matchesFilter, parseFilter } from './filter.ts'

function matches(text: string, overrides: Parameters<typeof aNode>[0]): boolean {
  const result = parseFilter(text)
  if (!result.ok) throw new Error(`${result.position}: ${result.message}`)
  return matchesFilter(result.filter, aNode(overrides), 0)
}

const anyName = fc
  .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
  .filter((name) => !/["*]/.test(name) && DisplayName.safeParse(name).success)

describe('filter language (F3)', () => {
  const node = { name: 'contabo-vps', kind: 'vps', labels: { stage: 'test', owner: 'Anna B' } } as const

  it.each([
    ['', true],
    ['*', true],
    ['contabo*', true],
    ['CONTABO-VPS', true],
    ['contabo', false],
    ['kind:vps', true],
    ['kind:laptop or kind:vps', true],
    ['kind:vps label.stage:prod', false],
    ['kind:vps and not label.stage:prod', true],
    ['not (kind:laptop or kind:worker)', true],
    ['label.owner:"Anna B"', true],
    ['label.owner:Anna*', true],
    ['label.missing:*', false],
    ['name:"contabo-vps"', true],
    ['not not kind:vps', true],
    ['kind:laptop or kind:vps and label.stage:prod', false],
  ])('%j is %s', (text, expected) => {
    expect(matches(text, node)).toBe(expected)
  })

  it.each([
    ['login:static-key', true],
    ['login:"/keys/fleet of old"', true],
    ['login:/keys/other', false],
    ['login:certificate', false],
    ['not login:static-key', false],
  ])('D9 %j is %s for a node with a static key', (text, expected) => {
    expect(matches(text, { login: { kind: 'static-key', keyFile: '/keys/fleet of old' } })).toBe(expected)
    if (text === 'login:certificate') expect(matches(text, {})).toBe(true)
  })

  it.each([
    ['colour:red', 0, /unknown field "colour"; use name, kind/],
    ['kind:vps and', 12, /missing at the end/],
    ['(kind:vps', 0, /never closed/],
    ['kind:vps)', 8, /unexpected closing/],
    ['or kind:vps', 0, /nothing stands before/],
    ['name:"abc', 5, /quote is never closed/],
    ['kind:', 4, /needs a value/],
  ])('%j is refused at %i and says why', (text, position, message) => {
    const result = parseFilter(text)
    expect(result).toMatchObject({ ok: false, position })
    expect(result.ok ? '' : result.message).toMatch(message)
  })

  it('never throws, and points inside the text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        const result = parseFilter(text)
        if (!result.ok) expect(result.position).toBeLessThanOrEqual(text.length)
      }),
    )
  })

  it('takes any quoted name literally, except for the star', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(matches(`"${name}"`, { name })).toBe(true)
        expect(matches(`"${name}"`, { name: `${name}x` })).toBe(false)
      }),
    )
  })
})
