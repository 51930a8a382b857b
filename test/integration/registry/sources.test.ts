import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RegistrySource, SourceState } from '../../../src/shared/model/registrySource.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let engine: TestEngine
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-source-'))
})
afterEach(async () => {
  await engine.dispose()
  await rm(directory, { recursive: true, force: true })
})

const service = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  subdomain: 'demo',
  ip: '100.64.0.7',
  port: 80,
  public: true,
  ...overrides,
})
const textOf = (services: Readonly<Record<string, unknown>>): string => JSON.stringify(services)
const path = (name: string): string => join(directory, name)

/** A poll that would be noticed only in an hour, so that what happens sooner is the watch. */
const watchOnly = { registryPollIntervalMs: 3_600_000 }

async function start(config: Parameters<typeof startTestEngine>[0] = { config: watchOnly }): Promise<TestEngine> {
  engine = await startTestEngine(config)
  return engine
}

const follow = (name: string, file: string, registry: 'services' | 'nodes' = 'services'): Promise<RegistrySource> =>
  engine.client.sources.add({ name, registry, place: { kind: 'file', path: file } })

const services = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await engine.client.registry.get({ registry: 'services' }))?.text ?? '{}') as Record<string, unknown>

const untilServices = (names: readonly string[]) =>
  waitFor(
    `the services ${names.join(', ')}`,
    async () => {
      expect(Object.keys(await services()).sort()).toEqual([...names].sort())
      return true
    },
    { timeoutMs: 20_000 },
  )

const stateOf = async (name: string): Promise<SourceState> => {
  const source = (await engine.client.sources.list()).find((candidate) => candidate.name === name)
  if (source === undefined) throw new Error(`no source ${name}`)
  return source.state
}

const untilStatus = (name: string, status: SourceState['status']) =>
  waitFor(`${name} to be ${status}`, async () => {
    const state = await stateOf(name)
    if (state.status !== status) throw new Error(JSON.stringify(state))
    return state
  })

