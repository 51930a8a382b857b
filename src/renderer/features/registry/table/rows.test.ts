import { describe, expect, it } from 'vitest'
import { aNode } from '../../../../../test/fakes/aNode.ts'
import { draftOf, withRoot } from '../draft/draft.ts'
import { entryRows, withNewEntry, withoutEntries, withValue } from '../draft/entries.ts'
import { gridMove } from './gridKeys.ts'
import { notRegistered, withNodes } from './missing.ts'
import { chosenRows, type TableRow, tableRows } from './rows.ts'

const text = JSON.stringify({
  demo: { subdomain: 'demo', ip: '100.64.0.1', port: 3000, public: true },
  git: { subdomain: 'git', ip: '100.64.0.2', port: 3002, public: false },
  wiki: { subdomain: 'wiki', ip: '100.64.0.3', port: 3003, public: false },
})
const draft = draftOf('services', { number: 1, text })
const textsOf = ({ entry }: TableRow): readonly string[] => Object.values(entry.values)

describe('rows of a draft', () => {
  it('S1F.6 says of every row what became of it since the revision the draft began with', () => {
    const edited = withRoot(draft, (root) => {
      const changed = withValue(root, { list: null, index: 0 }, { field: 'port', text: '1' })
      return withNewEntry('services', withoutEntries(changed, [{ list: null, index: 1 }])).root
    })
    expect(tableRows(edited, []).map(({ entry, state }) => [entry.name, state])).toEqual([
      ['demo', 'changed'],
      ['wiki', 'same'],
      ['', 'new'],
      ['git', 'removed'],
    ])
  })

  it('S1F.4 puts every mistake at its field, several at one field together', () => {
    const problem = (path: (string | number)[], message: string) => ({ path, message, line: 1, column: 1 })
    const [row] = tableRows(draft, [
      problem(['demo', 'port'], 'is wrong'),
      problem(['demo', 'port'], 'is very wrong'),
      problem(['demo'], 'is there twice'),
      problem([], 'is no JSON'),
    ])
    expect([...(row?.problems ?? [])]).toEqual([
      ['port', 'is wrong; is very wrong'],
      ['name', 'is there twice'],
    ])
  })

  it('S1F.4 finds rows by any of their texts, and those that changed or are wrong', () => {
    const rows = tableRows(draft, [{ path: ['git', 'ip'], message: 'is wrong', line: 1, column: 1 }])
    const names = (query: Parameters<typeof chosenRows>[1]) =>
      chosenRows(rows, query, textsOf).map(({ entry }) => entry.name)
    expect(names({ text: ' 3003', choice: 'all' })).toEqual(['wiki'])
    expect(names({ text: 'GIT', choice: 'all' })).toEqual(['git'])
    expect(names({ text: '', choice: 'wrong' })).toEqual(['git'])
    expect(names({ text: '', choice: 'changed' })).toEqual([])
  })

  it('S1.15 names nodes of the fleet that are not registered, and registers them in the list of their kind', () => {
    const nodes = [
      aNode({ name: 'edge', kind: 'vps' }),
      aNode({ name: 'ana', kind: 'laptop' }),
      aNode({ name: 'disk', kind: 'storage' }),
    ]
    const empty = draftOf('nodes', null)
    const missing = notRegistered(nodes, entryRows('nodes', empty.root))
    expect(missing.map(({ name }) => name)).toEqual(['ana', 'edge'])
    const rows = entryRows('nodes', withNodes(empty.root, missing))
    expect(rows.map(({ name, place }) => [place.list, name])).toEqual([
      ['management_laptops', 'ana'],
      ['vps_nodes', 'edge'],
    ])
    expect(notRegistered(nodes, rows)).toEqual([])
  })
})

describe('keys of the table', () => {
  const at = { row: 3, column: 2, rows: 10, columns: 5, page: 4 }
  const key = (name: string, ctrlKey = false) => gridMove({ key: name, ctrlKey, metaKey: false }, at)

  it('S1F.4 walk the cells as in every spreadsheet', () => {
    expect(key('ArrowDown')).toEqual({ row: 4, column: 2 })
    expect(key('ArrowLeft')).toEqual({ row: 3, column: 1 })
    expect(key('PageUp')).toEqual({ row: -1, column: 2 })
    expect(key('Home')).toEqual({ row: 3, column: 0 })
    expect(key('End', true)).toEqual({ row: 9, column: 4 })
    expect(key('x')).toBeNull()
  })
})
