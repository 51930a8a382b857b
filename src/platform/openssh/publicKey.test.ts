import { generateKeyPairSync, sign } from 'node:crypto'
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

  it('imports no algorithm it does not know', () => {
    expect(() => importPublicKey(new WireWriter().string('ssh-rsa').string(Buffer.alloc(3)).bytes())).toThrow(WireError)
  })
})
