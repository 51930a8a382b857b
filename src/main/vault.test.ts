import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPassphraseVault } from '../platform/keyVault.ts'
import { asSafeStorage, obtainVaultMaterial } from './vault.ts'

type Backend = 'basic_text' | 'gnome_libsecret'

/** A keyring that reverses text: what counts here is who calls it when. */
const keyring = (backend: Backend, platform: NodeJS.Platform = 'linux') =>
  asSafeStorage(
    {
      isAsyncEncryptionAvailable: async () => true,
      getSelectedStorageBackend: () => backend,
      encryptStringAsync: async (text) => Buffer.from([...text].reverse().join('')),
      decryptStringAsync: async (bytes) => ({
        result: [...bytes.toString()].reverse().join(''),
        shouldReEncrypt: false,
      }),
    },
    platform,
  )

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-vault-'))
  file = join(directory, 'vault.json')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describe('obtainVaultMaterial', () => {
  it('gives the same key each time the keyring opens', async () => {
    const first = await obtainVaultMaterial({ file, safeStorage: keyring('gnome_libsecret') })
    const second = await obtainVaultMaterial({ file, safeStorage: keyring('gnome_libsecret') })
    expect(first).toMatchObject({ kind: 'key' })
    expect(first.kind === 'key' && first.bytes.length).toBe(32)
    expect(second).toEqual(first)
  })

  it('refuses a keyring that writes plain text and asks for a passphrase instead', async () => {
    expect(await obtainVaultMaterial({ file, safeStorage: keyring('basic_text') })).toEqual({ kind: 'passphrase' })
  })

  it('does not offer a passphrase for keys that a real keyring has sealed', async () => {
    await obtainVaultMaterial({ file, safeStorage: keyring('gnome_libsecret') })
    expect(await obtainVaultMaterial({ file, safeStorage: keyring('basic_text') })).toMatchObject({
      kind: 'refused',
      error: { code: 'VAULT_BACKEND_REFUSED' },
    })
  })

  it('keeps the passphrase of a home that was made with one', async () => {
    const vault = createPassphraseVault({
      file,
      passphrase: async () => 'correct horse',
      scryptCost: { cost: 2, blockSize: 1, parallelization: 1 },
    })
    ;(await vault.unlock()).destroy()
    expect(await obtainVaultMaterial({ file, safeStorage: keyring('gnome_libsecret') })).toEqual({ kind: 'passphrase' })
  })

  it('asks for the name of the backend on Linux only', () => {
    expect(keyring('basic_text', 'darwin').getSelectedStorageBackend).toBeUndefined()
  })
})
