import { describe, expect, it } from 'vitest'
import { readSource } from '../../../../core/registry/entries.ts'
import { readNodeRegistry } from '../../../../core/registry/nodeRegistry.ts'
import { readServiceRegistry } from '../../../../core/registry/serviceRegistry.ts'
import { formatTree, type SourceNode } from '../../../../core/registry/sourceTree.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { entryRows, withEntryOf, withNewEntry, withoutEntries, withValue } from './entries.ts'

const tree = (text: string): SourceNode => {
  const { root } = readSource(text)
  if (root === null) throw new Error('the text of the test does not read')
  return root
}
const services = tree(`{
  "demo": {"subdomain": "demo", "ip": "100.64.0.1", "port": 3000, "public": true, "owner": "ana"},
  "demo": {"subdomain": "again", "ip": "100.64.0.2", "port": "80", "public": "yes", "db_password": {"$sealed": "x"}}
}`)
const nodes = tree(`{
  "management_laptops": [{"ip": "10.0.0.1", "name": "ana", "ssh_user": "sync", "status": "active", "last_sync": null, "last_attempt": null}],
  "vps_nodes": [{"ip": "10.0.0.2", "name": "edge", "ssh_user": "root", "status": "error", "last_sync": null, "last_attempt": null, "rack": 4}],
  "worker_nodes": []
}`)

const names = (registry: RegistryKind, root: SourceNode): readonly string[] =>
  entryRows(registry, root).map(({ name, place }) => (place.list === null ? name : `${place.list} ${name}`))

describe('entries of a registry text', () => {
  it('S1.23 S1.24 S1.25 S1.26 shows what is wrong as it was written, to be put right', () => {
    const [first, second] = entryRows('services', services)
    expect(first?.values).toEqual({ name: 'demo', subdomain: 'demo', ip: '100.64.0.1', port: '3000', public: 'true' })
    expect(second?.values).toMatchObject({ name: 'demo', port: '80', public: 'yes' })
    expect(first?.id).not.toBe(second?.id)
  })

  it('S1F.8 names sensitive keys and shows no value of a key that is not ours', () => {
    expect(entryRows('services', services).map(({ extra }) => extra)).toEqual([
      [{ key: 'owner', sensitive: false }],
      [{ key: 'db_password', sensitive: true }],
    ])
  })

  it('S1.25 S1.26 a number is a number, true is true, and nonsense stays a text that the check refuses', () => {
    const place = { list: null, index: 1 }
    const right = [
      ['name', 'other'],
      ['port', '80'],
      ['public', 'false'],
    ].reduce((root, [field = '', text = '']) => withValue(root, place, { field, text }), services)
    expect(readServiceRegistry(formatTree(right, 0)).ok).toBe(true)
    const wrong = withValue(right, place, { field: 'port', text: '80a' })
    const read = readServiceRegistry(formatTree(wrong, 2))
    expect(read).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('80a') }] })
  })

  it('S1.25 a field that was not there gets its usual place', () => {
    const { root, place } = withNewEntry('services', tree('{}'))
    expect(formatTree(withValue(root, place, { field: 'port', text: '80' }), 0)).toBe(
      '{"":{"subdomain":"","ip":"","port":80,"public":false}}',
    )
  })

  it('S1.16 S1.17 S1.18 S1.19 a new node is complete but for what only a person knows', () => {
    const { root, place } = withNewEntry('nodes', nodes)
    const filled = [
      ['name', 'box'],
      ['ip', '10.0.0.9'],
      ['ssh_user', 'sync'],
    ].reduce((tree, [field = '', text = '']) => withValue(tree, place, { field, text }), root)
    const read = readNodeRegistry(formatTree(filled, 0))
    expect(read).toMatchObject({ ok: true })
    expect(names('nodes', filled)).toEqual(['management_laptops ana', 'vps_nodes edge', 'worker_nodes box'])
  })

  it('S1.15 a node goes into another list with all it has', () => {
    const moved = withValue(nodes, { list: 'vps_nodes', index: 0 }, { field: 'list', text: 'worker_nodes' })
    expect(names('nodes', moved)).toEqual(['management_laptops ana', 'worker_nodes edge'])
    expect(formatTree(moved, 0)).toContain('"rack":4')
  })

  it('S1.15 takes entries out of each list, and puts one back where it belongs', () => {
    const without = withoutEntries(nodes, [
      { list: 'management_laptops', index: 0 },
      { list: 'vps_nodes', index: 0 },
    ])
    expect(names('nodes', without)).toEqual([])
    const back = withEntryOf('nodes', without, { name: 'edge', from: nodes })
    expect(names('nodes', back)).toEqual(['vps_nodes edge'])
    expect(formatTree(back, 0)).toContain('"rack":4')
  })

  it('S1.22 takes an entry out again that the other text does not have', () => {
    const one = tree('{"a": {"ip": "1.1.1.1"}, "b": {"ip": "1.1.1.2"}}')
    const other = tree('{"a": {"ip": "1.1.1.9"}}')
    expect(formatTree(withEntryOf('services', one, { name: 'b', from: other }), 0)).toBe('{"a":{"ip":"1.1.1.1"}}')
    expect(formatTree(withEntryOf('services', one, { name: 'a', from: other }), 0)).toContain('1.1.1.9')
  })
})
