import { describe, expect, it } from 'vitest'
import {
  changesBetween,
  entriesDigestText,
  mergeContents,
  noEntries,
  type RegistryEntries,
  readEntries,
  showEntries,
} from './registryEntries.ts'

const node = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  ip: '10.0.0.1',
  name: 'edge',
  ssh_user: 'sammy',
  status: 'active',
  last_sync: null,
  last_attempt: null,
  ...overrides,
})

function nodes(vps: readonly unknown[], beside: Readonly<Record<string, unknown>> = {}): RegistryEntries {
  const read = readEntries(
    'nodes',
    JSON.stringify({ management_laptops: [], vps_nodes: vps, worker_nodes: [], ...beside }),
  )
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join())
  return read.content
}

describe('node registry as a revision', () => {
  it('S1.19 S1.20 S1.21 is the same whatever status and times say, and another one for anything else', () => {
    const before = nodes([node()])
    const known = nodes([node({ status: 'error', last_sync: '2026-01-07T09:31:12Z', last_attempt: '' })])
    expect(entriesDigestText(known)).toBe(entriesDigestText(before))
    expect(changesBetween(before, known)).toEqual([])
    for (const other of [
      nodes([node({ ip: '10.0.0.2' })]),
      nodes([node({ zone: 'fra' })]),
      nodes([node()], { v: 1 }),
    ]) {
      expect(entriesDigestText(other)).not.toBe(entriesDigestText(before))
      expect(changesBetween(before, other)).toHaveLength(1)
    }
  })

  it('S1F.6 S1.15 merges two editors, keys beside the lists too', () => {
    const base = nodes([node(), node({ name: 'b' })], { v: 1 })
    const ours = nodes([node({ ssh_user: 'root' }), node({ name: 'b' }), node({ name: 'c' })], { v: 2 })
    const theirs = nodes([node({ ip: '10.0.0.2', list: 'mine' })], { v: 1, w: 3 })
    const { merged, conflicts } = mergeContents({ base, ours, theirs })
    expect(conflicts).toEqual([])
    expect(JSON.parse(showEntries(merged, 'json'))).toEqual({
      management_laptops: [],
      vps_nodes: [node({ ip: '10.0.0.2', ssh_user: 'root', list: 'mine' }), node({ name: 'c' })],
      worker_nodes: [],
      v: 2,
      w: 3,
    })
    const clash = mergeContents({ base, ours, theirs: nodes([node({ ssh_user: 'admin' })], { v: 9 }) })
    expect(clash.conflicts.map(({ name }) => name)).toEqual(['*', 'edge'])
    expect(JSON.parse(clash.conflicts[1]?.ours ?? '')).toEqual(node({ ssh_user: 'root' }))
    expect(clash.conflicts[0]).toEqual({ name: '*', base: '{"v":1}', ours: '{"v":2}', theirs: '{"v":9}' })
  })

  it('S1.15 begins with nothing', () => {
    expect(changesBetween(noEntries('nodes'), nodes([node()]))).toMatchObject([{ name: 'edge', kind: 'added' }])
    expect(showEntries(noEntries('services'), 'yaml')).toBe('{}\n')
  })
})
