import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ed25519Blob, verifySshSignature } from '../../platform/openssh/publicKey.ts'
import { WireReader, WireWriter } from '../../platform/openssh/wire.ts'
import { NodeId } from '../../shared/model/ids.ts'
import { answer, type IdentityLookup } from './agentSocket.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const publicKeyBlob = ed25519Blob(privateKey)
let signatures = 0
const lookup: IdentityLookup = () => ({
  nodeId: NodeId.parse('01900000-0000-7000-8000-000000000001'),
  purpose: 'automation',
  publicKeyBlob,
  kind: 'certificate',
  certificateBlob: Buffer.from('certificate'),
  sign: (data) => {
    signatures += 1
    return sign(null, data, privateKey)
  },
})
const signRequest = (key: Uint8Array, data: string): Buffer =>
  new WireWriter().u8(13).string(key).string(data).u32(0).bytes()
const failure = [5]

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsaKey = rsa.publicKey.export({ format: 'jwk' })
const rsaBlob = new WireWriter()
  .string('ssh-rsa')
  .string(Buffer.from(rsaKey.e ?? '', 'base64url'))
  .string(Buffer.concat([Buffer.from([0]), Buffer.from(rsaKey.n ?? '', 'base64url')]))
  .bytes()
const lookupRsa: IdentityLookup = () => ({
  kind: 'static-key',
  nodeId: NodeId.parse('01900000-0000-7000-8000-000000000001'),
  purpose: 'automation',
  publicKeyBlob: rsaBlob,
  sign: (data, algorithm) => sign(algorithm === 'rsa-sha2-256' ? 'sha256' : 'sha512', data, rsa.privateKey),
})

describe('agent protocol', () => {
  it('signs for its own key and certificate, and for nobody else', () => {
    for (const key of [publicKeyBlob, Buffer.from('certificate')]) {
      const reader = new WireReader(answer(signRequest(key, 'data'), lookup))
      expect(reader.u8()).toBe(14)
      expect(verifySshSignature(publicKeyBlob, Buffer.from('data'), reader.bytes())).toBe(true)
    }
    const other = ed25519Blob(generateKeyPairSync('ed25519').publicKey)
    expect([...answer(signRequest(other, 'data'), lookup)]).toEqual(failure)
  })

  it('D9 a static key is listed alone, and signs with what the client asks for, but never with SHA-1', () => {
    const listed = new WireReader(answer(Buffer.from([11]), lookupRsa))
    expect([listed.u8(), listed.u32()]).toEqual([12, 1])
    expect(listed.bytes()).toEqual(rsaBlob)
    const ask = (flags: number) =>
      answer(new WireWriter().u8(13).string(rsaBlob).string('data').u32(flags).bytes(), lookupRsa)
    for (const [flags, algorithm] of [
      [2, 'rsa-sha2-256'],
      [4, 'rsa-sha2-512'],
    ] as const) {
      const reader = new WireReader(ask(flags))
      expect(reader.u8()).toBe(14)
      const signature = reader.bytes()
      expect(new WireReader(signature).text()).toBe(algorithm)
      expect(verifySshSignature(rsaBlob, Buffer.from('data'), signature)).toBe(true)
    }
    expect([...ask(0)]).toEqual(failure)
  })

  it('lists nothing and signs nothing once the identity is gone', () => {
    expect([...answer(Buffer.from([11]), () => null)]).toEqual([12, 0, 0, 0, 0])
    expect([...answer(signRequest(publicKeyBlob, 'data'), () => null)]).toEqual(failure)
  })

  it('answers noise with a refusal, never with a signature or an exception', () => {
    const before = signatures
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        if (noise[0] === 11) return
        expect([...answer(noise, lookup)]).toEqual(failure)
      }),
    )
    expect(signatures).toBe(before)
  })

  it('refuses a signing request that ends early or goes on', () => {
    const good = signRequest(publicKeyBlob, 'data')
    for (let length = 1; length < good.length; length += 1)
      expect([...answer(good.subarray(0, length), lookup)]).toEqual(failure)
    expect([...answer(Buffer.concat([good, Buffer.from([0])]), lookup)]).toEqual(failure)
  })
})
