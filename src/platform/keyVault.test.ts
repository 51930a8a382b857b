import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../shared/errors.ts'
import {
  createPassphraseVault,
  createSafeStorageVault,
  createSystemdCredentialVault,
  KeyEncryptionKey,
  type KeyVault,
  readVaultKind,
  receivedKeyVault,
  type SafeStorage,
} from './keyVault.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-vault-'))
  file = join(directory, 'vault.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const cheap = { cost: 2 ** 10, blockSize: 8, parallelization: 1 }
const passphraseVault = (passphrase: string) =>
  createPassphraseVault({ file, passphrase: async () => passphrase, scryptCost: cheap })

async function sameKey(left: KeyVault, right: KeyVault): Promise<boolean> {
  const [first, second] = [await left.unlock(), await right.unlock()]
  const opened = second.open(first.seal(Buffer.from('proof'), 'context'), 'context')
  return opened.toString() === 'proof'
}

interface VaultJson {
  content: Record<string, unknown>
  digest: string
}
function edit(change: (json: VaultJson) => void): void {
  const json = JSON.parse(readFileSync(file, 'utf8')) as VaultJson
  change(json)
  writeFileSync(file, JSON.stringify(json))
}

describe('KeyEncryptionKey', () => {
  it('opens what it sealed, under the same context only, and never twice the same bytes', () => {
    const key = KeyEncryptionKey.generate()
    const plaintext = Buffer.from('secret')
    const sealed = key.seal(plaintext, 'ca/user')
    expect(key.open(sealed, 'ca/user').toString()).toBe('secret')
    expect(key.seal(plaintext, 'ca/user').equals(sealed)).toBe(false)
    expect(() => key.open(sealed, 'ca/host')).toThrow(expect.objectContaining({ code: 'VAULT_TAMPERED' }))
    expect(() => KeyEncryptionKey.generate().open(sealed, 'ca/user')).toThrow(AppError)
    expect(key.open(key.seal(Buffer.alloc(0), ''), '')).toHaveLength(0)
  })

  it('notices every flipped bit and every cut', () => {
    const key = KeyEncryptionKey.generate()
    const sealed = key.seal(Buffer.from('secret'), 'context')
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => key.open(changed, 'context')).toThrow(expect.objectContaining({ code: 'VAULT_TAMPERED' }))
      expect(() => key.open(sealed.subarray(0, index), 'context')).toThrow(
        expect.objectContaining({ code: 'VAULT_TAMPERED' }),
      )
    }
  })

  it('cannot be printed, and is gone once destroyed', () => {
    const bytes = randomBytes(32)
    const key = new KeyEncryptionKey(bytes)
    const printed = [
      String(key),
      JSON.stringify({ key }),
      inspect({ key }, { depth: 9, showHidden: true }),
      `${key}`,
    ].join()
    expect(printed).not.toContain(bytes.toString('hex').slice(0, 8))
    expect(printed.match(/\[key\]/g)).toHaveLength(4)
    expect(Object.getOwnPropertyNames(key)).toEqual([])
    key.destroy()
    expect(() => key.seal(bytes, 'x')).toThrow(expect.objectContaining({ code: 'VAULT_LOCKED' }))
    expect(() => key.copyForHandover()).toThrow(expect.objectContaining({ code: 'VAULT_LOCKED' }))
  })
})

describe('passphrase vault', () => {
  it('makes a key once, private on disk, and gives the same one back', async () => {
    expect(await readVaultKind(file)).toBeUndefined()
    expect(await sameKey(passphraseVault('correct horse'), passphraseVault('correct horse'))).toBe(true)
    expect(await readVaultKind(file)).toBe('passphrase')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['vault.json'])
  })

  it('asks to create first and to unlock afterwards, once each', async () => {
    const asked: string[] = []
    const passphrase = async (purpose: string) => {
      asked.push(purpose)
      return 'correct horse'
    }
    const vault = createPassphraseVault({ file, passphrase, scryptCost: cheap })
    await vault.unlock()
    await vault.unlock()
    expect(asked).toEqual(['create', 'unlock'])
  })

  it('refuses a wrong passphrase and a short new one, and writes neither into the error', async () => {
    const short = passphraseVault('short')
    await expect(short.unlock()).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(existsSync(file)).toBe(false)
    await passphraseVault('correct horse').unlock()
    const error = await passphraseVault('wrong canary')
      .unlock()
      .catch((thrown: AppError) => thrown)
    expect(error).toMatchObject({ code: 'VAULT_PASSPHRASE_WRONG' })
    expect(inspect(error)).not.toContain('canary')
  })

  it('accepts the same words composed another way', async () => {
    await passphraseVault('caf\u00e9 creme').unlock()
    await expect(passphraseVault('cafe\u0301 creme').unlock()).resolves.toBeDefined()
  })

  it('notices a damaged file, and one whose sealed key was changed by somebody who fixed the digest', async () => {
    const vault = passphraseVault('correct horse')
    await vault.unlock()
    const original = readFileSync(file, 'utf8')
    for (const damaged of [original.slice(0, 100), '', original.replace('"version": 1', '"version": 2'), '{}']) {
      writeFileSync(file, damaged)
      await expect(vault.unlock()).rejects.toMatchObject({ code: 'VAULT_TAMPERED' })
      expect(readFileSync(file, 'utf8')).toBe(damaged)
    }
    writeFileSync(file, original)
    const { createHash } = await import('node:crypto')
    edit((json) => {
      json.content.sealedKey = randomBytes(61).toString('base64')
      json.digest = createHash('sha256').update(JSON.stringify(json.content)).digest('base64')
    })
    await expect(vault.unlock()).rejects.toMatchObject({ code: 'VAULT_TAMPERED' })
  })

  it('changes the passphrase and keeps the key', async () => {
    const before = passphraseVault('correct horse')
    const sealed = (await before.unlock()).seal(Buffer.from('kept'), 'c')
    await expect(before.changePassphrase('wrong horse', 'battery staple')).rejects.toMatchObject({
      code: 'VAULT_PASSPHRASE_WRONG',
    })
    await before.changePassphrase('correct horse', 'battery staple')
    expect((await passphraseVault('battery staple').unlock()).open(sealed, 'c').toString()).toBe('kept')
    await expect(before.unlock()).rejects.toMatchObject({ code: 'VAULT_PASSPHRASE_WRONG' })
  })

  it('gives all of several first unlocks at once the same key', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => passphraseVault('correct horse').unlock()))
    expect(new Set(keys.map((key) => key.checkValue())).size).toBe(1)
  })

  it('works at the production cost', async () => {
    const vault = createPassphraseVault({ file, passphrase: async () => 'correct horse' })
    expect(await sameKey(vault, vault)).toBe(true)
    expect(readFileSync(file, 'utf8')).toContain('"cost": 131072')
  })
})

