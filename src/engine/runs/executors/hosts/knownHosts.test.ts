import { describe, expect, it } from 'vitest'
import { aNode } from '../../../../../test/fakes/aNode.ts'
import { KnownHostsFiles } from './knownHosts.ts'

const nodeId = aNode().id
const known = (text: string) => ({ state: 's', blockDigest: 'd', shadowed: [], text })
const limits = { mostFiles: 3, mostFileBytes: 100, mostBytes: 1_000 }

describe('what is kept of hosts files', () => {
  it('D14 remembers the newest, and forgets the least lately used beyond its limits', () => {
    const files = new KnownHostsFiles(limits)
    for (const path of ['a', 'b', 'c']) files.set(nodeId, path, known(path))
    expect(files.get(nodeId, 'a')?.text).toBe('a')
    files.set(nodeId, 'd', known('d'))
    expect(files.get(nodeId, 'b')).toBeNull()
    expect(['a', 'c', 'd'].map((path) => files.get(nodeId, path)?.text)).toEqual(['a', 'c', 'd'])
    files.set(nodeId, 'a', known('a2'))
    expect(files.get(nodeId, 'a')?.text).toBe('a2')
  })

  it('S1.80 keeps of a large file its state alone, and never more bytes than it may', () => {
    const files = new KnownHostsFiles({ ...limits, mostFiles: 100 })
    files.set(nodeId, 'large', known('x'.repeat(101)))
    expect(files.get(nodeId, 'large')).toMatchObject({ state: 's', text: null })
    for (let index = 0; index < 50; index += 1) files.set(nodeId, `f${index}`, known('x'.repeat(100)))
    const kept = Array.from({ length: 50 }, (_, index) => files.get(nodeId, `f${index}`)).filter(
      (file) => file !== null,
    )
    expect(kept.length).toBeLessThanOrEqual(3)
    expect(files.get(nodeId, 'f49')).not.toBeNull()
  })
})
