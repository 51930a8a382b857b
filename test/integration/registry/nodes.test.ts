import { afterEach, describe, expect, it } from 'vitest'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let open: TestEngine | null = null
afterEach(async () => {
  await open?.dispose()
  open = null
})
const start = async (): Promise<TestEngine> => {
  // Nobody looks at the nodes by themselves: 127.0.0.x has no sshd.
  open = await startTestEngine({ config: { unreachableProbeIntervalMs: 3_600_000, reconcileIntervalMs: 3_600_000 } })
  return open
}

const never = { status: 'pending_sync', last_sync: '', last_attempt: '' }
const laptop = { ip: '127.0.0.81', name: 'vinay-laptop', ssh_user: 'vinaysachdeva', ...never }
const edge = { ip: '127.0.0.82', name: 'edge', ssh_user: 'sammy', ...never }
const worker = { ip: '127.0.0.83', name: 'worker', ssh_user: 'sammy', ...never }

const registryOf = (lists: Readonly<Record<string, readonly unknown[]>>): string =>
  JSON.stringify({ management_laptops: [], vps_nodes: [], worker_nodes: [], ...lists })
const save = (engine: TestEngine, text: string, baseNumber: number) =>
  engine.client.registry.save({ registry: 'nodes', text, baseNumber })
const fleet = async (engine: TestEngine) =>
  (await engine.client.nodes.list({ filter: '' })).map(({ name, kind, address, user }) => [name, kind, address, user])

