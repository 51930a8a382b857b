import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'
import ssh2 from 'ssh2'
import { describe, expect, it } from 'vitest'
import { ed25519Blob } from '../../platform/openssh/publicKey.ts'
import { enableIdentityLogin, IdentityAgent } from './identityLogin.ts'

const publicKeyBlob = ed25519Blob(generateKeyPairSync('ed25519').publicKey)
const sign = () => Buffer.alloc(64)
const identity = { kind: 'certificate', publicKeyBlob, certificateBlob: Buffer.from('the certificate'), sign } as const

describe('the corrections to ssh2 (U1)', () => {
  it('fails loudly when another version of ssh2 is installed: read its authPK before changing this number', () => {
    const { version } = createRequire(import.meta.url)('ssh2/package.json') as { version: string }
    expect(version).toBe('1.17.0')
  })

  it('the agent shows the certificate, and ssh2 takes what it shows', () => {
    let shown: { type: string; getPublicSSH(): Buffer } | undefined
    new IdentityAgent(identity).getIdentities((_error, keys) => {
      shown = keys?.[0]
    })
    expect(shown?.type).toBe('ssh-ed25519-cert-v01@openssh.com')
    expect(shown?.getPublicSSH()).toEqual(identity.certificateBlob)
    expect(ssh2.utils.parseKey(shown as never)).toBe(shown)
  })

  it('D9 the agent shows a static key as it is', () => {
    let shown: { type: string; getPublicSSH(): Buffer } | undefined
    new IdentityAgent({ kind: 'static-key', publicKeyBlob, sign }).getIdentities((_error, keys) => {
      shown = keys?.[0]
    })
    expect(shown?.type).toBe('ssh-ed25519')
    expect(shown?.getPublicSSH()).toEqual(publicKeyBlob)
  })

  it('a client without the internals we rely on is refused instead of logging in wrongly', () => {
    expect(() => enableIdentityLogin(new ssh2.Client(), identity)).toThrow(/ssh2 1\.17\.0/)
  })
})
