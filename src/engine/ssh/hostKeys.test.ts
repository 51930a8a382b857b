import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ed25519Blob, fingerprintOf } from '../../platform/openssh/publicKey.ts'
import { WireWriter } from '../../platform/openssh/wire.ts'
import { hostKeyAlgorithmsFor, judgeHostKey } from './hostKeys.ts'

const newBlob = (): Buffer => ed25519Blob(generateKeyPairSync('ed25519').publicKey)
const pinOf = (keyType: string, blob: Buffer) => ({
  keyType,
  publicKey: blob.toString('base64'),
  fingerprint: fingerprintOf(blob),
})

describe('host key judgement', () => {
  const blob = newBlob()
  const rsa = new WireWriter().string('ssh-rsa').string('numbers').bytes()

  it('accepts the accepted key, also as one of several of a type (rotation)', () => {
    expect(judgeHostKey(blob, [pinOf('ssh-ed25519', newBlob()), pinOf('ssh-ed25519', blob)])).toBeNull()
  })

  it('U2 U5 nothing accepted or another type is unknown; another key of the type is changed', () => {
    expect(judgeHostKey(blob, [])).toMatchObject({ status: 'unknown', keyType: 'ssh-ed25519' })
    expect(judgeHostKey(rsa, [pinOf('ssh-ed25519', blob)])).toMatchObject({ status: 'unknown', keyType: 'ssh-rsa' })
    const old = pinOf('ssh-ed25519', newBlob())
    expect(judgeHostKey(blob, [old])).toEqual({
      status: 'changed',
      keyType: 'ssh-ed25519',
      offeredFingerprint: fingerprintOf(blob),
      pinnedFingerprints: [old.fingerprint],
    })
  })

  it('never accepts bytes that are no key, even when a pin says so', () => {
    expect(judgeHostKey(Buffer.from([1]), [pinOf('ssh-ed25519', blob)])).toMatchObject({
      status: 'unknown',
      keyType: 'unreadable',
    })
  })

  it('asks for accepted types first and for every other after them', () => {
    expect(hostKeyAlgorithmsFor([pinOf('ssh-rsa', rsa)]).slice(0, 3)).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
    ])
    expect(hostKeyAlgorithmsFor([])[0]).toBe('ssh-ed25519')
  })
})