describe('the node registry', () => {
  it('S1.15 S1.16 S1.17 S1.18 puts its nodes into the fleet, each list as its kind, and changes them later', async () => {
    const engine = await start()
    const first = registryOf({ management_laptops: [laptop], vps_nodes: [edge], worker_nodes: [worker] })
    const check = await engine.client.registry.check({ registry: 'nodes', text: first })
    expect(check).toMatchObject({
      status: 'valid',
      entries: 3,
      fleet: [
        { name: 'vinay-laptop', kind: 'added', detail: 'laptop vinaysachdeva@127.0.0.81' },
        { name: 'edge', kind: 'added' },
        { name: 'worker', kind: 'added' },
      ],
    })
    expect(await fleet(engine)).toEqual([])
    await save(engine, first, 0)
    expect(await fleet(engine)).toEqual([
      ['edge', 'vps', '127.0.0.82', 'sammy'],
      ['vinay-laptop', 'laptop', '127.0.0.81', 'vinaysachdeva'],
      ['worker', 'worker', '127.0.0.83', 'sammy'],
    ])
    await engine.client.nodes.update({ node: 'edge', patch: { labels: { site: 'fra' } } })
    const second = registryOf({ management_laptops: [laptop], vps_nodes: [{ ...edge, ip: '127.0.0.92' }] })
    expect(await engine.client.registry.check({ registry: 'nodes', text: second })).toMatchObject({
      fleet: [
        { name: 'edge', kind: 'changed', detail: 'address 127.0.0.82 -> 127.0.0.92' },
        { name: 'worker', kind: 'missing' },
      ],
    })
    await save(engine, second, 1)
    expect(await fleet(engine)).toContainEqual(['edge', 'vps', '127.0.0.92', 'sammy'])
    expect((await engine.node('edge')).labels).toEqual({ site: 'fra' })
    // What is no longer listed stays, until a person removes it.
    expect(await fleet(engine)).toContainEqual(['worker', 'worker', '127.0.0.83', 'sammy'])
  })

  it('S1.19 S1.20 S1.21 shows what the fleet knows now without a revision; saving that again is none', async () => {
    const engine = await start()
    const { client } = engine
    const known = {
      ...laptop,
      status: 'active',
      last_sync: '2026-01-07T09:31:12Z',
      last_attempt: '2026-01-07T09:31:12Z',
    }
    await save(engine, registryOf({ management_laptops: [known], vps_nodes: [edge] }), 0)
    await client.plans.apply({
      plans: [
        { name: 'hosts', kind: 'hosts', selector: 'kind:laptop', spec: { hosts: { domain: 'example.internal' } } },
      ] as never,
    })
    await client.runs.push({
      idempotencyKey: 'test.nodes.push.0001' as never,
      plans: ['hosts'],
      targets: { kind: 'all' },
    })
    const shown = await waitFor(
      'an attempt on the laptop',
      async () => {
        const text = (await client.registry.get({ registry: 'nodes' }))?.text ?? ''
        const node = await engine.node('vinay-laptop')
        return node.lastAttemptAt !== null && node.activeRunId === null && { text, node }
      },
      { timeoutMs: 30_000 },
    )
    const entry = JSON.parse(shown.text).management_laptops[0]
    expect(entry.status).toBe('pending_sync')
    expect(Date.parse(entry.last_attempt)).toBe(Math.floor((shown.node.lastAttemptAt ?? 0) / 1000) * 1000)
    // It never was in step here; what the source knew is not thrown away.
    expect(entry.last_sync).toBe('2026-01-07T09:31:12Z')
    expect(await client.registry.history({ registry: 'nodes' })).toHaveLength(1)
    expect((await save(engine, shown.text, 1)).status).toBe('unchanged')
    const old = await client.registry.get({ registry: 'nodes', number: 1 })
    expect(JSON.parse(old?.text ?? '').management_laptops[0]).toEqual(known)
  })

  it('S1.15 keeps keys that it has no word for, in nodes and beside the lists, through export and import', async () => {
    const engine = await start()
    const text = `{"version": 3.10, "vps_nodes": [{"zone": "fra", "name": "edge", "ip": "127.0.0.82", "ssh_user": "sammy", "status": "active", "last_sync": null, "last_attempt": null, "tags": ["a", 1.50]}], "management_laptops": [], "worker_nodes": []}`
    await save(engine, text, 0)
    const exported = await engine.client.registry.export({ registry: 'nodes', format: 'yaml' })
    expect(exported).toMatchObject({ sealedValues: 0, leftOut: 0 })
    const other = await start2(engine)
    const imported = await other.client.registry.import({ registry: 'nodes', text: exported.text, baseNumber: 0 })
    expect(imported).toMatchObject({ status: 'saved', revision: { entries: 1 } })
    const back = (await other.client.registry.get({ registry: 'nodes' }))?.text ?? ''
    const expected = text.replace('"active"', '"pending_sync"').replace(/\s+/g, '')
    expect(back.replace(/\s+/g, '')).toBe(expected)
  })

  it('S1.15 refuses a list that is missing, a name in two lists, and fields that are wrong, where they stand', async () => {
    const engine = await start()
    const problems = async (text: string) => {
      const check = await engine.client.registry.check({ registry: 'nodes', text })
      return check.status === 'invalid' ? check.problems.map(({ path }) => path) : []
    }
    expect(await problems('{"vps_nodes": [], "worker_nodes": []}')).toEqual([['management_laptops']])
    expect(await problems(registryOf({ vps_nodes: [edge], worker_nodes: [edge] }))).toEqual([
      ['worker_nodes', 0, 'name'],
    ])
    expect(await problems(registryOf({ vps_nodes: [{ ...edge, ssh_user: '-x', ip: 'edge', status: 'ok' }] }))).toEqual([
      ['vps_nodes', 0, 'ip'],
      ['vps_nodes', 0, 'ssh_user'],
      ['vps_nodes', 0, 'status'],
    ])
    await expect(save(engine, '[]', 0)).rejects.toMatchObject({ code: 'REGISTRY_INVALID' })
    expect(await fleet(engine)).toEqual([])
  })
})

/** A second home beside the first; the first is closed with it. */
async function start2(first: TestEngine): Promise<TestEngine> {
  await first.dispose()
  return start()
}