describe('a watched file', () => {
  it('S1.5 S1.28 S1.33 saves what it says, and every change soon, whoever writes it and however', async () => {
    const file = path('services.json')
    await writeFile(file, textOf({ demo: service() }))
    await start()
    const added = await follow('file', file)
    expect(added.state).toMatchObject({ status: 'following' })
    const first = await engine.client.registry.get({ registry: 'services' })
    expect(first?.revision).toMatchObject({ number: 1, author: 'source file', source: { kind: 'file', path: file } })
    // In place, as a shell does.
    await writeFile(
      file,
      'demo: {subdomain: demo, ip: 100.64.0.7, port: 80, public: true}\nnext: {subdomain: next, ip: 100.64.0.8, port: 81, public: false}\n',
    )
    await untilServices(['demo', 'next'])
    // Another file in its place, as editors do.
    await writeFile(path('.swap'), textOf({ next: service({ subdomain: 'next' }) }))
    await rename(path('.swap'), file)
    await untilServices(['next'])
    expect(engine.logLines.filter((line) => line.includes('changed, triggering sync...'))).toHaveLength(2)
  })

  it('S1.29 S1.34 is read every poll interval where nothing tells of a change', async () => {
    // The watch is on a directory that is replaced; inotify then says nothing more of the new one.
    const inner = path('inner')
    await mkdir(inner)
    await writeFile(join(inner, 'services.json'), textOf({ demo: service() }))
    await start({ config: { registryPollIntervalMs: 200 } })
    await follow('file', join(inner, 'services.json'))
    await mkdir(path('other'))
    await writeFile(join(path('other'), 'services.json'), textOf({ other: service() }))
    await rename(inner, path('old'))
    await rename(path('other'), inner)
    await untilServices(['other'])
  })

  it('S1.33 that is wrong or gone leaves the last revision in force and says why, until it is right again', async () => {
    const file = path('services.json')
    await writeFile(file, textOf({ demo: service() }))
    await start()
    await follow('file', file)
    await writeFile(file, '{\n  "demo": {"subdomain": "demo", "ip": "100.64.0.7", "port": 0, "public": true}\n}')
    const failing = await untilStatus('file', 'failing')
    expect(failing).toMatchObject({ diagnosis: { code: 'REGISTRY_INVALID', transient: false } })
    if (failing.status !== 'failing') throw new Error('not failing')
    expect(failing.diagnosis.evidence.join()).toContain('2:')
    expect(failing.diagnosis.evidence.join()).toContain('$.demo.port')
    expect(await services()).toEqual({ demo: service() })
    await rm(file)
    await waitFor('the missing file', async () => {
      expect(await stateOf('file')).toMatchObject({ diagnosis: { code: 'REGISTRY_SOURCE_UNREACHABLE' } })
      return true
    })
    expect(await services()).toEqual({ demo: service() })
    await writeFile(file, textOf({ demo: service({ port: 81 }) }))
    await untilStatus('file', 'following')
    expect(await services()).toEqual({ demo: service({ port: 81 }) })
  })

  it('S1.33 that was cut to nothing takes no service away', async () => {
    const file = path('services.yaml')
    await writeFile(file, 'demo: {subdomain: demo, ip: 100.64.0.7, port: 80, public: true}\n')
    await start()
    await follow('file', file)
    await writeFile(file, '')
    await untilStatus('file', 'failing')
    expect(await services()).toEqual({ demo: service() })
  })

  it('F76 that takes away all it had brought is held until a person says that it is meant', async () => {
    await start()
    await writeFile(path('a.json'), textOf({ one: service(), two: service({ subdomain: 'two' }) }))
    const { id } = await follow('a', path('a.json'))
    await untilServices(['one', 'two'])
    await writeFile(path('a.json'), '{}')
    await untilStatus('a', 'failing')
    expect(await stateOf('a')).toMatchObject({
      diagnosis: { code: 'PRECONDITION_FAILED', evidence: ['takes away one', 'takes away two'] },
    })
    await engine.client.sources.refresh({ id })
    await untilServices(['one', 'two'])
    expect((await engine.client.sources.refresh({ id, acceptRemovals: true })).state.status).toBe('following')
    await untilServices([])
    const audit = await engine.client.audit.list({ limit: 20 })
    expect(audit.find(({ action }) => action === 'source.accept-removals')).toMatchObject({ subject: 'a' })
  })

  it('S1.33 that is a directory or no text is refused with a word', async () => {
    await start()
    await writeFile(path('latin1'), Buffer.from([0x7b, 0xe9, 0x7d]))
    expect((await follow('directory', directory)).state).toMatchObject({
      status: 'failing',
      diagnosis: { code: 'REGISTRY_SOURCE_REFUSED' },
    })
    expect((await follow('latin1', path('latin1'))).state).toMatchObject({
      status: 'failing',
      diagnosis: { code: 'REGISTRY_SOURCE_REFUSED' },
    })
    await expect(follow('twice', path('latin1'))).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('S1.28 is followed again after a restart; what changed meanwhile is saved, what did not is none', async () => {
    const file = path('services.json')
    await writeFile(file, textOf({ demo: service() }))
    await start()
    await follow('file', file)
    engine = await engine.restart()
    await untilStatus('file', 'following')
    expect(await engine.client.registry.history({ registry: 'services' })).toHaveLength(1)
    await writeFile(file, textOf({ demo: service({ port: 81 }) }))
    await waitFor('the second revision', async () => {
      expect(await engine.client.registry.history({ registry: 'services' })).toHaveLength(2)
      return true
    })
  })
})

describe('several sources of one registry', () => {
  it('S1F.7 each owns what it brought: its own changes, others and the console stay', async () => {
    const [one, two] = [path('one.json'), path('two.json')]
    await writeFile(one, textOf({ a: service({ subdomain: 'a' }), b: service({ subdomain: 'b' }) }))
    await writeFile(two, textOf({ c: service({ subdomain: 'c' }) }))
    await start()
    await engine.client.registry.save({
      registry: 'services',
      text: textOf({ mine: service({ subdomain: 'mine' }), a: service({ subdomain: 'a', port: 1 }) }),
      baseNumber: 0,
    })
    await follow('one', one)
    await follow('two', two)
    expect(Object.keys(await services())).toEqual(['mine', 'a', 'b', 'c'])
    await writeFile(one, textOf({ a: service({ subdomain: 'a', port: 2 }) }))
    await untilServices(['mine', 'a', 'c'])
    expect(await services()).toMatchObject({ a: { port: 2 } })
    const owners = await engine.client.registry.owners({ registry: 'services' })
    expect(owners.map(({ source, entries }) => [source, entries])).toEqual([
      ['one', ['a']],
      ['two', ['c']],
    ])
    expect(await engine.client.registry.owners({ registry: 'nodes' })).toEqual([])
  })

  it('S1F.7 what two of them claim is a mistake of the later one, and so is a subdomain that is taken', async () => {
    const [one, two] = [path('one.json'), path('two.json')]
    await writeFile(one, textOf({ a: service({ subdomain: 'a' }) }))
    await writeFile(two, textOf({ a: service({ subdomain: 'other' }) }))
    await start()
    await follow('one', one)
    const second = await follow('two', two)
    expect(second.state).toMatchObject({ status: 'failing', diagnosis: { code: 'REGISTRY_INVALID' } })
    expect(JSON.stringify(second.state)).toContain('one')
    await writeFile(two, textOf({ b: service({ subdomain: 'a', ip: '100.64.0.9' }) }))
    await waitFor('the clash', async () => {
      expect(JSON.stringify(await stateOf('two'))).toContain('belongs to \\"a\\" already')
      return true
    })
    expect(await services()).toEqual({ a: service({ subdomain: 'a' }) })
    await writeFile(two, textOf({ b: service({ subdomain: 'b' }) }))
    await untilServices(['a', 'b'])
  })

  it('S1F.7 S1F.6 what a source brought is changed there: the console says where, until the source is removed', async () => {
    const file = path('one.json')
    await writeFile(file, textOf({ a: service({ subdomain: 'a' }) }))
    await start()
    const { client } = engine
    const source = await follow('one', file)
    const save = (text: string, baseNumber: number) => client.registry.save({ registry: 'services', text, baseNumber })
    const mine = service({ subdomain: 'mine' })
    expect((await save(textOf({ a: service({ subdomain: 'a' }), mine }), 1)).status).toBe('saved')
    const changed = textOf({ a: service({ subdomain: 'a', port: 9 }), mine })
    await expect(save(changed, 2)).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      data: { data: { problems: [{ path: ['a'], message: expect.stringContaining(file) }] } },
    })
    expect(await client.registry.check({ registry: 'services', text: textOf({ mine }) })).toMatchObject({
      status: 'invalid',
      problems: [{ message: expect.stringContaining('"one"') }],
    })
    await writeFile(file, textOf({ a: service({ subdomain: 'a', port: 8 }) }))
    await client.sources.refresh({ id: source.id })
    await expect(client.registry.return({ registry: 'services', toNumber: 2 })).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining('"one"'),
    })
    await client.sources.remove({ id: source.id })
    expect(await client.sources.list()).toEqual([])
    expect((await save(changed, 3)).status).toBe('saved')
    await expect(client.sources.refresh({ id: source.id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('the webhook', () => {
  const call = (body: string, signature: string | null) =>
    engine.engine.webhook.receive({ body: Buffer.from(body), signature })
  const sign = (body: string, secret: string): string =>
    `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

  it('S1F.2 makes us look at once, for whoever knows the secret; it is off until somebody wants it', async () => {
    const inner = path('inner')
    await mkdir(inner)
    const file = join(inner, 'services.json')
    await writeFile(file, textOf({ demo: service() }))
    await start()
    const { client } = engine
    await follow('file', file)
    await expect(call('{}', sign('{}', ''))).rejects.toMatchObject({ code: 'WEBHOOK_REFUSED' })
    expect(await client.sources.webhook()).toEqual({ enabled: false, path: '/hooks/registry' })
    const { secret } = await client.sources.enableWebhook()
    // Where the watch sees nothing: the directory is another one.
    await rename(inner, path('old'))
    await mkdir(inner)
    await writeFile(file, textOf({ hooked: service() }))
    for (const signature of [null, '', 'sha256=00', sign('{}', 'x'), sign('other', secret)])
      await expect(call('{}', signature)).rejects.toMatchObject({ code: 'WEBHOOK_REFUSED' })
    await call('{}', sign('{}', secret))
    await untilServices(['hooked'])
    // Again: nothing new is found.
    await call('{}', sign('{}', secret))
    expect(await client.sources.webhook()).toEqual({ enabled: true, path: '/hooks/registry' })
    const second = await client.sources.enableWebhook()
    await expect(call('{}', sign('{}', secret))).rejects.toMatchObject({ code: 'WEBHOOK_REFUSED' })
    engine = await engine.restart()
    await call('{}', sign('{}', second.secret))
    await engine.client.sources.disableWebhook()
    await expect(call('{}', sign('{}', second.secret))).rejects.toMatchObject({ code: 'WEBHOOK_REFUSED' })
  })

  it('S1F.2 lets nobody call without end, and lets nobody without the secret use that up', async () => {
    await start()
    const { secret } = await engine.client.sources.enableWebhook()
    for (let wrong = 0; wrong < 100; wrong += 1)
      await expect(call('{}', sign('{}', 'x'))).rejects.toMatchObject({ code: 'WEBHOOK_REFUSED' })
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => call('{}', sign('{}', secret))))
    expect(results[0]?.status).toBe('fulfilled')
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0)
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'RATE_LIMITED' } })
  })
})
