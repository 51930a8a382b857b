import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  ed25519Blob,
  ed25519RawOfBlob,
  fingerprintOf,
  formatPublicKeyLine,
  importPublicKey,
  parsePublicKeyLine,
  verifySshSignature,
} from './publicKey.ts'
import { WireError, WireWriter } from './wire.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const blob = ed25519Blob(privateKey)

describe('public keys', () => {
  it('reads the line it writes, with and without a comment', () => {
    for (const comment of ['', 'someone@somewhere', 'two words']) {
      const parsed = parsePublicKeyLine(`${formatPublicKeyLine(blob, comment)}\n`)
      expect(parsed).toEqual({ keyType: 'ssh-ed25519', blob, comment })
    }
  })

  it.each([
    ['nothing', ''],
    ['options before the key', `command="x" ${formatPublicKeyLine(blob)}`],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['two lines', `${formatPublicKeyLine(blob)}\n${formatPublicKeyLine(blob)}`],
    ['a type that is not the inner one', `ssh-rsa ${blob.toString('base64')}`],
    ['a cut key', 'ssh-ed25519 AAAA'],
  ])('refuses %s', (_label, line) => {
    expect(() => parsePublicKeyLine(line)).toThrow(WireError)
  })

  it('refuses an Ed25519 key of the wrong size or with something behind it', () => {
    expect(() => ed25519RawOfBlob(new WireWriter().string('ssh-ed25519').string(Buffer.alloc(31)).bytes())).toThrow(
      /32 bytes/,
    )
    expect(() => ed25519RawOfBlob(Buffer.concat([blob, Buffer.from([0])]))).toThrow(WireError)
  })

  it('prints fingerprints without padding', () => {
    expect(fingerprintOf(blob)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
  })

  it('verifies its own signatures and no others', () => {
    const data = Buffer.from('data')
    const signature = new WireWriter()
      .string('ssh-ed25519')
      .string(sign(null, data, privateKey))
      .bytes()
    expect(verifySshSignature(blob, data, signature)).toBe(true)
    expect(verifySshSignature(blob, Buffer.from('date'), signature)).toBe(false)
    expect(verifySshSignature(ed25519Blob(generateKeyPairSync('ed25519').publicKey), data, signature)).toBe(false)
    const renamed = new WireWriter()
      .string('ssh-rsa')
      .string(sign(null, data, privateKey))
      .bytes()
    expect(verifySshSignature(blob, data, renamed)).toBe(false)
  })

  it('imports RSA keys and verifies their SHA-2 signatures, but no SHA-1 ones', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsaBlob = rsaBlobOf(rsa.publicKey)
    const data = Buffer.from('data')
    const signed = (algorithm: string, hash: string): Buffer =>
      new WireWriter()
        .string(algorithm)
        .string(sign(hash, data, rsa.privateKey))
        .bytes()
    expect(verifySshSignature(rsaBlob, data, signed('rsa-sha2-256', 'sha256'))).toBe(true)
    expect(verifySshSignature(rsaBlob, data, signed('rsa-sha2-512', 'sha512'))).toBe(true)
    for (const [algorithm, hash] of [
      ['ssh-rsa', 'sha1'],
      ['rsa-sha2-256', 'sha512'],
      ['constructor', 'sha256'],
      ['ssh-ed25519', 'sha256'],
    ] as const)
      expect(verifySshSignature(rsaBlob, data, signed(algorithm, hash))).toBe(false)
  })

  it.each([
    ['nistp256', 'P-256', 'sha256', 1000],
    ['nistp521', 'P-521', 'sha512', 60],
  ])('verifies ECDSA signatures on %s, whose numbers are long, short and padded', (curve, namedCurve, hash, rounds) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
    const keyType = `ecdsa-sha2-${curve}`
    const blob = new WireWriter().string(keyType).string(curve).string(point).bytes()
    const lengths = new Set<number>()
    for (let round = 0; round < rounds; round += 1) {
      const data = Buffer.from(`data ${round}`)
      const pair = sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const numbers = new WireWriter()
      for (const half of [pair.subarray(0, pair.length / 2), pair.subarray(pair.length / 2)])
        numbers.string(mpint(half))
      lengths.add(numbers.view().length)
      const signature = new WireWriter().string(keyType).string(numbers.view()).bytes()
      expect(verifySshSignature(blob, data, signature)).toBe(true)
    }
    expect(lengths.size).toBeGreaterThan(2)
  })

  it.each<[string, () => WireWriter]>([
    ['of a type it does not know', () => new WireWriter().string('ssh-dss').string('p')],
    ['named like something every object has', () => new WireWriter().string('constructor').string('p')],
    ['RSA without numbers', () => new WireWriter().string('ssh-rsa').string(Buffer.alloc(3))],
    ['RSA that is too short', () => rsaWriter(Buffer.from([1, 0, 1]), Buffer.alloc(127, 7))],
    ['RSA that is too long to be honest', () => rsaWriter(Buffer.from([1, 0, 1]), Buffer.alloc(2049, 7))],
    ['RSA with a negative modulus', () => rsaWriter(Buffer.from([1, 0, 1]), Buffer.alloc(256, 0xff))],
    ['RSA with an exponent that takes a day', () => rsaWriter(Buffer.alloc(256, 7), Buffer.alloc(256, 7))],
    ['ECDSA of two curves', () => ecdsaWriter('nistp384', Buffer.alloc(65, 4))],
    ['ECDSA with a compressed point', () => ecdsaWriter('nistp256', Buffer.alloc(33, 2))],
    ['ECDSA with a point beside the curve', () => ecdsaWriter('nistp256', Buffer.alloc(65, 4))],
  ])('imports no key %s', (_label, writer) => {
    expect(() => importPublicKey(writer().bytes())).toThrow(WireError)
  })
})

function mpint(digits: Buffer): Buffer {
  const start = digits.findIndex((digit) => digit !== 0)
  const shortest = digits.subarray(start)
  return (shortest[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), shortest]) : shortest
}

const rsaWriter = (exponent: Buffer, modulus: Buffer): WireWriter =>
  new WireWriter().string('ssh-rsa').string(exponent).string(modulus)
const ecdsaWriter = (curve: string, point: Buffer): WireWriter =>
  new WireWriter().string('ecdsa-sha2-nistp256').string(curve).string(point)

function rsaBlobOf(key: KeyObject): Buffer {
  const { n = '', e = '' } = key.export({ format: 'jwk' })
  const positive = (digits: string): Buffer => Buffer.concat([Buffer.from([0]), Buffer.from(digits, 'base64url')])
  return rsaWriter(Buffer.from(e, 'base64url'), positive(n)).bytes()
}
