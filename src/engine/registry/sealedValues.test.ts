import { describe, expect, it } from 'vitest'
import { createSigningStore, memoryVault } from '../../../test/support/trust.ts'
import { type RegistryEntries, readEntries, showEntries } from '../../core/registry/registryEntries.ts'
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
      `s1.${password?.[1]}.${token?.[2]}`,
      `s1.${password?.[1]}.${password?.[2]?.slice(0, -2)}`,
      JSON.parse(text(elsewhere.content)).demo.password.$sealed,
      'x',
      '',
    ]
    for (const envelope of forged) {
      const { mistakes } = await values.seal(contentOf({ password: { $sealed: envelope } }), [])
      expect(mistakes, envelope).toMatchObject([{ path: ['demo', 'password'] }])
    }
    const moved = await values.seal(contentOf({ secret: { $sealed: sealed.token.$sealed } }), [])
    expect(moved.mistakes).toEqual([])
    const bared = await values.seal(contentOf({ note: { $sealed: sealed.token.$sealed } }), [])
    expect(bared.mistakes).toMatchObject([{ path: ['demo', 'note'] }])
  })
})
