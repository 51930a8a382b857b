import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aService } from '../../../test/fakes/aRegistry.ts'
import { RegistryService } from '../../shared/model/registry.ts'
import { entryChanges, mergeEntries, serviceModel } from './changes.ts'
import { registryDigestText } from './serviceRegistry.ts'

type Services = readonly RegistryService[]
const registryChanges = (before: Services, after: Services) => entryChanges(before, after, serviceModel)
const mergeRegistries = (base: Services, mine: Services, theirs: Services) =>
  mergeEntries({ base, mine, theirs }, serviceModel)

const [a, b, c] = ['a', 'b', 'c'].map((name) => aService({ name, subdomain: name })) as [
  RegistryService,
  RegistryService,
  RegistryService,
]
const known = ['subdomain', 'ip', 'port', 'public'].map((key) => ({ key, json: null }))
const withNote = (service: RegistryService, json: string): RegistryService => ({
  ...service,
  preserved: [...known, { key: 'note', json }],
})

/** Few names and values, so that versions meet. */
const someServices: fc.Arbitrary<readonly RegistryService[]> = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    subdomain: fc.constantFrom('x', 'y'),
    ip: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    port: fc.constantFrom(80, 81),
    public: fc.boolean(),
    preserved: fc.constantFrom([], [{ key: 'k', json: '1' }, ...known], [...known, { key: 'k', json: '2' }]),
  }),
  { selector: ({ name }) => name },
)
const same = (one: readonly RegistryService[], two: readonly RegistryService[]): void =>
  expect(registryDigestText(one)).toBe(registryDigestText(two))

describe('difference of two revisions', () => {
  it('S1.32 names what was added, removed and changed, by name, field by field', () => {
    const after = [c, { ...withNote(b, '"x"'), port: 81, public: false }]
    const whole = (name: string) => [
      { field: 'subdomain', value: JSON.stringify(name) },
      { field: 'ip', value: '"100.64.0.7"' },
      { field: 'port', value: '80' },
      { field: 'public', value: 'true' },
    ]
    expect(registryChanges([b, a], after)).toEqual([
      {
        name: 'a',
        kind: 'removed',
        fields: whole('a').map(({ field, value }) => ({ field, before: value, after: null })),
      },
      {
        name: 'b',
        kind: 'changed',
        fields: [
          { field: 'port', before: '80', after: '81' },
          { field: 'public', before: 'true', after: 'false' },
          { field: 'note', before: null, after: '"x"' },
        ],
      },
      {
        name: 'c',
        kind: 'added',
        fields: whole('c').map(({ field, value }) => ({ field, before: null, after: value })),
      },
    ])
  })

  it('S1.32 is empty exactly when the digest is the same', () => {
    fc.assert(
      fc.property(someServices, someServices, (before, after) => {
        const isSame = registryDigestText(before) === registryDigestText(after)
        expect(registryChanges(before, after).length === 0).toBe(isSame)
      }),
    )
  })
})

describe('two editors at once', () => {
  it('S1F.6 puts changes of different services and of different fields together', () => {
    const mine = [{ ...a, port: 81 }, b, c]
    const theirs = [withNote({ ...a, ip: '10.0.0.9' }, '1')]
    expect(mergeRegistries([a, b], mine, theirs)).toEqual({
      entries: [withNote({ ...a, ip: '10.0.0.9', port: 81 }, '1'), c],
      conflicts: [],
    })
  })

  it('S1F.6 shows what both changed in two ways, and keeps what is in force', () => {
    const merge = mergeRegistries(
      [a],
      [
        { ...a, port: 81 },
        { ...b, port: 1 },
      ],
      [{ ...a, port: 82 }, b],
    )
    expect(merge.entries).toEqual([{ ...a, port: 82 }, b])
    expect(merge.conflicts).toEqual([
      { name: 'a', field: 'port', base: '80', mine: '81', theirs: '82' },
      { name: 'b', field: 'port', base: null, mine: '1', theirs: '80' },
    ])
  })

  it('S1F.6 loses no change to a removal without a word', () => {
    const changed = { ...a, port: 81 }
    const text = (port: number): string => `{"subdomain":"a","ip":"100.64.0.7","port":${port},"public":true}`
    const conflict = { name: 'a', field: null, base: text(80) }
    expect(mergeRegistries([a, b], [changed], [b])).toEqual({
      entries: [changed],
      conflicts: [{ ...conflict, mine: text(81), theirs: null }],
    })
    expect(mergeRegistries([a], [], [changed])).toEqual({
      entries: [changed],
      conflicts: [{ ...conflict, mine: null, theirs: text(81) }],
    })
    expect(mergeRegistries([a, b], [], [b])).toEqual({ entries: [], conflicts: [] })
  })

  it('S1F.6 is theirs when I changed nothing, mine when they changed nothing', () => {
    fc.assert(
      fc.property(someServices, someServices, (base, other) => {
        expect(mergeRegistries(base, base, other)).toEqual({ entries: other, conflicts: [] })
        const mine = mergeRegistries(base, other, base)
        expect(mine.conflicts).toEqual([])
        same(mine.entries, other)
        same(mergeRegistries(base, other, other).entries, other)
      }),
    )
  })

  it('S1F.6 gives the same to both when nothing clashes, and the same clashes otherwise', () => {
    fc.assert(
      fc.property(someServices, someServices, someServices, (base, one, two) => {
        const [here, there] = [mergeRegistries(base, one, two), mergeRegistries(base, two, one)]
        const turned = there.conflicts.map((conflict) => ({
          ...conflict,
          mine: conflict.theirs,
          theirs: conflict.mine,
        }))
        const sorted = (list: readonly unknown[]): string[] =>
          list.map((item) => JSON.stringify(item, fieldOrder)).sort()
        expect(sorted(here.conflicts)).toEqual(sorted(turned))
        if (here.conflicts.length === 0) same(here.entries, there.entries)
        for (const service of here.entries) expect(RegistryService.safeParse(service).error).toBeUndefined()
      }),
    )
  })
})

const fieldOrder = ['name', 'field', 'base', 'mine', 'theirs']
