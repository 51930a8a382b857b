import { describe, expect, it } from 'vitest'
import { mergeContents, readEntries, showEntries } from '../../../../core/registry/registryEntries.ts'
import { contentOf, draftOf, draftText, isChanged, withText } from '../draft/draft.ts'
import { fieldVersions, mergedDraft, type Pick } from './merge.ts'

const service = (port: number, more = ''): string =>
  `{"subdomain": "s${port}", "ip": "100.64.0.1", "port": ${port}, "public": false${more}}`
const base = `{"demo": ${service(1)}, "git": ${service(2)}, "old": ${service(3)}}`
const ours = `{"demo": ${service(11)}, "git": ${service(2, ', "owner": "ana"')}}`
const theirs = `{"demo": ${service(12)}, "git": ${service(2, ', "team": "ops"')}, "old": ${service(33)}, "new": ${service(4)}}`

function together(picks: ReadonlyMap<string, Pick>): Record<string, { port: number; owner?: string; team?: string }> {
  const [was, my, their] = [base, ours, theirs].map((text) => {
    const read = readEntries('services', text)
    if (!read.ok) throw new Error('the text of the test does not read')
    return read.content
  }) as [never, never, never]
  const { merged, conflicts } = mergeContents({ base: was, ours: my, theirs: their })
  const draft = withText(draftOf('services', { number: 1, text: base }), 'json', ours)
  const next = mergedDraft(
    {
      registry: 'services',
      merged: showEntries(merged, 'yaml'),
      conflicts,
      ours: contentOf(draft),
      theirs: { number: 2, text: theirs },
    },
    picks,
  )
  expect(next.baseNumber).toBe(2)
  return JSON.parse(draftText(next, 'json'))
}

describe('two saves', () => {
  it('S1F.6 puts together what does not clash, and leaves theirs where nobody has decided', () => {
    const result = together(new Map())
    expect(Object.keys(result).sort()).toEqual(['demo', 'git', 'new', 'old'])
    expect(result.demo?.port).toBe(12)
    expect(result.git).toMatchObject({ owner: 'ana', team: 'ops' })
    expect(result.old?.port).toBe(33)
  })

  it('S1F.6 takes ours where somebody has picked it, also that it is gone', () => {
    const result = together(
      new Map<string, Pick>([
        ['demo', 'ours'],
        ['old', 'ours'],
      ]),
    )
    expect(Object.keys(result).sort()).toEqual(['demo', 'git', 'new'])
    expect(result.demo?.port).toBe(11)
  })

  it('S1F.6 goes on from what is in force: taking theirs everywhere leaves nothing to save', () => {
    const draft = mergedDraft(
      {
        registry: 'services',
        merged: theirs,
        conflicts: [{ name: 'demo', base: service(1), ours: service(11), theirs: service(12) }],
        ours: draftOf('services', { number: 1, text: ours }).root,
        theirs: { number: 2, text: theirs },
      },
      new Map<string, Pick>([['demo', 'theirs']]),
    )
    expect(isChanged(draft)).toBe(false)
  })

  it('S1F.6 shows the fields that differ, and which of them clash', () => {
    const fields = fieldVersions({
      name: 'demo',
      base: '{"ip":"a","port":1,"public":true}',
      ours: '{"ip":"b","port":2,"public":true}',
      theirs: '{"ip":"a","port":3,"public":true}',
    })
    expect(fields).toEqual([
      { field: 'ip', base: '"a"', ours: '"b"', theirs: '"a"', clash: false },
      { field: 'port', base: '1', ours: '2', theirs: '3', clash: true },
    ])
  })

  it('S1F.6 shows an entry that one took out as nothing', () => {
    expect(fieldVersions({ name: 'demo', base: '{"port":1}', ours: null, theirs: '{"port":3}' })).toEqual([
      { field: 'port', base: '1', ours: null, theirs: '3', clash: true },
    ])
  })
})
