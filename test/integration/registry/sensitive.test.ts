import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineEvent } from '../../../src/shared/model/event.ts'
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

const canary = 'canary-7f3a91c2'
const demo = { subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true }
const withSecrets = (mark: string) => ({
  demo: { ...demo, db_password: `${canary}-${mark}`, nested: { list: [{ apiKey: `${canary}-key` }] }, note: 'plain' },
  token: { ...demo, subdomain: 'token', ip: '100.64.0.8', credentials: { user: 'x', secret: `${canary}-deep` } },
})
const textOf = (mark: string): string => JSON.stringify(withSecrets(mark))

/** Everything that lies in the home, as one text. */
async function homeBytes(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')))
  return texts.join('\n')
}

async function eventsOf(engine: TestEngine): Promise<EngineEvent[]> {
  const events: EngineEvent[] = []
  for await (const message of await engine.client.system.watch({ afterSeq: 0 })) {
    if (message.kind === 'event') events.push(message.event)
    if (message.kind === 'live') return events
  }
  return events
}

describe('sensitive values of a registry', () => {
  it('S1F.8 lie nowhere in the clear: not in the home, the log, events, the audit, answers, diffs or exports', async () => {
    const engine = await start()
    const { client } = engine
    const answers: unknown[] = []
    const say = async <T>(answer: Promise<T>): Promise<T> => {
      const value = await answer.catch((error: unknown) => ({ error: JSON.stringify(error), text: String(error) }) as T)
      answers.push(value)
      return value
    }
    await say(client.registry.check({ registry: 'services', text: textOf('one') }))
    await say(client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 }))
    await say(client.registry.save({ registry: 'services', text: textOf('two'), baseNumber: 1 }))
    await say(client.registry.save({ registry: 'services', text: textOf('three'), baseNumber: 1 }))
    await say(client.registry.save({ registry: 'services', text: textOf('bad').replace('80', '"80"'), baseNumber: 2 }))
    await say(client.registry.save({ registry: 'services', text: `demo:\n  password: *${canary}\n`, baseNumber: 2 }))
    await say(client.registry.save({ registry: 'services', text: `demo:\n  password: "${canary}\n`, baseNumber: 2 }))
    await say(client.registry.save({ registry: 'services', text: `demo:\n  password: @${canary}\n`, baseNumber: 2 }))
    await say(client.registry.save({ registry: 'services', text: `demo:\n  password: !${canary} x\n`, baseNumber: 2 }))
    await say(client.registry.check({ registry: 'services', text: textOf('four') }))
    await say(client.registry.compare({ registry: 'services', from: 1, to: 2 }))
    await say(client.registry.get({ registry: 'services', format: 'json' }))
    await say(client.registry.get({ registry: 'services', format: 'yaml' }))
    await say(client.registry.export({ registry: 'services' }))
    await say(client.registry.export({ registry: 'services', passphrase: 'correct horse' }))
    await say(client.registry.return({ registry: 'services', toNumber: 1 }))
    answers.push(await client.audit.list({ limit: 100 }), await eventsOf(engine), engine.logLines)
    expect(await client.registry.history({ registry: 'services' })).toHaveLength(3)
    expect(JSON.stringify(answers)).not.toContain(canary)
    const bytes = await homeBytes(engine.home.home)
    expect(bytes).not.toContain(canary)
    // What is not sensitive lies there as it is: this looks in the right place.
    expect(bytes).toContain('"note":"plain"')
  })

  it('S1F.8 show as changed, never as themselves; the same value again is no change', async () => {
    const { client } = await start()
    await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    const same = await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 1 })
    expect(same.status).toBe('unchanged')
    const check = await client.registry.check({ registry: 'services', text: textOf('two') })
    if (check.status !== 'valid') throw new Error('not valid')
    expect(check.changes.map(({ name, fields }) => [name, fields.map(({ field }) => field)])).toEqual([
      ['demo', ['db_password']],
    ])
  })

  it('S1F.8 come back unharmed in their envelopes; one that is forged, or stands at another entry, is refused', async () => {
    const { client } = await start()
    await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    const text = (await client.registry.get({ registry: 'services' }))?.text ?? ''
    const services = JSON.parse(text)
    expect(services.demo.db_password).toEqual({ $sealed: expect.stringMatching(/^s2\./) })
    expect(services.demo.nested.list[0].apiKey).toEqual({ $sealed: expect.any(String) })
    expect(services.token.credentials).toEqual({ $sealed: expect.any(String) })
    expect(services.demo.note).toBe('plain')
    services.demo.port = 81
    const saved = await client.registry.save({ registry: 'services', text: JSON.stringify(services), baseNumber: 1 })
    expect(saved.status).toBe('saved')
    const exported = await client.registry.export({ registry: 'services', passphrase: 'correct horse' })
    expect(exported).toMatchObject({ sealedValues: 3, leftOut: 0 })
    const forged = {
      ...services,
      demo: { ...services.demo, db_password: { $sealed: `${services.demo.db_password.$sealed.slice(0, -4)}AAAA` } },
    }
    const beside = { ...services, demo: { ...services.demo, db_password: { $sealed: 'x', y: 1 } } }
    const swapped = { ...services, demo: { ...services.demo, db_password: services.token.credentials } }
    for (const bad of [forged, beside, swapped])
      expect(await client.registry.check({ registry: 'services', text: JSON.stringify(bad) })).toMatchObject({
        status: 'invalid',
        problems: [{ path: ['demo', 'db_password'] }],
      })
  })

  it('S1F.8 go to another engine with a passphrase, and stay behind without one', async () => {
    const first = await start()
    await first.client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    const bare = await first.client.registry.export({ registry: 'services' })
    expect(bare).toMatchObject({ sealedValues: 0, leftOut: 3 })
    expect(JSON.parse(bare.text).demo).toEqual({ ...demo, nested: { list: [{}] }, note: 'plain' })
    const sealed = await first.client.registry.export({ registry: 'services', passphrase: 'correct horse' })
    await first.dispose()

    const { client } = await start()
    const order = { registry: 'services', text: sealed.text, baseNumber: 0 } as const
    await expect(client.registry.save(order)).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining('passphrase'),
    })
    await expect(client.registry.import({ ...order, passphrase: 'wrong horse' })).rejects.toMatchObject({
      code: 'VAULT_PASSPHRASE_WRONG',
    })
    const imported = await client.registry.import({ ...order, passphrase: 'correct horse' })
    expect(imported).toMatchObject({ status: 'saved', revision: { entries: 2 } })
    // Nobody on the way gives one entry the value of another.
    const outside = JSON.parse(sealed.text)
    outside.demo.db_password = outside.token.credentials
    await expect(
      client.registry.import({ ...order, text: JSON.stringify(outside), baseNumber: 1, passphrase: 'correct horse' }),
    ).rejects.toMatchObject({ code: 'VAULT_PASSPHRASE_WRONG', message: expect.stringContaining('another entry') })
    // The values themselves arrived: what was written there in the clear is what is here.
    expect((await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 1 })).status).toBe(
      'unchanged',
    )
  })

  it('S1F.8 a text that began with an older revision is a conflict, not a mistake, when a value was changed meanwhile', async () => {
    const { client } = await start()
    await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    const older = (await client.registry.get({ registry: 'services' }))?.text ?? ''
    await client.registry.save({ registry: 'services', text: textOf('two'), baseNumber: 1 })
    const changed = JSON.parse(older)
    changed.demo.port = 81
    const save = await client.registry.save({ registry: 'services', text: JSON.stringify(changed), baseNumber: 1 })
    expect(save.status).toBe('conflict')
  })

  it('S1F.8 an envelope under a key that is not sensitive is refused: an export, or an import, would show what is in it', async () => {
    const { client } = await start()
    await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    const { demo: sealed } = JSON.parse((await client.registry.get({ registry: 'services' }))?.text ?? '{}')
    for (const moved of [{ note: sealed.db_password }, { notes: [sealed.db_password] }]) {
      const text = JSON.stringify({ demo: { ...sealed, ...moved } })
      expect(await client.registry.check({ registry: 'services', text })).toMatchObject({
        status: 'invalid',
        problems: [{ message: expect.stringContaining('not sensitive') }],
      })
    }
    const exported = await client.registry.export({ registry: 'services', passphrase: 'correct horse' })
    const outside = JSON.parse(exported.text)
    const text = JSON.stringify({ demo: { ...outside.demo, note: outside.demo.db_password } })
    const order = { registry: 'services', text, baseNumber: 1, passphrase: 'correct horse' } as const
    await expect(client.registry.import(order)).rejects.toMatchObject({ code: 'REGISTRY_INVALID' })
  })

  it('S1F.8 who took sensitive values along is in the audit, with how many', async () => {
    const { client } = await start()
    await client.registry.save({ registry: 'services', text: textOf('one'), baseNumber: 0 })
    await client.registry.export({ registry: 'services' })
    await client.registry.export({ registry: 'services', passphrase: 'correct horse' })
    const { rows } = await client.audit.list({ limit: 100 }).then((list) => ({ rows: JSON.stringify(list) }))
    expect(rows.split('registry.export').length - 1).toBe(1)
    expect(rows).toContain('"sealedValues":3')
    expect(rows).not.toContain('correct horse')
  })
})
