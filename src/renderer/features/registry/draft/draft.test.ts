import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyRegistryText } from '../../../../../test/fakes/aRegistry.ts'
import { readSource } from '../../../../core/registry/entries.ts'
import { readServiceRegistry } from '../../../../core/registry/serviceRegistry.ts'
import { formatTree } from '../../../../core/registry/sourceTree.ts'
import { contentOf, draftOf, draftText, isChanged, isReadable, withRoot, withText } from './draft.ts'
import { entryRows, withNewEntry, withoutEntries, withValue } from './entries.ts'

const text = `{
  "demo": {"subdomain": "demo", "ip": "100.64.0.1", "port": 3000, "public": true, "owner": "ana", "weight": 1.50},
  "git": {"ip": "100.64.0.2", "subdomain": "git", "port": 3002, "public": false}
}`
const draft = draftOf('services', { number: 4, text })

describe('draft', () => {
  it('S1.22 shows a registry in both forms, and each reads as the other', () => {
    const [json, yaml] = [draftText(draft, 'json'), draftText(draft, 'yaml')]
    expect(readServiceRegistry(yaml)).toEqual(readServiceRegistry(json))
    expect(readServiceRegistry(json)).toEqual(readServiceRegistry(text))
    expect(isChanged(draft)).toBe(false)
  })

  it('S1.22 keeps every digit and the order of keys through table and text', () => {
    const edited = withRoot(draft, (root) => withValue(root, { list: null, index: 1 }, { field: 'port', text: '3003' }))
    const json = draftText(edited, 'json')
    expect(json).toContain('"weight": 1.50')
    expect(json.indexOf('"ip": "100.64.0.2"')).toBeLessThan(json.indexOf('"subdomain": "git"'))
    expect(json).toContain('"port": 3003')
  })

  it('S1.22 loses nothing by switching the form and back', () => {
    fc.assert(
      fc.property(anyRegistryText, (any) => {
        const before = draftOf('services', { number: 1, text: any })
        const typed = withText(before, 'yaml', draftText(before, 'yaml'))
        const read = readSource(any).root
        if (read === null) throw new Error('the text of the test does not read')
        expect(readServiceRegistry(draftText(typed, 'json'))).toEqual(readServiceRegistry(formatTree(read, 2)))
      }),
    )
  })

  it('S1F.4 keeps a text that cannot be read letter by letter, and the table as it was', () => {
    const broken = withText(draft, 'json', '{"demo": {')
    expect(isReadable(broken)).toBe(false)
    expect(isChanged(broken)).toBe(true)
    expect(contentOf(broken)).toBe(draft.root)
    expect(draftText(broken, 'json')).toBe('{"demo": {')
    expect(draftText(broken, 'yaml')).toBe('{"demo": {')
    const after = withRoot(broken, (root) => withNewEntry('services', root).root)
    expect(after).toBe(broken)
  })

  it('S1F.4 a text that is typed is the table as soon as it reads', () => {
    const typed = withText(
      draft,
      'yaml',
      'wiki:\n  subdomain: wiki # its name\n  ip: 100.64.0.3\n  port: 80\n  public: true\n',
    )
    expect(entryRows('services', contentOf(typed)).map(({ name }) => name)).toEqual(['wiki'])
    expect(draftText(typed, 'yaml')).toContain('# its name')
    const changed = withRoot(typed, (root) => withValue(root, { list: null, index: 0 }, { field: 'port', text: '81' }))
    expect(changed.typed).toBeNull()
    expect(draftText(changed, 'yaml')).toContain('port: 81')
  })

  it('S1F.4 typing back what was there leaves nothing to save', () => {
    const typed = withText(draft, 'json', `${draftText(draft, 'json')} `)
    expect(isChanged(typed)).toBe(true)
    expect(isChanged(withText(typed, 'json', draftText(draft, 'json')))).toBe(false)
  })

  it('S1.15 a registry that nobody has written yet has its three lists', () => {
    expect(draftText(draftOf('nodes', null), 'json')).toBe(
      '{\n  "management_laptops": [],\n  "vps_nodes": [],\n  "worker_nodes": []\n}\n',
    )
    const all = withoutEntries(draft.root, [
      { list: null, index: 0 },
      { list: null, index: 1 },
    ])
    expect(formatTree(all, 0)).toBe('{}')
  })
})
