import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { Clock } from '../../platform/clock.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import { AppError } from '../../shared/errors.ts'
import { damaged, keyFileAccess, missing, type StoredKey } from './keyFile.ts'
import type { KeyFormat } from './keyFormats.ts'
import { seal, unseal } from './sealing.ts'

/** One key of an authority as everybody may know it. */
export interface Generation {
  readonly fingerprint: string
  /** OpenSSH line or PEM certificate. */
  readonly publicKey: string
  readonly createdAt: number
  readonly sealedBy: string
}

interface RingDependencies {
  readonly keysDirectory: string
  readonly vault: KeyVault
  readonly clock: Pick<Clock, 'nowMs'>
}

type Held = Generation & { readonly stored: StoredKey }

/**
 * The keys of one authority, oldest first: one, or two while one takes the place of the other. Which of them counts is
 * decided elsewhere. Nobody but this process changes the file (the home is locked), so it is read once.
 */
export class KeyRing {
  readonly format: KeyFormat
  readonly #dependencies: RingDependencies
  readonly #file: ReturnType<typeof keyFileAccess>
  readonly #privateKeys = new Map<string, Promise<KeyObject>>()
  #held: readonly Held[] | null = null
  #handedOut = ''

  constructor(format: KeyFormat, dependencies: RingDependencies) {
    this.format = format
    this.#dependencies = dependencies
    this.#file = keyFileAccess(dependencies.keysDirectory, format)
  }

  /** Those that were loaded; empty before {@link load}. */
  get generations(): readonly Generation[] {
    return this.#held ?? []
  }

  /**
   * @returns null while there is no such authority
   * @throws AppError VAULT_TAMPERED when the file is damaged, another's, or gone after its public half was handed out
   */
  async load(): Promise<readonly Generation[] | null> {
    if (this.#held !== null) return this.#held
    const stored = await this.#file.read()
    if (stored !== undefined) this.#hold(stored)
    else if (await this.#file.wasHandedOut()) throw this.missing()
    return this.#held
  }

  /** A key that is in no file yet. */
  async generate(): Promise<Generation & { readonly stored: StoredKey }> {
    const { vault, clock } = this.#dependencies
    const createdAt = clock.nowMs()
    const { privateKey, publicKey } = await this.format.generate(createdAt)
    const fingerprint = this.format.fingerprintOf(publicKey)
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
    try {
      const sealedKey = await seal(vault, pkcs8, this.#context(fingerprint))
      const sealedBy = vault.describe()
      return { fingerprint, publicKey, createdAt, sealedBy, stored: { publicKey, createdAt, sealedBy, sealedKey } }
    } finally {
      pkcs8.fill(0)
    }
  }

  /** Makes the file. When another engine was faster, its key counts. */
  async makeFirst(key: { readonly stored: StoredKey }): Promise<void> {
    this.#hold(await this.#file.create(key.stored))
  }

  /** Puts a key beside those with these fingerprints; all others go. */
  async add(key: { readonly stored: StoredKey }, beside: readonly string[]): Promise<void> {
    await this.#replace([...this.#stored(beside), key.stored])
  }

  /** Destroys all keys but these. */
  async keep(fingerprints: readonly string[]): Promise<void> {
    const kept = this.#stored(fingerprints)
    if (kept.length === 0 || kept.length === this.#held?.length) return
    await this.#replace(kept)
    for (const fingerprint of this.#privateKeys.keys())
      if (!fingerprints.includes(fingerprint)) this.#privateKeys.delete(fingerprint)
  }

  /** @throws AppError VAULT_* when it cannot be unsealed, or does not belong to its public half */
  privateKey(fingerprint: string): Promise<KeyObject> {
    const known = this.#privateKeys.get(fingerprint)
    if (known !== undefined) return known
    const opening = this.#open(fingerprint).catch((error: unknown) => {
      this.#privateKeys.delete(fingerprint)
      throw error
    })
    this.#privateKeys.set(fingerprint, opening)
    return opening
  }

  /** Writes the file that is handed out, when it says something else. */
  async handOut(publicKeys: readonly string[]): Promise<void> {
    const content = publicKeys.map((publicKey) => `${publicKey.trim()}\n`).join('')
    if (content === this.#handedOut) return
    await this.#file.handOut(content)
    this.#handedOut = content
  }

  missing(): AppError {
    return missing(this.format, this.#file.path)
  }

  damaged(why: string): AppError {
    return damaged(this.format, this.#file.path, why)
  }

  #context(fingerprint: string): string {
    return `ca/${this.format.kind}/${fingerprint}`
  }

  #stored(fingerprints: readonly string[]): StoredKey[] {
    return (this.#held ?? []).filter((key) => fingerprints.includes(key.fingerprint)).map(({ stored }) => stored)
  }

  async #replace(stored: readonly StoredKey[]): Promise<void> {
    await this.#file.replace(stored)
    this.#hold(stored)
  }

  #hold(stored: readonly StoredKey[]): void {
    this.#held = stored.map((key) => {
      const { publicKey, createdAt, sealedBy } = key
      return { fingerprint: this.#fingerprintOf(publicKey), publicKey, createdAt, sealedBy, stored: key }
    })
  }

  #fingerprintOf(publicKey: string): string {
    try {
      return this.format.fingerprintOf(publicKey)
    } catch {
      throw this.damaged('its public key cannot be read')
    }
  }

  async #unseal({ stored, fingerprint }: Held): Promise<Buffer> {
    try {
      return await unseal(this.#dependencies.vault, stored.sealedKey, this.#context(fingerprint))
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'VAULT_TAMPERED') throw error
      throw this.damaged(error.message)
    }
  }

  async #open(fingerprint: string): Promise<KeyObject> {
    const held = this.#held?.find((key) => key.fingerprint === fingerprint)
    if (held === undefined) throw this.damaged(`the key ${fingerprint} is not in it`)
    const pkcs8 = await this.#unseal(held)
    try {
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      if (this.format.belongsTo(privateKey, held.publicKey)) return privateKey
    } catch {
      // What OpenSSL says about the bytes of a private key is nobody's business.
    } finally {
      pkcs8.fill(0)
    }
    throw this.damaged('its sealed key does not belong to its public key')
  }
}
