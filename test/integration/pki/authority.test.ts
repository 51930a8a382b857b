import { access, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AuthorityKeys, createAuthorities } from '../../../src/engine/pki/authorities.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { KeyEncryptionKey } from '../../../src/platform/keyVault/keyEncryptionKey.ts'
import type { KeyVault } from '../../../src/platform/keyVault/keyVaultPort.ts'
import { toAppError } from '../../../src/shared/errors.ts'
import { createSigningStore, memoryVault, type SigningStore } from '../../support/trust.ts'

describe('the embedded user authority', () => {
  let keysDirectory: string
  let vault: KeyVault
  let store: SigningStore

  const authority = (over: { readonly vault?: KeyVault } = {}): AuthorityKeys =>
    createAuthorities({ keysDirectory, vault, clock: systemClock, store, ...over })
  const keyFile = (): string => join(keysDirectory, 'user-ca.json')
  const failureOf = (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
    promise.then(
      () => ({ code: 'none', message: '' }),
      (error: unknown) => toAppError(error),
    )

  beforeEach(async () => {
    keysDirectory = await mkdtemp(join(tmpdir(), 'lockstep-keys-'))
    vault = memoryVault()
    store = createSigningStore()
  })
  afterEach(() => rm(keysDirectory, { recursive: true, force: true }))

  it('S0.16 S0.17 is an Ed25519 key, made on first use, exported for the nodes, and the same ever after', async () => {
    const first = await authority().describeUser()
    expect(first.publicKey).toMatch(/^ssh-ed25519 AAAA\S+ lockstep-user-ca$/)
    expect(await readFile(join(keysDirectory, 'trusted_user_ca.pub'), 'utf8')).toBe(`${first.publicKey}\n`)
    expect(await authority().describeUser()).toEqual(first)
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600)
    expect(store.audit.map((row) => row.action)).toEqual(['authority.create'])
  })

  it('two engines that start at once use one key', async () => {
    const described = await Promise.all(Array.from({ length: 8 }, () => authority().describeUser()))
    expect(new Set(described.map((one) => one.fingerprint)).size).toBe(1)
  })

  it('writes nothing when the creation cannot be audited', async () => {
    store.failAt = 'appendAudit'
    await expect(authority().describeUser()).rejects.toThrow('disk full')
    expect(await readdir(keysDirectory)).toEqual([])
  })

  it('restores the exported public key, but never replaces a lost private one', async () => {
    const first = await authority().describeUser()
    await rm(join(keysDirectory, 'trusted_user_ca.pub'))
    expect((await authority().describeUser()).fingerprint).toBe(first.fingerprint)
    await access(join(keysDirectory, 'trusted_user_ca.pub'))
    await rm(keyFile())
    expect(await failureOf(authority().describeUser())).toMatchObject({
      code: 'VAULT_TAMPERED',
      message: expect.stringContaining('backup'),
    })
    expect(await readdir(keysDirectory)).toEqual(['trusted_user_ca.pub'])
  })

  it('names a damaged file, a changed seal, an exchanged public key and a wrong vault', async () => {
    await authority().describeUser()
    const good = await readFile(keyFile(), 'utf8')
    const parsed = JSON.parse(good) as { publicKey: string; sealedKey: string }
    const sealed = Buffer.from(parsed.sealedKey, 'base64')
    sealed[40] = (sealed[40] ?? 0) ^ 1
    const otherDirectory = await mkdtemp(join(tmpdir(), 'lockstep-keys-'))
    const other = createAuthorities({
      keysDirectory: otherDirectory,
      vault,
      clock: systemClock,
      store: createSigningStore(),
    })
    const otherPublicKey = (await other.describeUser()).publicKey
    await rm(otherDirectory, { recursive: true })
    const variants = [
      good.slice(0, 100),
      '{}',
      JSON.stringify({ ...parsed, sealedKey: sealed.toString('base64') }),
      JSON.stringify({ ...parsed, publicKey: otherPublicKey }),
      JSON.stringify({ ...parsed, publicKey: 'ssh-ed25519 nonsense' }),
    ]
    for (const content of variants) {
      await writeFile(keyFile(), content)
      expect((await failureOf(authority().sshSigner('ssh-user'))).code).toBe('VAULT_TAMPERED')
      expect(await readFile(keyFile(), 'utf8')).toBe(content)
    }
    await writeFile(keyFile(), good)
    expect((await failureOf(authority({ vault: memoryVault() }).sshSigner('ssh-user'))).code).toBe('VAULT_TAMPERED')
  })

  it('tries again after a vault that was locked', async () => {
    let locked = true
    const key = KeyEncryptionKey.generate().copyForHandover()
    const sometimes: KeyVault = {
      kind: 'passphrase',
      describe: () => 'test',
      unlock: async () => {
        if (locked) throw Object.assign(new Error('locked'), { code: 'VAULT_LOCKED' })
        return new KeyEncryptionKey(key)
      },
    }
    const made = authority({ vault: sometimes })
    await expect(made.describeUser()).rejects.toThrow('locked')
    locked = false
    expect((await made.describeUser()).fingerprint).toMatch(/^SHA256:/)
  })

  it('the key is in no file in the clear, and in nothing that can be printed', async () => {
    const made = authority()
    const unlocked = await made.sshSigner('ssh-user')
    const file = JSON.parse(await readFile(keyFile(), 'utf8')) as { sealedKey: string; publicKey: string }
    const key = await vault.unlock()
    const pkcs8 = key.open(Buffer.from(file.sealedKey, 'base64'), `ca/ssh-user/${unlocked.fingerprint}`)
    const seed = pkcs8.subarray(-32)
    const canaries = [
      seed.toString('hex'),
      seed.toString('base64').slice(0, 40),
      pkcs8.toString('base64').slice(20, 60),
    ]
    const shown = [
      inspect(made, { depth: 9 }),
      inspect(unlocked, { depth: 9, showHidden: true }),
      JSON.stringify(unlocked),
      JSON.stringify(store.audit),
      JSON.stringify(await made.describeUser()),
    ]
    for (const name of await readdir(keysDirectory)) {
      const bytes = await readFile(join(keysDirectory, name))
      expect(bytes.includes(seed)).toBe(false)
      shown.push(bytes.toString('latin1'))
    }
    for (const text of shown) for (const canary of canaries) expect(text.includes(canary)).toBe(false)
  })
})
