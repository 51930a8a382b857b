import { hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSigningStore, memoryVault } from '../../../test/support/trust.ts'
import { type RegistryEntries, readEntries, showEntries } from '../../core/registry/registryEntries.ts'
import { KeyEncryptionKey } from '../../platform/keyVault.ts'
import { AppError } from '../../shared/errors.ts'
import type { Store } from '../ports.ts'
import { comparable, createSealedValues, type ValueVault } from './sealedValues.ts'

const demo = { subdomain: 'demo', ip: '10.0.0.1', port: 80, public: true }

function contentOf(fields: Readonly<Record<string, unknown>>): RegistryEntries {
  const read = readEntries('services', JSON.stringify({ demo: { ...demo, ...fields } }))
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join())
  return read.content
}

/** A vault of a test that somebody can shut. */
function shuttableVault() {
  const keys = memoryVault()
  const state = { shut: false, asked: 0 }
  const opened = async () => {
    state.asked += 1
    if (state.shut) throw new AppError('VAULT_LOCKED', 'shut')
    return keys.unlock()
  }
  const vault: ValueVault = {
    seal: async (secret, context) => (await opened()).seal(secret, context).toString('base64'),
    unseal: async (sealed, context) => (await opened()).open(Buffer.from(sealed, 'base64'), context),
  }
  return { vault, state }
}

const valuesOn = (store: Pick<Store, 'getSetting' | 'transact'>, vault: ValueVault) =>
  createSealedValues({ store, vault })
const text = (content: RegistryEntries): string => showEntries(content, 'json')

