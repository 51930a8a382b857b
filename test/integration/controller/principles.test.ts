import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineFleet, type OpenEngine, startEngineFleet } from '../../../bench/engineFleet.ts'
import { NodeInput } from '../../../src/shared/model/node.ts'
import type { Run } from '../../../src/shared/model/run.ts'

const count = 120

/** Inodes of TCP sockets that this process listens on. */
async function listening(): Promise<string[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'utf8')))
  const open = new Set(
    tables.flatMap((table) =>
      table.split('\n').flatMap((line) => {
        const columns = line.trim().split(/\s+/)
        return columns[3] === '0A' && columns[9] !== undefined ? [columns[9]] : []
      }),
    ),
  )
  const ours: string[] = []
  for (const descriptor of await readdir('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${descriptor}`).catch(() => ''))?.[1]
    if (inode !== undefined && open.has(inode)) ours.push(inode)
  }
  return ours
}

/** Every file below a directory with its content. */
async function filesBelow(directory: string): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  return Promise.all(
    names
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        return { path, text: await readFile(path, 'latin1') }
      }),
  )
}

/** How many runs were at work at the moment when most were. */
function mostAtOnce(runs: readonly Run[]): number {
  const moments = runs.flatMap(({ startedAt, finishedAt }) => [
    { at: startedAt ?? 0, by: 1 },
    { at: finishedAt ?? 0, by: -1 },
  ])
  let now = 0
  let most = 0
  for (const { by } of moments.sort((left, right) => left.at - right.at || right.by - left.by)) {
    now += by
    most = Math.max(most, now)
  }
  return most
}

describe('principles of the controller, on real servers', () => {
  let fleet: EngineFleet
  let engine: OpenEngine
  let listeningBefore: string[]

  beforeAll(async () => {
    listeningBefore = await listening()
    fleet = await startEngineFleet(count)
    engine = await fleet.open()
    await engine.change(1)
  })
  afterAll(async () => {
    await engine?.stop()
    await fleet?.stop()
  })

  it('S1.2 S1.83 S1.84 S1.109 a hundred and more nodes are logged in to and proven with the settings as they come', async () => {
    const nodes = await engine.client.nodes.list({ filter: '' })
    expect(nodes).toHaveLength(count)
    for (const { name, status, reachability, plans, lastSyncAt } of nodes)
      expect({ name, status, reachability: reachability.status, synced: lastSyncAt !== null, plans }).toMatchObject({
        status: 'active',
        reachability: 'reachable',
        synced: true,
        plans: [{ observed: { revision: plans[0]?.desiredRevision } }],
      })
  })

  it('S1.87 S1F.1 they are worked on side by side', async () => {
    const { runs } = await engine.client.runs.list({ limit: 1_000 })
    expect(runs.filter(({ status }) => status === 'succeeded').length).toBeGreaterThanOrEqual(count)
    expect(mostAtOnce(runs)).toBeGreaterThan(8)
  })

  it('S1.1 S1.3 S1.49 S1.92 S1.93 nobody can come to us: the engine listens nowhere', async () => {
    expect(await listening()).toEqual(listeningBefore)
  })

  it('S1.3 S1.4 S1.49 S1.89 nothing that could log in anywhere is left on a node', async () => {
    for (const node of fleet.fleet.nodes) {
      const files = await filesBelow(fleet.fleet.homeOf(node))
      expect(files.map(({ path }) => path)).toEqual([join(fleet.fleet.homeOf(node), 'hosts')])
      expect(files[0]?.text).not.toMatch(/PRIVATE KEY|-cert-v01@openssh|ssh-ed25519 /)
    }
  })
})

describe('addresses', () => {
  it.each(['100.86.112.112', 'fd7a:115c:a1e0::1', 'vinay-laptop.tail1234.ts.net'])(
    'S1.14 S1.16 of a private network are as good as any: %s',
    (address) => {
      expect(NodeInput.parse({ name: 'a', kind: 'laptop', address, user: 'sammy' }).address).toBe(address)
    },
  )
})
