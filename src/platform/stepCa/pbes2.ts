import { type CipherGCMTypes, createDecipheriv, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'

/*
 * Opens what step encrypts with a password: JWE compact serialization (RFC 7516) under PBES2 (RFC 7518 section 4.8).
 * Written here because the engine also runs in Electron, whose crypto library has no AES key wrap: a library over Web
 * Crypto fails there with an OperationError. Key unwrapping (RFC 3394) is six rounds over plain AES blocks.
 */

const deriveKey = promisify(pbkdf2)

const algorithms = new Map([
  ['PBES2-HS256+A128KW', { hash: 'sha256', keyBytes: 16 }],
  ['PBES2-HS384+A192KW', { hash: 'sha384', keyBytes: 24 }],
  ['PBES2-HS512+A256KW', { hash: 'sha512', keyBytes: 32 }],
])
const contentCiphers = new Map<string, { readonly cipher: CipherGCMTypes; readonly keyBytes: number }>([
  ['A128GCM', { cipher: 'aes-128-gcm', keyBytes: 16 }],
  ['A192GCM', { cipher: 'aes-192-gcm', keyBytes: 24 }],
  ['A256GCM', { cipher: 'aes-256-gcm', keyBytes: 32 }],
])

/** step writes 100,000 or 600,000. The count comes from outside: without a limit it could keep us busy for hours. */
const mostIterations = 2_000_000

const Header = z.object({
  alg: z.string(),
  enc: z.string(),
  p2s: z.string().min(11),
  p2c: z.number().int().min(1_000).max(mostIterations),
  // Extensions and compression change what the bytes mean; step uses neither.
  crit: z.never().optional(),
  zip: z.never().optional(),
})
type Header = z.infer<typeof Header>

export type Opened =
  | { readonly kind: 'opened'; readonly plaintext: Buffer }
  | { readonly kind: 'wrong-password' }
  /** Not JWE, or made with something we do not read. `why` holds no key material. */
  | { readonly kind: 'unreadable'; readonly why: string }

/** Decrypts a compact JWE with a password. The caller wipes `plaintext`. */
export async function openWithPassword(jwe: string, password: string): Promise<Opened> {
  const [protectedHeader = '', wrappedKey = '', iv = '', ciphertext = '', tag = '', ...rest] = jwe.split('.')
  const header = parseHeader(protectedHeader)
  if (header === null || rest.length > 0)
    return { kind: 'unreadable', why: 'its encrypted key is not password-based JWE' }
  const algorithm = algorithms.get(header.alg)
  const content = contentCiphers.get(header.enc)
  if (algorithm === undefined || content === undefined) {
    return {
      kind: 'unreadable',
      why: `its key is encrypted with ${header.alg} and ${header.enc}, which is not supported`,
    }
  }
  const salt = Buffer.concat([Buffer.from(`${header.alg}\0`), Buffer.from(header.p2s, 'base64url')])
  const wrappingKey = await deriveKey(password, salt, header.p2c, algorithm.keyBytes, algorithm.hash)
  const contentKey = unwrapKey(wrappingKey, Buffer.from(wrappedKey, 'base64url'))
  wrappingKey.fill(0)
  if (contentKey === null || contentKey.length !== content.keyBytes) return { kind: 'wrong-password' }
  const opened = decrypt(content.cipher, contentKey, { protectedHeader, iv, ciphertext, tag })
  contentKey.fill(0)
  return opened
}

function parseHeader(encoded: string): Header | null {
  try {
    return Header.safeParse(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))).data ?? null
  } catch {
    return null
  }
}

/** Parts of the JWE as they stand in it. */
interface Sealed {
  readonly protectedHeader: string
  readonly iv: string
  readonly ciphertext: string
  readonly tag: string
}

function decrypt(cipher: CipherGCMTypes, key: Buffer, sealed: Sealed): Opened {
  try {
    const decipher = createDecipheriv(cipher, key, Buffer.from(sealed.iv, 'base64url'), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(sealed.protectedHeader, 'ascii'))
    decipher.setAuthTag(Buffer.from(sealed.tag, 'base64url'))
    const plaintext = Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, 'base64url')), decipher.final()])
    return { kind: 'opened', plaintext }
  } catch {
    return { kind: 'unreadable', why: 'its encrypted key is damaged' }
  }
}

const defaultInitialValue = Buffer.alloc(8, 0xa6)

/** RFC 3394 section 2.2.2; null when the integrity check fails, which is how a wrong password shows. */
export function unwrapKey(wrappingKey: Uint8Array, wrapped: Uint8Array): Buffer | null {
  const blocks = wrapped.length / 8 - 1
  if (!Number.isInteger(blocks) || blocks < 2 || blocks > 8) return null
  const decipher = createDecipheriv(`aes-${wrappingKey.length * 8}-ecb`, wrappingKey, null).setAutoPadding(false)
  const register = Buffer.from(wrapped.subarray(0, 8))
  const key = Buffer.from(wrapped.subarray(8))
  for (let step = 6 * blocks; step > 0; step -= 1) {
    const at = ((step - 1) % blocks) * 8
    // At most 48 steps: the counter that is mixed in never leaves the last byte.
    register.writeUInt8(register.readUInt8(7) ^ step, 7)
    const block = decipher.update(Buffer.concat([register, key.subarray(at, at + 8)]))
    block.copy(register, 0, 0, 8)
    block.copy(key, at, 8)
  }
  return register.equals(defaultInitialValue) ? key : null
}
