import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'
import { AppError } from '../../shared/errors.ts'

export const keySizeBytes = 32
const sealVersion = 1
const nonceSizeBytes = 12
const tagSizeBytes = 16
const headerSizeBytes = 1 + nonceSizeBytes + tagSizeBytes
const printed = '[key]'

/**
 * The key that seals other keys, as an object that cannot be printed. AES-256-GCM; a sealed value is
 * `version (1) | nonce (12) | tag (16) | ciphertext`. Nonces are random: good for 2^32 sealings of one key.
 */
export class KeyEncryptionKey {
  readonly #bytes: Buffer
  #destroyed = false

  /** Copies the bytes; the caller wipes its own copy. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== keySizeBytes) {
      throw new AppError('VAULT_TAMPERED', `a vault key has ${keySizeBytes} bytes, not ${bytes.length}`)
    }
    this.#bytes = Buffer.from(bytes)
  }

  /** A new random key. */
  static generate(): KeyEncryptionKey {
    const bytes = randomBytes(keySizeBytes)
    const key = new KeyEncryptionKey(bytes)
    bytes.fill(0)
    return key
  }

  /**
   * @param context what the plaintext is for, e.g. `ca/user/<id>`; it is not stored, and opening needs the same
   */
  seal(plaintext: Uint8Array, context: string): Buffer {
    const nonce = randomBytes(nonceSizeBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#usable(), nonce, { authTagLength: tagSizeBytes })
    cipher.setAAD(additionalData(context))
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return Buffer.concat([Buffer.from([sealVersion]), nonce, cipher.getAuthTag(), ciphertext])
  }

  /** @throws AppError VAULT_TAMPERED when the bytes, the context or the key are not those of the sealing */
  open(sealed: Uint8Array, context: string): Buffer {
    const key = this.#usable()
    if (sealed.length < headerSizeBytes || sealed[0] !== sealVersion) throw tampered(context)
    const nonce = sealed.subarray(1, 1 + nonceSizeBytes)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagSizeBytes })
    decipher.setAAD(additionalData(context))
    decipher.setAuthTag(sealed.subarray(1 + nonceSizeBytes, headerSizeBytes))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(headerSizeBytes)), decipher.final()])
    } catch {
      throw tampered(context)
    }
  }

  /** Tells whether two processes hold the same key, without showing it. */
  checkValue(): string {
    return createHmac('sha256', this.#usable()).update('lockstep vault key check').digest('base64')
  }

  matches(checkValue: string): boolean {
    const expected = Buffer.from(this.checkValue())
    const given = Buffer.from(checkValue)
    return expected.length === given.length && timingSafeEqual(expected, given)
  }

  /** A copy of the raw bytes, for handing the key to the engine process and nothing else; the caller wipes it. */
  copyForHandover(): Buffer {
    return Buffer.from(this.#usable())
  }

  /** Overwrites the key; it cannot be used afterwards. */
  destroy(): void {
    this.#bytes.fill(0)
    this.#destroyed = true
  }

  toString(): string {
    return printed
  }

  toJSON(): string {
    return printed
  }

  [inspect.custom](): string {
    return printed
  }

  #usable(): Buffer {
    if (this.#destroyed) throw new AppError('VAULT_LOCKED', 'the key vault is locked')
    return this.#bytes
  }
}

function additionalData(context: string): Buffer {
  return Buffer.from(`lockstep seal ${sealVersion}\n${context}`, 'utf8')
}

function tampered(context: string): AppError {
  return new AppError('VAULT_TAMPERED', `the sealed value "${context}" was changed, or sealed with another key`, {
    data: { context },
  })
}
