import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openWithPassword, unwrapKey } from './pbes2.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')

interface Recipe {
  readonly alg?: string
  readonly enc?: string
  readonly keyBytes?: number
  readonly contentBytes?: number
  readonly hash?: string
  readonly header?: Record<string, unknown>
  readonly iterations?: number
}

/** Seals with OpenSSL's own key wrap, so that nothing of the code under test takes part. */
function seal(plaintext: string, password: string, recipe: Recipe = {}): string {
  const { alg = 'PBES2-HS256+A128KW', enc = 'A256GCM', keyBytes = 16, contentBytes = 32, hash = 'sha256' } = recipe
  const iterations = recipe.iterations ?? 1_000
  const salt = randomBytes(16)
  const header = encode({ alg, enc, p2s: salt.toString('base64url'), p2c: iterations, ...recipe.header })
  const wrapping = pbkdf2Sync(password, Buffer.concat([Buffer.from(`${alg}\0`), salt]), iterations, keyBytes, hash)
  const contentKey = randomBytes(contentBytes)
  const wrap = createCipheriv(`id-aes${keyBytes * 8}-wrap`, wrapping, Buffer.alloc(8, 0xa6))
  const wrapped = Buffer.concat([wrap.update(contentKey), wrap.final()])
  const iv = randomBytes(12)
  const cipher = createCipheriv(`aes-${contentBytes * 8}-gcm` as 'aes-256-gcm', contentKey, iv)
  cipher.setAAD(Buffer.from(header))
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return [header, ...[wrapped, iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.')
}

const opened = async (jwe: string, password: string): Promise<string> => {
  const result = await openWithPassword(jwe, password)
  return result.kind === 'opened' ? result.plaintext.toString('utf8') : result.kind
}

describe('password-encrypted keys', () => {
  it.each([
    // RFC 3394 sections 4.1, 4.3 and 4.6
    [
      '000102030405060708090A0B0C0D0E0F',
      '1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5',
      '00112233445566778899AABBCCDDEEFF',
    ],
    [
      '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F',
      '64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7',
      '00112233445566778899AABBCCDDEEFF',
    ],
    [
      '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F',
      '28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21',
      '00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F',
    ],
  ])('unwraps the vectors of RFC 3394 (%#)', (wrapping, wrapped, key) => {
    expect(unwrapKey(hex(wrapping), hex(wrapped))?.toString('hex').toUpperCase()).toBe(key)
    expect(unwrapKey(hex(wrapping).reverse(), hex(wrapped))).toBeNull()
  })

  it.each([
    {},
    { alg: 'PBES2-HS384+A192KW', keyBytes: 24, hash: 'sha384', enc: 'A192GCM', contentBytes: 24 },
    { alg: 'PBES2-HS512+A256KW', keyBytes: 32, hash: 'sha512', enc: 'A128GCM', contentBytes: 16 },
  ])('opens what OpenSSL sealed: %j', async (recipe) => {
    expect(await opened(seal('a secret', 'pass ü word', recipe), 'pass ü word')).toBe('a secret')
    expect(await opened(seal('a secret', 'pass ü word', recipe), 'pass u word')).toBe('wrong-password')
  })

  it('notices every changed part', async () => {
    const jwe = seal('a secret', 'password')
    for (let part = 0; part < 5; part += 1) {
      const parts = jwe.split('.')
      const bytes = Buffer.from(parts[part] ?? '', 'base64url')
      const last = bytes.length - 1
      bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last)
      parts[part] = bytes.toString('base64url')
      expect(await opened(parts.join('.'), 'password'), `part ${part}`).not.toBe('a secret')
    }
  })

  it.each([
    ['more iterations than anybody needs', seal('x', 'p', { header: { p2c: 2_000_001 } })],
    ['a salt of no length', seal('x', 'p', { header: { p2s: '' } })],
    ['extensions it does not know', seal('x', 'p', { header: { crit: ['exp'] } })],
    ['compression', seal('x', 'p', { header: { zip: 'DEF' } })],
    ['an algorithm it does not know', seal('x', 'p', { alg: 'dir' })],
    ['a content cipher it does not know', seal('x', 'p', { header: { enc: 'A128CBC-HS256' } })],
    ['no header', '.a.b.c.d'],
    ['a sixth part', `${seal('x', 'p')}.AAAA`],
    ['nothing', ''],
  ])('refuses %s without trying', async (_label, jwe) => {
    expect(await openWithPassword(jwe, 'p')).toMatchObject({ kind: 'unreadable' })
  })
})