describe('sealed values', () => {
  it('S1F.8 are opened as they were written, to the digit, by another engine on the same home', async () => {
    const { vault } = shuttableVault()
    const store = createSigningStore()
    const content = contentOf({ password: 'hidden', nested: { api_key: [1, 'x', { a: null }] }, note: 'plain' })
    const { content: sealed, mistakes } = await valuesOn(store, vault).seal(content, [])
    expect(mistakes).toEqual([])
    expect(text(sealed)).not.toContain('hidden')
    expect(text(await valuesOn(store, vault).open(sealed))).toBe(text(content))
  })

  it('S1F.8 have the same mark for the same value, and keep the envelope that is known', async () => {
    const { vault } = shuttableVault()
    const values = valuesOn(createSigningStore(), vault)
    const [one, again, other] = [{ password: 'a' }, { password: 'a' }, { password: 'b' }].map(contentOf) as [
      RegistryEntries,
      RegistryEntries,
      RegistryEntries,
    ]
    const first = (await values.seal(one, [])).content
    expect(text((await values.seal(again, [first])).content)).toBe(text(first))
    const apart = (await values.seal(again, [])).content
    expect(text(apart)).not.toBe(text(first))
    expect(text(comparable(apart))).toBe(text(comparable(first)))
    expect(text(comparable((await values.seal(other, [first])).content))).not.toBe(text(comparable(first)))
  })

  it('S1F.8 need the vault only for what is new; a vault that was shut is asked again', async () => {
    const { vault, state } = shuttableVault()
    const store = createSigningStore()
    const { content: sealed } = await valuesOn(store, vault).seal(contentOf({ password: 'a' }), [])
    state.shut = true
    state.asked = 0
    const values = valuesOn(store, vault)
    expect((await values.seal(sealed, [sealed])).mistakes).toEqual([])
    expect((await values.seal(contentOf({ note: 'plain' }), [sealed])).mistakes).toEqual([])
    expect(state.asked).toBe(0)
    await expect(values.seal(contentOf({ password: 'b' }), [sealed])).rejects.toMatchObject({ code: 'VAULT_LOCKED' })
    state.shut = false
    expect((await values.seal(contentOf({ password: 'b' }), [sealed])).mistakes).toEqual([])
  })

  it('S1F.8 are refused when they were sealed elsewhere, changed, or given the mark of another value', async () => {
    const { vault } = shuttableVault()
    const store = createSigningStore()
    const values = valuesOn(store, vault)
    const sealed = JSON.parse(text((await values.seal(contentOf({ password: 'a', token: 'b' }), [])).content)).demo
    const [password, token] = [sealed.password.$sealed, sealed.token.$sealed].map((envelope: string) =>
      envelope.split('.'),
    )
    const elsewhere = await valuesOn(createSigningStore(), shuttableVault().vault).seal(
      contentOf({ password: 'a' }),
      [],
    )
    const forged = [
      `s2.${password?.[1]}.${token?.[2]}`,
      `s2.${password?.[1]}.${password?.[2]?.slice(0, -2)}`,
      `s1.${password?.[1]}.${password?.[2]}`,
      JSON.parse(text(elsewhere.content)).demo.password.$sealed,
      'x',
      '',
    ]
    for (const envelope of forged) {
      const { mistakes } = await values.seal(contentOf({ password: { $sealed: envelope } }), [])
      expect(mistakes, envelope).toMatchObject([{ path: ['demo', 'password'] }])
    }
    const bared = await values.seal(contentOf({ note: { $sealed: sealed.token.$sealed } }), [])
    expect(bared.mistakes).toMatchObject([{ path: ['demo', 'note'] }])
  })

  const inEntries = (entries: Readonly<Record<string, object>>): RegistryEntries => {
    const named = Object.entries(entries).map(([name, fields]) => [name, { ...demo, subdomain: name, ...fields }])
    const read = readEntries('services', JSON.stringify(Object.fromEntries(named)))
    if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join())
    return read.content
  }

  it('S1F.8 are bound to their entry and field: copied, moved or renamed they do not open', async () => {
    const { vault } = shuttableVault()
    const values = valuesOn(createSigningStore(), vault)
    const { content } = await values.seal(inEntries({ one: { password: 'a', list: [{ token: 'b' }] } }), [])
    const { one } = JSON.parse(text(content))
    const at = async (entries: Readonly<Record<string, object>>) =>
      (await values.seal(inEntries(entries), [content])).mistakes.map(({ path }) => path.join('.'))
    expect(await at({ one: { password: one.password }, two: { password: one.password } })).toEqual(['two.password'])
    expect(await at({ two: { password: one.password } })).toEqual(['two.password'])
    expect(await at({ one: { secret: one.password } })).toEqual(['one.secret'])
    expect(await at({ one: { list: [{ token: one.password }] } })).toEqual(['one.list.0.token'])
    // The same place, wherever in its list it stands now.
    expect(await at({ new: {}, one: { list: [{ x: 1 }, { token: one.list[0].token }] } })).toEqual([])
    expect(text(await values.open(content))).toContain('"password": "a"')
    const swapped = inEntries({ one: { password: one.list[0].token } })
    await expect(values.open(swapped)).rejects.toMatchObject({ code: 'VAULT_TAMPERED' })
  })

  it('S1F.8 of nodes keep their binding when others come before them, and lose it under another name', async () => {
    const { vault } = shuttableVault()
    const values = valuesOn(createSigningStore(), vault)
    const nodes = (list: readonly object[]): RegistryEntries => {
      const read = readEntries('nodes', JSON.stringify({ management_laptops: [], vps_nodes: list, worker_nodes: [] }))
      if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join())
      return read.content
    }
    const edge = {
      ip: '10.0.0.1',
      name: 'edge',
      ssh_user: 'root',
      status: 'active',
      last_sync: null,
      last_attempt: null,
    }
    const { content } = await values.seal(nodes([{ ...edge, password: 'a' }]), [])
    const [{ password }] = JSON.parse(text(content)).vps_nodes
    const first = { ...edge, name: 'first', ip: '10.0.0.2' }
    expect((await values.seal(nodes([first, { ...edge, password }]), [])).mistakes).toEqual([])
    expect((await values.seal(nodes([{ ...first, password }, edge]), [])).mistakes).toMatchObject([
      { path: ['vps_nodes', 0, 'password'] },
    ])
  })

  it('S1F.8 of earlier versions count only where they are stored, and are bound by the next save that opens the vault', async () => {
    const { vault, state } = shuttableVault()
    const store = createSigningStore()
    const values = valuesOn(store, vault)
    const { content: fresh } = await values.seal(contentOf({ password: 'a' }), [])
    const [, mark = ''] = JSON.parse(text(fresh)).demo.password.$sealed.split('.')
    const old = `s1.${mark}.${await sealedAsBefore(store, vault, '"a"')}`
    const stored = contentOf({ password: { $sealed: old } })
    expect(text(await values.open(stored))).toBe(text(contentOf({ password: 'a' })))
    expect(text(comparable(stored))).toBe(text(comparable(fresh)))
    // Nowhere else, although the vault is open and the key is the right one.
    expect((await values.seal(stored, [])).mistakes).toMatchObject([{ path: ['demo', 'password'] }])
    const copied = contentOf({ password: { $sealed: old }, token: { $sealed: old } })
    expect((await values.seal(copied, [stored])).mistakes).toMatchObject([{ path: ['demo', 'token'] }])
    // A shut vault keeps it as it is.
    state.shut = true
    expect(text((await valuesOn(store, vault).seal(stored, [stored])).content)).toBe(text(stored))
    state.shut = false
    const withNew = contentOf({ password: { $sealed: old }, token: 'b' })
    const next = (await values.seal(withNew, [stored])).content
    expect(JSON.parse(text(next)).demo.password.$sealed).toMatch(/^s2\./)
    expect(text(await values.open(next))).toBe(text(contentOf({ password: 'a', token: 'b' })))
  })
})

/** As earlier versions did: no word of the place in what is authenticated. */
async function sealedAsBefore(store: Pick<Store, 'getSetting'>, vault: ValueVault, json: string): Promise<string> {
  const key = await vault.unseal((await store.getSetting('registry.value-key')) ?? '', 'registry/value-key')
  const derived = Buffer.from(hkdfSync('sha256', key, '', 'lockstep registry seal', 32))
  return new KeyEncryptionKey(derived).seal(Buffer.from(json), 'registry/value').toString('base64url')
}
