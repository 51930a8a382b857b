import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkCertificateRequest, type SigningPolicy } from '../../core/ca/policy.ts'
import {
  type CertificateContent,
  certificateSigner,
  decodeCertificate,
  encodeCertificate,
} from '../openssh/certificate.ts'
import { ed25519Blob } from '../openssh/publicKey.ts'
import { certificateFlaws, type ExpectedCertificate } from './answerCheck.ts'

const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)
const publicKey = ed25519Blob(generateKeyPairSync('ed25519').publicKey)
const otherKey = ed25519Blob(generateKeyPairSync('ed25519').publicKey)
const now = 1_800_000_000
const policy: SigningPolicy = {
  name: 'automation',
  certificateType: 'user',
  principalPattern: '^sync-agent$',
  maxLifetimeSeconds: 57_600,
  allowedExtensions: ['permit-pty'],
  allowedCriticalOptions: ['source-address'],
}
const expected: ExpectedCertificate = {
  type: 'user',
  publicKey,
  keyId: 'node-1',
  principals: ['sync-agent'],
  lifetimeSeconds: 3_600,
  extensions: [],
  criticalOptions: {},
  judge: (terms) => checkCertificateRequest(terms, policy),
  signers: [otherKey, signer.publicBlob],
  nowMs: now * 1000,
}
const content: CertificateContent = {
  type: 'user',
  subjectBlob: publicKey,
  serial: 1n,
  keyId: 'node-1',
  principals: ['sync-agent'],
  validAfterSeconds: now - 60,
  validBeforeSeconds: now + 3_600,
  criticalOptions: {},
  extensions: {},
}
const flaws = (over: Partial<CertificateContent>, expectedToo: Partial<ExpectedCertificate> = {}): string[] =>
  certificateFlaws(decodeCertificate(encodeCertificate({ ...content, ...over }, signer)), {
    ...expected,
    ...expectedToo,
  })

describe('answer of an authority', () => {
  it('is taken when it is what was asked for, shorter or with allowed options', () => {
    expect(flaws({})).toEqual([])
    expect(flaws({ validBeforeSeconds: now + 600 })).toEqual([])
    expect(flaws({ extensions: { 'permit-pty': '' }, criticalOptions: { 'source-address': '10.0.0.1' } })).toEqual([])
    expect(flaws({ principals: ['b', 'a'] }, { principals: ['a', 'b'], judge: () => [] })).toEqual([])
  })

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ['another key', { subjectBlob: otherKey }, /another key than ours/],
    ['another type', { type: 'host' }, /host certificate; asked was for a user/],
    ['another key id', { keyId: 'node-2' }, /key id is "node-2"/],
    ['no principal, which is every principal', { principals: [] }, /principals are \[\]/],
    ['one principal too many', { principals: ['sync-agent', 'root'] }, /principals are \["root","sync-agent"\]/],
    ['a principal twice', { principals: ['sync-agent', 'sync-agent'] }, /principals are/],
    ['a longer life', { validBeforeSeconds: now + 3_600 + 301 }, /longer than the 3600 s/],
    ['a life hidden in the past', { validAfterSeconds: now - 100_000 }, /longer than the 3600 s/],
    ['a beginning in the future', { validAfterSeconds: now + 61 }, /valid in 61 s only.*clocks/],
    ['an end in the past', { validAfterSeconds: now - 700, validBeforeSeconds: now - 100 }, /ended 100 s ago/],
    ['an extension nobody allowed', { extensions: { 'permit-port-forwarding': '' } }, /"permit-port-forwarding"/],
    ['a critical option nobody allowed', { criticalOptions: { 'force-command': 'x' } }, /"force-command"/],
  ])('D2 is refused with %s', (_label, over, why) => {
    expect(flaws(over)).toContainEqual(expect.stringMatching(why))
  })

  it('is refused when it never ends', () => {
    const endless = {
      ...decodeCertificate(encodeCertificate(content, signer)),
      validBeforeSeconds: Number.POSITIVE_INFINITY,
    }
    expect(certificateFlaws(endless, expected)).toContainEqual(expect.stringMatching(/longer than/))
  })

  it('is refused from an unknown signer, and with a signature that does not hold', () => {
    expect(flaws({}, { signers: [otherKey] })).toEqual([expect.stringMatching(/not among the SSH authority keys/)])
    const certificate = decodeCertificate(encodeCertificate(content, signer))
    certificate.signature.writeUInt8(certificate.signature.readUInt8(80) ^ 1, 80)
    expect(certificateFlaws(certificate, expected)).toEqual(['its signature is wrong'])
  })

  it('D2 is refused when it lacks what was asked for, above all a limit', () => {
    const asked = { extensions: ['permit-pty'], criticalOptions: { 'source-address': '10.0.0.1' } }
    const given = { extensions: { 'permit-pty': '' }, criticalOptions: { 'source-address': '10.0.0.1' } }
    expect(flaws(given, asked)).toEqual([])
    expect(flaws({}, asked)).toEqual([
      expect.stringContaining('lacks permit-pty'),
      expect.stringContaining('lacks source-address'),
    ])
    expect(flaws({ ...given, criticalOptions: { 'source-address': '0.0.0.0/0' } }, asked)).toEqual([
      expect.stringContaining('lacks source-address'),
    ])
  })

  it('names every flaw at once', () => {
    expect(flaws({ subjectBlob: otherKey, keyId: 'x', principals: ['root'] }).length).toBeGreaterThanOrEqual(4)
  })
})
