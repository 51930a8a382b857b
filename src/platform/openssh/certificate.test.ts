import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CertificateContent,
  certificateSigner,
  decodeCertificate,
  encodeCertificate,
  formatCertificateLine,
  verifyCertificate,
} from './certificate.ts'
import { ed25519Blob } from './publicKey.ts'
import { WireError, WireWriter } from './wire.ts'

const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)
const subjectBlob = ed25519Blob(generateKeyPairSync('ed25519').publicKey)

const numbers = (length: number): Buffer => Buffer.alloc(length, 7)
const subjects: [string, Buffer][] = [
  ['ssh-ed25519', subjectBlob],
  ...(
    [
      ['nistp256', 65],
      ['nistp384', 97],
      ['nistp521', 133],
    ] as const
  ).map(([curve, length]): [string, Buffer] => {
    const point = numbers(length)
    point[0] = 4
    return [`ecdsa-sha2-${curve}`, new WireWriter().string(`ecdsa-sha2-${curve}`).string(curve).string(point).bytes()]
  }),
  [
    'ssh-rsa',
    new WireWriter()
      .string('ssh-rsa')
      .string(Buffer.from([1, 0, 1]))
      .string(numbers(256))
      .bytes(),
  ],
]
const content: CertificateContent = {
  type: 'user',
  subjectBlob,
  serial: 7n,
  keyId: 'node',
  principals: ['sync-agent'],
  validAfterSeconds: 1_700_000_000,
  validBeforeSeconds: 1_700_003_600,
  criticalOptions: {},
  extensions: {},
}

describe('OpenSSH certificates', () => {
  it('decodes what it encoded, for any content', () => {
    const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
    const user = fc.record({
      type: fc.constant('user' as const),
      subjectBlob: fc.constantFrom(...subjects.map(([, blob]) => blob)),
      serial: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      keyId: fc.string({ unit: 'grapheme', maxLength: 300 }),
      principals: fc.array(fc.string({ unit: 'grapheme', maxLength: 60 }), { maxLength: 20 }),
      validAfterSeconds: fc.nat(),
      validBeforeSeconds: fc.nat(),
      criticalOptions: fc.dictionary(name, fc.string({ minLength: 1 })),
      extensions: fc.dictionary(name, fc.constant('')),
    })
    const host = user.map((wanted) => ({ ...wanted, type: 'host' as const, criticalOptions: {}, extensions: {} }))
    fc.assert(
      fc.property(fc.oneof(user, host), (wanted) => {
        const made = decodeCertificate(encodeCertificate(wanted, signer))
        expect(made).toMatchObject({ ...wanted, criticalOptions: {}, extensions: {} })
        expect({ ...made.criticalOptions }).toEqual({ ...wanted.criticalOptions })
        expect({ ...made.extensions }).toEqual({ ...wanted.extensions })
        expect(verifyCertificate(made)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('notices every flipped bit: the certificate does not decode or does not verify', () => {
    const good = encodeCertificate(content, signer)
    for (let index = 0; index < good.length; index += 1) {
      const bad = Buffer.from(good)
      bad[index] = (bad[index] ?? 0) ^ 1
      const verified = ((): boolean => {
        try {
          return verifyCertificate(decodeCertificate(bad))
        } catch {
          return false
        }
      })()
      expect(verified, `byte ${index}`).toBe(false)
    }
  })

  it('never takes anything but a whole certificate', () => {
    const good = encodeCertificate(content, signer)
    for (let length = 0; length < good.length; length += 1)
      expect(() => decodeCertificate(good.subarray(0, length))).toThrow()
    expect(() => decodeCertificate(Buffer.concat([good, Buffer.from([0])]))).toThrow(/unexpected/)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (noise) => void expect(() => decodeCertificate(noise)).toThrow()),
    )
  })

  it.each(subjects)('certifies and names a key of type %s', (keyType, blob) => {
    const made = encodeCertificate({ ...content, subjectBlob: blob }, signer)
    expect(decodeCertificate(made)).toMatchObject({ format: `${keyType}-cert-v01@openssh.com`, subjectBlob: blob })
    expect(formatCertificateLine(made)).toMatch(new RegExp(`^${keyType}-cert-v01@openssh\\.com AAAA`))
  })

  it('writes nothing that OpenSSH would not read', () => {
    const encode = (over: Partial<CertificateContent>) => () => encodeCertificate({ ...content, ...over }, signer)
    expect(encode({ keyId: 'cut\0here' })).toThrow(WireError)
    expect(encode({ principals: ['root\0'] })).toThrow(WireError)
    expect(encode({ criticalOptions: { 'force-command': 'a\0b' } })).toThrow(WireError)
    expect(encode({ principals: Array.from({ length: 257 }, (_, index) => `p${index}`) })).toThrow(/256 principals/)
    expect(encode({ subjectBlob: new WireWriter().string('ssh-dss').bytes() })).toThrow(WireError)
    expect(encode({ type: 'host', extensions: { 'permit-pty': '' } })).toThrow(/host/)
    expect(encode({ type: 'host', criticalOptions: { 'source-address': '::1' } })).toThrow(/host/)
  })

  it('refuses times and serials that do not fit', () => {
    const encode = (over: Partial<CertificateContent>) => () => encodeCertificate({ ...content, ...over }, signer)
    expect(encode({ validBeforeSeconds: Number.POSITIVE_INFINITY })).toThrow(/validBefore/)
    expect(encode({ validAfterSeconds: 1.5 })).toThrow(/validAfter/)
    expect(encode({ validAfterSeconds: -1 })).toThrow(/validAfter/)
    expect(encode({ serial: -1n })).toThrow(/serial/)
    expect(encode({ serial: 2n ** 64n })).toThrow(/serial/)
  })

  it('two certificates of the same content differ: the nonce is fresh', () => {
    expect(encodeCertificate(content, signer).equals(encodeCertificate(content, signer))).toBe(false)
  })
})
