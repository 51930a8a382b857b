import { afterEach, describe, expect, it } from 'vitest'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'

let open: TestEngine | null = null
afterEach(async () => {
  await open?.dispose()
  open = null
})
const start = async (): Promise<TestEngine> => {
  open = await startTestEngine()
  return open
}

const service = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  subdomain: 'demo',
  ip: '100.64.0.7',
  port: 80,
  public: true,
  ...overrides,
})
const textOf = (services: Readonly<Record<string, unknown>>): string => JSON.stringify(services)

const plans = [
  { name: 'edge-routes', kind: 'routes', selector: 'kind:vps', spec: { routes: { domain: 'example.com' } } },
  { name: 'hosts', kind: 'hosts', selector: 'kind:laptop', spec: { hosts: { domain: 'example.internal' } } },
] as const

const addNodes = (engine: TestEngine) =>
  engine.client.nodes.import({
    nodes: [
      { node: { name: 'edge', kind: 'vps', address: '127.0.0.9', user: 'sammy' }, hostKeys: [] },
      { node: { name: 'lap', kind: 'laptop', address: '127.0.0.8', user: 'sammy' }, hostKeys: [] },
    ],
  })

describe('revisions of the service registry', () => {
  it('S1.22 S1.32 S1.42 saves a revision with digest, author and comment; the same content again is none', async () => {
    const { client } = await start()
    expect(await client.registry.get({ registry: 'services' })).toBeNull()
    const first = await client.registry.save({
      registry: 'services',
      text: textOf({ demo: service() }),
      baseNumber: 0,
      comment: 'begin',
    })
    expect(first).toMatchObject({
      status: 'saved',
      revision: { number: 1, author: 'tester@here', comment: 'begin', source: { kind: 'console' }, entries: 1 },
    })
    const again = await client.registry.save({
      registry: 'services',
      text: 'demo:\n  public: true\n  port: 80\n  ip: 100.64.0.7\n  subdomain: demo\n',
      baseNumber: 1,
    })
    expect(again).toMatchObject({ status: 'unchanged', revision: { number: 1 } })
    expect(await client.registry.history({ registry: 'services' })).toHaveLength(1)
  })

  it('S1.5 S1.8 S1.9 S1.30 S1.31 gives plans of kind routes and hosts a new revision only when their text changes', async () => {
    const engine = await start()
    const { client } = engine
    await addNodes(engine)
    await client.plans.apply({ plans: [...plans] as never })
    const save = (services: Readonly<Record<string, unknown>>, baseNumber: number) =>
      client.registry.save({ registry: 'services', text: textOf(services), baseNumber })
    const revisions = async () => (await client.plans.list()).map(({ name, revision }) => [name, revision])
    await save({ demo: service() }, 0)
    expect(await revisions()).toEqual([
      ['edge-routes', 2],
      ['hosts', 2],
    ])
    await save({ demo: service(), hidden: service({ subdomain: 'hidden', public: false }) }, 1)
    expect(await revisions()).toEqual([
      ['edge-routes', 2],
      ['hosts', 3],
    ])
    await save({ demo: service({ note: 'x' }), hidden: service({ subdomain: 'hidden', public: false }) }, 2)
    expect(await revisions()).toEqual([
      ['edge-routes', 2],
      ['hosts', 3],
    ])
    await save({ demo: service({ note: 'x' }), hidden: service({ subdomain: 'hidden' }) }, 3)
    expect(await revisions()).toEqual([
      ['edge-routes', 3],
      ['hosts', 3],
    ])
    const edge = await engine.node('edge')
    expect(edge.plans).toMatchObject([{ planName: 'edge-routes', desiredRevision: 3 }])
  })

  it('S1.32 says before a save what it would change, and on which nodes', async () => {
    const engine = await start()
    const { client } = engine
    const [edge] = await addNodes(engine)
    await client.plans.apply({ plans: [...plans] as never })
    await client.registry.save({ registry: 'services', text: textOf({ demo: service() }), baseNumber: 0 })
    const check = await client.registry.check({ registry: 'services', text: textOf({ demo: service({ port: 81 }) }) })
    expect(check).toMatchObject({
      status: 'valid',
      entries: 1,
      changes: [{ name: 'demo', kind: 'changed', fields: [{ field: 'port', before: '80', after: '81' }] }],
      effects: [{ planName: 'edge-routes', kind: 'routes', nodeIds: [edge?.id] }],
      fleet: [],
    })
    if (check.status !== 'valid') throw new Error('not valid')
    expect(check.effects[0]?.before).toContain('http://100.64.0.7:80"')
    expect(check.effects[0]?.after).toContain('http://100.64.0.7:81"')
    expect(await client.registry.history({ registry: 'services' })).toHaveLength(1)
  })

  it.each([
    ['a port of the wrong type', { demo: service({ port: '80' }) }, ['demo', 'port']],
    ['a port that no socket has', { demo: service({ port: 65_536 }) }, ['demo', 'port']],
    ['a subdomain that is no label', { demo: service({ subdomain: 'a.b' }) }, ['demo', 'subdomain']],
    ['an address that is a placeholder', { demo: service({ ip: '100.x.x.x' }) }, ['demo', 'ip']],
    ['public in words', { demo: service({ public: 'yes' }) }, ['demo', 'public']],
    ['a service that is a list', { demo: [] }, ['demo']],
    ['two services in one place', { demo: service(), two: service({ ip: '100.64.0.8' }) }, ['two', 'subdomain']],
  ])(
    'S1.22 S1.23 S1.24 S1.25 S1.26 refuses %s where it stands; the old revision stays in force',
    async (_, bad, path) => {
      const { client } = await start()
      await client.registry.save({ registry: 'services', text: textOf({ demo: service() }), baseNumber: 0 })
      const refused = await client.registry
        .save({ registry: 'services', text: textOf(bad), baseNumber: 1 })
        .catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'REGISTRY_INVALID', data: { data: { problems: [{ path, line: 1 }] } } })
      expect(await client.registry.get({ registry: 'services' })).toMatchObject({ revision: { number: 1 } })
      const check = await client.registry.check({ registry: 'services', text: textOf(bad) })
      expect(check).toMatchObject({ status: 'invalid', problems: [{ path }] })
    },
  )

  it('S1.22 refuses a name that is there twice, which JSON.parse would not see', async () => {
    const { client } = await start()
    const one = JSON.stringify(service())
    const text = `{\n  "demo": ${one},\n  "demo": ${one}\n}`
    const check = await client.registry.check({ registry: 'services', text })
    expect(check).toMatchObject({ status: 'invalid', problems: [{ path: ['demo'], line: 3, column: 3 }] })
  })

  it('S1.32 returns to an older revision with a new one', async () => {
    const { client } = await start()
    const save = (port: number, baseNumber: number) =>
      client.registry.save({ registry: 'services', text: textOf({ demo: service({ port }) }), baseNumber })
    await save(80, 0)
    await save(81, 1)
    const revision = await client.registry.return({ registry: 'services', toNumber: 1, comment: 'back' })
    expect(revision).toMatchObject({ number: 3, source: { kind: 'return', toNumber: 1 }, comment: 'back' })
    const [newest, , oldest] = await client.registry.history({ registry: 'services' })
    expect(newest?.digest).toBe(oldest?.digest)
    const compared = await client.registry.compare({ registry: 'services', from: 2, to: 3 })
    expect(compared.changes).toEqual([
      { name: 'demo', kind: 'changed', fields: [{ field: 'port', before: '81', after: '80' }] },
    ])
    await expect(client.registry.return({ registry: 'services', toNumber: 9 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('S1.22 keeps unicode names, unknown keys in their places and every digit of a number, in JSON and in YAML', async () => {
    const { client } = await start()
    const text = `{"çay 茶 🫖": {"owner": "Ömer", "port": 80, "ip": "100.64.0.7", "weight": 1.10, "big": 12345678901234567890, "public": false, "subdomain": "cay", "list": [1, {"a": null}], "off": "no"}}`
    await client.registry.save({ registry: 'services', text, baseNumber: 0 })
    const [json, yaml] = await Promise.all([
      client.registry.get({ registry: 'services', format: 'json' }),
      client.registry.get({ registry: 'services', format: 'yaml' }),
    ])
    expect(json?.text.replace(/\s+/g, '')).toBe(text.replace(/\s+/g, ''))
    const again = await client.registry.save({ registry: 'services', text: yaml?.text ?? '', baseNumber: 1 })
    expect(again.status).toBe('unchanged')
    expect(yaml?.text).toContain('weight: 1.10')
  })

  it('S1F.6 tells the second of two editors of the first, with both changes put together', async () => {
    const { client } = await start()
    const save = (services: Readonly<Record<string, unknown>>, baseNumber: number) =>
      client.registry.save({ registry: 'services', text: textOf(services), baseNumber })
    await save({ demo: service() }, 0)
    await save({ demo: service({ port: 81 }) }, 1)
    const second = await save({ demo: service(), mine: service({ subdomain: 'mine' }) }, 1)
    if (second.status !== 'conflict') throw new Error(second.status)
    expect(second.current).toMatchObject({ number: 2, author: 'tester@here' })
    expect(second.conflicts).toEqual([])
    expect(JSON.parse(second.merged)).toEqual({ demo: service({ port: 81 }), mine: service({ subdomain: 'mine' }) })
    const settled = await client.registry.save({ registry: 'services', text: second.merged, baseNumber: 2 })
    expect(settled).toMatchObject({ status: 'saved', revision: { number: 3 } })
  })

  it('S1F.6 lists what both changed in two ways, and keeps what is in force until somebody decides', async () => {
    const { client } = await start()
    const save = (services: Readonly<Record<string, unknown>>, baseNumber: number) =>
      client.registry.save({ registry: 'services', text: textOf(services), baseNumber })
    await save({ demo: service() }, 0)
    await save({ demo: service({ port: 81 }) }, 1)
    const second = await save({ demo: service({ port: 82 }) }, 1)
    if (second.status !== 'conflict') throw new Error(second.status)
    expect(JSON.parse(second.merged)).toEqual({ demo: service({ port: 81 }) })
    expect(second.conflicts).toMatchObject([{ name: 'demo' }])
    const [conflict] = second.conflicts
    expect([conflict?.base, conflict?.ours, conflict?.theirs].map((text) => JSON.parse(text ?? '').port)).toEqual([
      80, 82, 81,
    ])
    await expect(save({ demo: service() }, 7)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })

  it('S1F.6 of two saves at the same moment one is told of the other', async () => {
    const { client } = await start()
    const save = (name: string) =>
      client.registry.save({
        registry: 'services',
        text: textOf({ [name]: service({ subdomain: name }) }),
        baseNumber: 0,
      })
    const results = await Promise.all(['a', 'b', 'c', 'd'].map(save))
    expect(results.map(({ status }) => status).sort()).toEqual(['conflict', 'conflict', 'conflict', 'saved'])
    expect(await client.registry.history({ registry: 'services' })).toHaveLength(1)
  })

  it('S1.22 takes 10,000 services', async () => {
    const engine = await start()
    const { client } = engine
    await addNodes(engine)
    await client.plans.apply({ plans: [...plans] as never })
    const many = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [
        `service ${index}`,
        service({ subdomain: `s${index}`, port: 1 + index, owner: `team ${index % 9}` }),
      ]),
    )
    const saved = await client.registry.save({
      registry: 'services',
      text: JSON.stringify(many, null, 2),
      baseNumber: 0,
    })
    expect(saved).toMatchObject({ status: 'saved', revision: { entries: 10_000 } })
    const got = await client.registry.get({ registry: 'services' })
    expect(Object.keys(JSON.parse(got?.text ?? '{}'))).toHaveLength(10_000)
  })
})
