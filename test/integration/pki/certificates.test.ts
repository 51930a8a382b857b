import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertificateContent,
  certificateSigner,
  decodeCertificate,
  encodeCertificate,
  formatCertificateLine,
  verifyCertificate,
} from '../../../src/platform/openssh/certificate.ts'
import {
  fingerprintOf,
  formatPublicKeyLine,
  keyTypeOf,
  parsePublicKeyLine,
} from '../../../src/platform/openssh/publicKey.ts'
import { keygen, keygenMissing, type ListedCertificate, listCertificates } from './keygen.ts'

if (keygenMissing !== null) console.warn(`skipped: ${keygenMissing}`)

const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)
const keyKinds = [
  ['ed25519', '256'],
  ['ecdsa', '256'],
  ['ecdsa', '384'],
  ['ecdsa', '521'],
  ['rsa', '2048'],
] as const

const isoSeconds = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19)

const keyNames: Readonly<Record<string, string>> = { 'ssh-ed25519': 'ED25519', 'ssh-rsa': 'RSA' }

function expectedListing(content: CertificateContent): ListedCertificate {
  const keyType = keyTypeOf(content.subjectBlob)
  const from = content.validAfterSeconds === 0 ? 'before' : `from ${isoSeconds(content.validAfterSeconds)} to`
  const { criticalOptions } = content
  return {
    type: `${keyType}-cert-v01@openssh.com ${content.type} certificate`,
    publicKey: `${keyNames[keyType] ?? 'ECDSA'}-CERT ${fingerprintOf(content.subjectBlob)}`,
    signer: `ED25519 ${fingerprintOf(signer.publicBlob)} (using ssh-ed25519)`,
    keyId: `"${content.keyId}"`,
    serial: String(content.serial),
    valid: `${from} ${isoSeconds(content.validBeforeSeconds)}`,
    principals: [...content.principals],
    criticalOptions: Object.keys(criticalOptions)
      .sort()
      .map((name) => `${name} ${criticalOptions[name]}`.trimEnd()),
    extensions: Object.keys(content.extensions).sort(),
  }
}

/** Anything a person could type, in any script; a line of ssh-keygen's listing stays one line. */
const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
const userContent = (subjects: readonly Buffer[]) =>
  fc.record({
    type: fc.constant('user' as const),
    subjectBlob: fc.constantFrom(...subjects),
    serial: fc.oneof(fc.constantFrom(0n, 1n, 2n ** 63n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    keyId: fc.oneof(text, fc.constant('')),
    principals: fc.array(text, { maxLength: 12 }),
    validAfterSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 86_400, max: 2_000_000_000 })),
    validBeforeSeconds: fc.integer({ min: 2_000_000_001, max: 2_145_000_000 }),
    criticalOptions: fc.record(
      {
        'force-command': text.filter((command) => command.trim() === command),
        'source-address': fc.constantFrom('10.0.0.0/8', '::1,127.0.0.1'),
        'verify-required': fc.constant(''),
      },
      { requiredKeys: [] },
    ),
    extensions: fc
      .subarray([
        'no-touch-required',
        'permit-pty',
        'permit-user-rc',
        'permit-X11-forwarding',
        'permit-agent-forwarding',
        'permit-port-forwarding',
      ])
      .map((names) => Object.fromEntries(names.map((name) => [name, '']))),
  })

describe.skipIf(keygenMissing !== null)('certificates before the judge: ssh-keygen', () => {
  let directory: string
  const subjects: Buffer[] = []
  const keyPath = (type: string, bits: string): string => join(directory, `key_${type}_${bits}`)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-certificates-'))
    for (const [type, bits] of keyKinds) {
      keygen(['-q', '-t', type, '-b', bits, '-N', '', '-f', keyPath(type, bits)])
      subjects.push(parsePublicKeyLine(await readFile(`${keyPath(type, bits)}.pub`, 'utf8')).blob)
    }
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('F50 F54 500 random certificates, for users and hosts over every type of key, list exactly as they were asked for', async () => {
    const user = userContent(subjects)
    const host = user.map((one) => ({ ...one, type: 'host' as const, criticalOptions: {}, extensions: {} }))
    const contents = fc.sample(fc.oneof(user, host), { numRuns: 500, seed: 20260107 })
    const path = join(directory, 'many-cert.pub')
    await writeFile(path, contents.map((one) => `${formatCertificateLine(encodeCertificate(one, signer))}\n`).join(''))
    const listed = listCertificates(path)
    expect(listed).toHaveLength(500)
    for (const [index, content] of contents.entries()) expect(listed[index]).toEqual(expectedListing(content))
  })

  it.each(keyKinds)('F50 F54 reads and verifies what an authority of %s %s signed', async (type, bits) => {
    for (const [subjectType, subjectBits] of keyKinds) {
      const subject = keyPath(subjectType, subjectBits)
      for (const kind of ['user', 'host'] as const) {
        const options = kind === 'host' ? ['-h'] : ['-O', 'clear', '-O', 'permit-pty', '-O', 'force-command=/bin/true']
        const rest = ['-n', 'one,zwei ü', '-z', '18446744073709551615', '-V', '20260101000000Z:20260201000000Z']
        keygen(['-q', '-s', keyPath(type, bits), '-I', 'их id', ...rest, ...options, `${subject}.pub`])
        const decoded = decodeCertificate(parsePublicKeyLine(await readFile(`${subject}-cert.pub`, 'utf8')).blob)
        expect(decoded).toMatchObject({
          type: kind,
          subjectBlob: parsePublicKeyLine(await readFile(`${subject}.pub`, 'utf8')).blob,
          keyId: 'их id',
          principals: ['one', 'zwei ü'],
          serial: 2n ** 64n - 1n,
          validAfterSeconds: Date.UTC(2026, 0, 1) / 1000,
          validBeforeSeconds: Date.UTC(2026, 1, 1) / 1000,
        })
        expect({ ...decoded.criticalOptions }).toEqual(kind === 'host' ? {} : { 'force-command': '/bin/true' })
        expect({ ...decoded.extensions }).toEqual(kind === 'host' ? {} : { 'permit-pty': '' })
        expect(verifyCertificate(decoded)).toBe(true)
        const changed = Buffer.concat([decoded.signedBytes.subarray(0, -1), Buffer.from([1])])
        expect(verifyCertificate({ ...decoded, signedBytes: changed })).toBe(false)
      }
    }
  })

  it('F50 reads "for ever" as a certificate without an end', async () => {
    const path = keyPath('ed25519', '256')
    keygen(['-q', '-s', path, '-I', 'x', '-n', 'x', `${path}.pub`])
    const decoded = decodeCertificate(parsePublicKeyLine(await readFile(`${path}-cert.pub`, 'utf8')).blob)
    expect(decoded).toMatchObject({ validAfterSeconds: 0, validBeforeSeconds: Number.POSITIVE_INFINITY, serial: 0n })
  })

  it('prints the fingerprint that ssh-keygen prints', async () => {
    const path = join(directory, 'print.pub')
    await writeFile(path, `${formatPublicKeyLine(signer.publicBlob, 'x')}\n`)
    expect(keygen(['-l', '-f', path])).toContain(fingerprintOf(signer.publicBlob))
  })
})