describe('systemd credential vault', () => {
  const vault = (credentialsDirectory: string | undefined = directory) =>
    createSystemdCredentialVault({ file, credentialsDirectory })
  const credential = () => join(directory, 'lockstep-vault-key')

  it('takes 32 raw bytes or 64 digits of the same key', async () => {
    const bytes = randomBytes(32)
    writeFileSync(credential(), bytes)
    const key = await vault().unlock()
    writeFileSync(credential(), `${bytes.toString('hex')}\n`)
    expect((await vault().unlock()).matches(key.checkValue())).toBe(true)
    expect(readFileSync(file, 'utf8')).not.toContain(bytes.toString('base64'))
  })

  it('refuses a credential that this home was not made with', async () => {
    writeFileSync(credential(), randomBytes(32))
    await vault().unlock()
    writeFileSync(credential(), randomBytes(32))
    await expect(vault().unlock()).rejects.toMatchObject({ code: 'VAULT_TAMPERED' })
  })

  it('is locked without a credential or with one of another size', async () => {
    await expect(
      createSystemdCredentialVault({ file, credentialsDirectory: undefined }).unlock(),
    ).rejects.toMatchObject({
      code: 'VAULT_LOCKED',
    })
    await expect(vault().unlock()).rejects.toMatchObject({ code: 'VAULT_LOCKED' })
    writeFileSync(credential(), 'too short')
    await expect(vault().unlock()).rejects.toMatchObject({ code: 'VAULT_LOCKED' })
    expect(existsSync(file)).toBe(false)
  })

  it('is refused in a home that was made with a passphrase, and leaves the vault alone', async () => {
    await passphraseVault('correct horse').unlock()
    const before = readFileSync(file, 'utf8')
    writeFileSync(credential(), randomBytes(32))
    await expect(vault().unlock()).rejects.toMatchObject({
      code: 'VAULT_BACKEND_REFUSED',
      data: { expected: 'passphrase' },
    })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })
})

/** A keyring in the shape of Electron's, with a key of its own. */
class FakeSafeStorage implements SafeStorage {
  readonly #keyring = KeyEncryptionKey.generate()
  available = true
  backend = 'gnome_libsecret'
  isEncryptionAvailable(): boolean {
    return this.available
  }
  getSelectedStorageBackend(): string {
    return this.backend
  }
  encryptString(plaintext: string): Buffer {
    return this.#keyring.seal(Buffer.from(plaintext), 'keyring')
  }
  async decryptString(encrypted: Buffer): Promise<string> {
    return this.#keyring.open(encrypted, 'keyring').toString()
  }
}

describe('safe storage vault', () => {
  it('gives the same key back as long as the keyring is the same', async () => {
    const safeStorage = new FakeSafeStorage()
    const vault = createSafeStorageVault({ file, safeStorage })
    expect(await sameKey(vault, createSafeStorageVault({ file, safeStorage }))).toBe(true)
    const otherKeyring = createSafeStorageVault({ file, safeStorage: new FakeSafeStorage() })
    await expect(otherKeyring.unlock()).rejects.toMatchObject({ code: 'VAULT_LOCKED' })
  })

  it('refuses basic_text and a missing keyring, and writes nothing', async () => {
    const safeStorage = new FakeSafeStorage()
    safeStorage.backend = 'basic_text'
    await expect(createSafeStorageVault({ file, safeStorage }).unlock()).rejects.toMatchObject({
      code: 'VAULT_BACKEND_REFUSED',
    })
    safeStorage.backend = 'kwallet6'
    safeStorage.available = false
    await expect(createSafeStorageVault({ file, safeStorage }).unlock()).rejects.toMatchObject({
      code: 'VAULT_BACKEND_REFUSED',
    })
    expect(existsSync(file)).toBe(false)
  })
})

describe('received key', () => {
  it('wipes what it was given and keeps working after a key it gave was destroyed', async () => {
    const bytes = randomBytes(32)
    const vault = receivedKeyVault(bytes)
    expect(bytes.equals(Buffer.alloc(32))).toBe(true)
    const first = await vault.unlock()
    const sealed = first.seal(Buffer.from('x'), 'c')
    first.destroy()
    expect((await vault.unlock()).open(sealed, 'c').toString()).toBe('x')
  })
})
