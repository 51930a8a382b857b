import { describe, expect, it } from 'vitest'
import { nodeLists } from '../../shared/model/registry.ts'
import { formatNodeRegistry, readNodeRegistry } from './nodeRegistry.ts'
import { jsonPath } from './sourceTree.ts'

const usual = `{
  "management_laptops": [
    {
      "ip": "100.86.112.112",
      "name": "laptop-1",
      "ssh_user": "ada",
      "status": "active",
      "last_sync": "2026-01-07T09:31:12Z",
      "last_attempt": "2026-01-07T09:31:12+00:00"
    }
  ],
  "vps_nodes": [
    {
      "name": "edge-1",
      "ip": "fd00::7",
      "webhook_port": 8080,
      "ssh_user": "sammy",
      "status": "pending_sync",
      "last_attempt": ""
    },
    {
      "ip": "100.64.0.9",
      "name": "edge-2",
      "ssh_user": "sammy",
      "status": "error",
      "last_sync": null,
      "last_attempt": null
    }
  ],
  "worker_nodes": []
}`

function registryOf(text: string) {
  const read = readNodeRegistry(text)
  if (!read.ok) throw new Error(read.problems.map(({ path, message }) => `${jsonPath(path)} ${message}`).join('\n'))
  return read.registry
}
function said(text: string): string[] {
  const read = readNodeRegistry(text)
  return read.ok ? [] : read.problems.map(({ path, line, message }) => `${jsonPath(path)} ${line} ${message}`)
}

describe('node registry', () => {
  it('S1.15 S1.16 S1.17 S1.18 S1.19 S1.20 S1.21 reads three lists of nodes with their fields', () => {
    const { nodes } = registryOf(usual)
    expect(nodes[0]).toEqual({
      list: 'management_laptops',
      ip: '100.86.112.112',
      name: 'laptop-1',
      ssh_user: 'ada',
      status: 'active',
      last_sync: '2026-01-07T09:31:12Z',
      last_attempt: '2026-01-07T09:31:12+00:00',
      preserved: [],
    })
    expect(nodes.map(({ list, name, last_sync }) => [nodeLists[list], name, last_sync])).toEqual([
      ['laptop', 'laptop-1', '2026-01-07T09:31:12Z'],
      ['vps', 'edge-1', null],
      ['vps', 'edge-2', null],
    ])
  })

  it('S1.15 writes back what it read, and new times into it', () => {
    expect(formatNodeRegistry(registryOf(usual))).toBe(usual)
    const turned = '{"worker_nodes":[],"note":1.0,"vps_nodes":[],"management_laptops":[]}'
    expect(formatNodeRegistry(registryOf(turned), 0)).toBe(turned)
    const registry = registryOf(usual)
    const nodes = registry.nodes.map((node) => ({
      ...node,
      status: 'active' as const,
      last_sync: '2026-02-01T00:00:00Z',
    }))
    const written = JSON.parse(formatNodeRegistry({ ...registry, nodes }))
    expect(written.vps_nodes[0]).toEqual({
      ...JSON.parse(usual).vps_nodes[0],
      status: 'active',
      last_sync: '2026-02-01T00:00:00Z',
    })
  })

  it('S1.15 takes YAML as well', () => {
    const yaml =
      'management_laptops: []\nworker_nodes: []\nvps_nodes:\n  - {ip: 10.0.0.1, name: a, ssh_user: b, status: active}\n'
    expect(registryOf(yaml).nodes.map(({ name }) => name)).toEqual(['a'])
  })

  it('S1.15 names every mistake at once', () => {
    const text = `{
  "management_laptops": [{ "name": "a", "ssh_user": "-x", "status": "ok", "last_sync": "yesterday", "ip": "node.example" }],
  "vps_nodes": {},
  "worker": [],
  "management_laptops": []
}`
    expect(said(text)).toEqual([
      '$.worker_nodes 1 is missing; write [] for none',
      '$.management_laptops[0].ssh_user 2 a login user is 1 to 32 letters, digits or . _ - and does not start with a dash or digit',
      '$.management_laptops[0].status 2 is the text "ok", but must be active, pending_sync or error',
      '$.management_laptops[0].last_sync 2 is the text "yesterday", but must be a time such as 2026-01-07T09:31:12Z, or null',
      '$.management_laptops[0].ip 2 "node.example" is no IP address; write numbers, not a name',
      '$.vps_nodes 3 is an object, but must be a list of nodes',
      '$.management_laptops 5 is there twice; of two entries only one would count',
    ])
    expect(said('[]')).toEqual([
      '$ 1 is a list, but must be an object with management_laptops, vps_nodes, worker_nodes',
    ])
    expect(said(usual.replace('edge-2', 'laptop-1'))).toEqual(['$.vps_nodes[1].name 23 "laptop-1" is another node too'])
    expect(said(usual.replace('"sammy"', 'null'))).toHaveLength(1)
  })
})
