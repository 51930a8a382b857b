import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineClient } from '../../../src/shared/contract/index.ts'
import { NodeInput } from '../../../src/shared/model/node.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'

let test: TestEngine
let client: EngineClient

/** What a client without our types could send. */
const anything = (value: unknown): never => value as never

const node = (overrides: object = {}): NodeInput =>
  NodeInput.parse({ name: 'one', kind: 'vps', address: '127.0.0.1', user: 'sync', ...overrides })
const plan = (overrides: object = {}): PlanInput =>
  PlanInput.parse({
    name: 'site',
    kind: 'tree',
    selector: '*',
    spec: { push: { source: '/srv/site', target: '~/site' } },
    ...overrides,
  })

describe('bad input is refused with the field and what is allowed, and nothing is half-applied', () => {
  beforeAll(async () => {
    test = await startTestEngine()
    client = test.client
  })
  afterAll(() => test.dispose())

  it.each([
    ['an unknown kind', { kind: 'toaster' }, /kind/],
    ['a port out of range', { port: 70_000 }, /port: a port is 1 to 65535/],
    ['an option as address', { address: '-oProxyCommand=id' }, /address: an address is a host name/],
    ['an option as user', { user: '-l root' }, /user: a login user/],
    ['a name with a line break', { name: 'a\nb' }, /name holds no line breaks/],
    ['a name of 256 bytes', { name: 'é'.repeat(128) }, /at most 255 bytes/],
    ['a star as principal', { principal: '*' }, /principal/],
    ['an unknown key', { colour: 'red' }, /colour/],
  ])('a node with %s', async (_what, overrides, message) => {
    const input = { name: 'one', kind: 'vps', address: '127.0.0.1', user: 'sync', ...overrides }
    await expect(client.nodes.add(anything({ node: input }))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    })
    expect(await client.nodes.list({ filter: '' })).toEqual([])
  })

  it('an import is all or nothing', async () => {
    const nodes = [{ node: node() }, { node: node({ name: 'two' }) }, { node: node() }]
    await expect(client.nodes.import({ nodes })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('"one"'),
    })
    expect(await client.nodes.list({ filter: '' })).toEqual([])
  })

  it.each([
    ['the root as target', { spec: { push: { source: '/srv', target: '/' } } }, /root directory/],
    ['a climbing path', { spec: { push: { source: '/srv/../etc', target: '~/x' } } }, /no \.\. segment/],
    ['a relative path', { spec: { push: { source: 'srv', target: '~/x' } } }, /absolute or starts with ~/],
    ['no direction at all', { spec: {} }, /push, pull or both/],
    ['an unknown key', { spec: { push: { source: '/srv/x', target: '~/x' }, purge: true } }, /purge/],
  ])('a plan with %s', async (_what, overrides, message) => {
    const input = { name: 'site', kind: 'tree', selector: '*', ...overrides }
    await expect(client.plans.apply(anything({ plans: [input] }))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    })
    expect(await client.plans.list()).toEqual([])
  })

  it('one bad selector keeps the good plan beside it out too', async () => {
    await expect(
      client.plans.apply({ plans: [plan(), plan({ name: 'other', selector: 'kind:' })] }),
    ).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/plan "other".*needs a value.*character 5/),
    })
    expect(await client.plans.list()).toEqual([])
  })

  it('a pull from several nodes into one directory is refused', async () => {
    await client.nodes.import({ nodes: [{ node: node() }, { node: node({ name: 'two' }) }] })
    const pull = { spec: { pull: { source: '~/out', target: '/srv/in' } } }
    await expect(client.plans.apply({ plans: [plan(pull)] })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('{node}'),
    })
    await client.nodes.remove({ node: 'one' })
    await client.nodes.remove({ node: 'two' })
  })

  it('an equal plan keeps its revision, a changed one gets the next', async () => {
    const [first] = await client.plans.apply({ plans: [plan()] })
    const [same] = await client.plans.apply({ plans: [plan()] })
    const [changed] = await client.plans.apply({ plans: [plan({ selector: 'kind:vps' })] })
    expect([first?.revision, same?.revision, changed?.revision]).toEqual([1, 1, 2])
    await client.plans.remove({ plan: 'site' })
  })

  it.each([
    ['an unknown node', () => client.nodes.get({ node: 'nobody' }), 'NOT_FOUND', /nobody/],
    ['an unknown plan', () => client.plans.get({ plan: 'nothing' }), 'NOT_FOUND', /nothing/],
    ['a run id that is none', () => client.runs.get(anything({ runId: 'x' })), 'INVALID_INPUT', /runId/],
    [
      'an unknown run',
      () => client.runs.get(anything({ runId: '01900000-0000-7000-8000-000000000000' })),
      'NOT_FOUND',
      /no run/,
    ],
    [
      'a filter that does not read',
      () => client.nodes.list({ filter: 'colour:red' }),
      'INVALID_INPUT',
      /unknown field "colour"/,
    ],
    [
      'a short idempotency key',
      () => client.runs.push(anything({ idempotencyKey: 'x', targets: { kind: 'all' } })),
      'INVALID_INPUT',
      /at least 8/,
    ],
    [
      'a push to an unknown node',
      () => client.runs.push(anything({ idempotencyKey: 'key-12345', targets: { kind: 'nodes', nodes: ['nobody'] } })),
      'NOT_FOUND',
      /nobody/,
    ],
    [
      'a private key to sign',
      () =>
        client.certificates.issue({
          publicKey: '-----BEGIN OPENSSH PRIVATE KEY-----',
          principals: ['x'],
          lifetimeSeconds: 600,
          permitPty: false,
          reason: 'test',
        }),
      'INVALID_INPUT',
      /private key/,
    ],
    ['an RPC body of another shape', () => client.nodes.list(anything('rubbish')), 'INVALID_INPUT', /./],
  ])('%s', async (_what, call, code, message) => {
    await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })
})
