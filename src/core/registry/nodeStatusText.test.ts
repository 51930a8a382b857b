import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NodeRegistryEntry } from '../../shared/model/registry.ts'
import { readNodeRegistry } from './nodeRegistry.ts'
import { withoutStatus, writeNodeStatus } from './nodeStatusText.ts'

const entry = (name: string, fields: Partial<NodeRegistryEntry> = {}): NodeRegistryEntry => ({
  list: 'vps_nodes',
  ip: '100.64.0.9',
  name,
  ssh_user: 'sammy',
  status: 'active',
  last_sync: '2026-01-07T09:31:12Z',
  last_attempt: '2026-01-07T09:31:12Z',
  preserved: [],
  ...fields,
})

const wanted = (...nodes: NodeRegistryEntry[]) => ({ nodes, preserved: [] })

describe('writeNodeStatus', () => {
  it('S1.19 S1.20 S1.21 changes three values in JSON, and not one byte beside them', () => {
    const text = `{ "version": 1.50,
  "management_laptops":[],   "worker_nodes" : [ ],
  "vps_nodes": [ {"ip":"100.64.0.9", "name":"vps-1","note":"caf\\u00e9 {\\"status\\":\\"active\\"}",
     "ssh_user":"sammy", "status" : "pending_sync" , "last_sync":null, "last_attempt": "2026-01-01T00:00:00Z"}, {"ip":"100.64.0.10","name":"unknown","ssh_user":"sammy","status":"error","last_sync":null,"last_attempt":null} ]
}\n`
    expect(writeNodeStatus(text, wanted(entry('vps-1', { last_attempt: '2026-01-07T09:31:13Z' })))).toBe(
      text
        .replace('"status" : "pending_sync" ', '"status" : "active" ')
        .replace(
          '"last_sync":null, "last_attempt": "2026-01-01',
          '"last_sync":"2026-01-07T09:31:12Z", "last_attempt": "2026-01-01',
        )
        .replace('"2026-01-01T00:00:00Z"', '"2026-01-07T09:31:13Z"'),
    )
  })

  it('S1.20 S1.21 adds the keys that are missing, as the entry is written', () => {
    const text = `{
  "management_laptops": [],
  "vps_nodes": [
    {
      "ip": "100.64.0.9",
      "name": "vps-1",
      "ssh_user": "sammy",
      "status": "active"
    }
  ],
  "worker_nodes": []
}`
    const after = writeNodeStatus(text, wanted(entry('vps-1')))
    expect(after).toBe(
      text.replace(
        '"status": "active"',
        '"status": "active",\n      "last_sync": "2026-01-07T09:31:12Z",\n      "last_attempt": "2026-01-07T09:31:12Z"',
      ),
    )
  })

  it('S1.19 S1.20 S1.21 keeps the comments and the layout of YAML', () => {
    const text = `# who is who
management_laptops: []
vps_nodes:
  # the first
  - ip: 100.64.0.9
    name: vps-1   # in Paris
    ssh_user: sammy
    status: pending_sync   # was away
    last_sync:
    tags: [a,   b]
  - {ip: 100.64.0.10, name: vps-2, ssh_user: sammy, status: 'error'}
worker_nodes: []
`
    const two = entry('vps-2', { ip: '100.64.0.10', last_sync: null, last_attempt: null })
    const after = writeNodeStatus(text, wanted(entry('vps-1', { last_attempt: null }), two))
    expect(after).toBe(
      text
        .replace('pending_sync', '"active"')
        .replace('last_sync:', 'last_sync: "2026-01-07T09:31:12Z"')
        .replace("'error'", '"active"'),
    )
    expect(writeNodeStatus(text, wanted(entry('vps-1')))).toContain('\n    last_attempt: "2026-01-07T09:31:12Z"')
  })

  it('S1.20 S1.21 never replaces a time by none', () => {
    const text = JSON.stringify({
      management_laptops: [],
      vps_nodes: [{ ...entry('vps-1'), list: undefined, preserved: undefined }],
      worker_nodes: [],
    })
    expect(writeNodeStatus(text, wanted(entry('vps-1', { last_sync: null, last_attempt: '' })))).toBe(text)
  })

  it('S1.19 leaves a text alone that is no node registry', () => {
    for (const text of ['', '{}', '{"vps_nodes":', 'a: &x 1\nb: *y'])
      expect(writeNodeStatus(text, wanted(entry('vps-1')))).toBeNull()
  })

  it('S1.19 S1.20 S1.21 writes what is read again, and says nothing else, whatever the layout', () => {
    const status = fc.constantFrom('active', 'pending_sync', 'error' as const)
    const time = fc.constantFrom(null, '', '2026-01-07T09:31:12Z', '2026-02-01T00:00:00.5+02:00')
    const node = fc.record(
      { status, last_sync: time, last_attempt: time, extra: fc.json().map((text) => JSON.parse(text) as unknown) },
      { requiredKeys: ['status'] },
    )
    fc.assert(
      fc.property(
        fc.array(node, { maxLength: 5 }),
        fc.array(node, { maxLength: 5 }),
        fc.nat(4),
        (before, now, indent) => {
          const nodes = before.map((fields, index) => ({
            ip: `100.64.0.${index + 1}`,
            name: `n${index}`,
            ssh_user: 'u',
            ...fields,
          }))
          const text = JSON.stringify({ management_laptops: [], vps_nodes: nodes, worker_nodes: [] }, null, indent)
          const fresh = now.map(({ status: state, last_sync = null, last_attempt = null }, index) =>
            entry(`n${index}`, { status: state as 'active', last_sync, last_attempt }),
          )
          const after = writeNodeStatus(text, wanted(...fresh))
          if (after === null) throw new Error('not written')
          expect(withoutStatus(after)).toBe(withoutStatus(text))
          const read = readNodeRegistry(after)
          const states = read.ok ? read.registry.nodes.map((entryRead) => entryRead.status) : []
          expect(states).toEqual(nodes.map((entryBefore, index) => fresh[index]?.status ?? entryBefore.status))
        },
      ),
    )
  })
})

describe('withoutStatus', () => {
  const text = (fields: object) =>
    JSON.stringify({
      management_laptops: [],
      vps_nodes: [{ ip: '100.64.0.9', name: 'v', ssh_user: 's', ...fields }],
      worker_nodes: [],
    })

  it('S1.19 S1.20 S1.21 is the same for two texts that differ in the status of nodes alone', () => {
    const plain = withoutStatus(text({ status: 'active' }))
    expect(withoutStatus(text({ status: 'error', last_sync: '2026-01-07T09:31:12Z', last_attempt: null }))).toBe(plain)
    expect(withoutStatus(text({ status: 'active', note: 1 }))).not.toBe(plain)
    expect(withoutStatus(text({ status: 'active', ssh_user: 'root' }))).not.toBe(plain)
    expect(withoutStatus('{}')).toBeNull()
  })
})
