import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto'
import { AppError } from '../../shared/errors.ts'
import type { AuthorityUrl } from './authorityCall.ts'
import { openWithPassword } from './pbes2.ts'
import type { StepCaProvisionerEntry } from './provisioners.ts'

/** Signs tokens in the name of a provisioner. */
export interface ProvisionerKey {
  readonly provisioner: string
  /** @returns compact JWS over these claims */
  signToken(claims: Readonly<Record<string, unknown>>): string
}

interface TokenAlgorithm {
  readonly name: string
  sign(data: Uint8Array, key: KeyObject): Buffer
}

const ecdsa = (name: string, hash: string): TokenAlgorithm => ({
  name,
  sign: (data, key) => sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }),
})
const algorithmsByCurve = new Map<string, TokenAlgorithm>([
  ['P-256', ecdsa('ES256', 'sha256')],
  ['P-384', ecdsa('ES384', 'sha384')],
  ['P-521', ecdsa('ES512', 'sha512')],
  ['Ed25519', { name: 'EdDSA', sign: (data, key) => sign(null, data, key) }],
])
const rsa: TokenAlgorithm = { name: 'RS256', sign: (data, key) => sign('sha256', data, key) }

/**
 * Opens the key of a JWK provisioner. Neither the password nor anything of the key is in an error.
 *
 * @throws AppError AUTHORITY_REFUSED with `data.reason` `password-wrong` or `provisioner-unsuitable`
 */
export async function unlockProvisionerKey(
  url: AuthorityUrl,
  provisioner: StepCaProvisionerEntry,
  password: string,
): Promise<ProvisionerKey> {
  const { keyId, encryptedKey } = usableKey(url, provisioner)
  const opened = await openWithPassword(encryptedKey, password)
  if (opened.kind === 'wrong-password') {
    throw refusedLocally('password-wrong', provisioner, 'this password does not open its key. Enter it again', url)
  }
  if (opened.kind === 'unreadable') throw refusedLocally('provisioner-unsuitable', provisioner, opened.why, url)
  const key = importKey(opened.plaintext)
  opened.plaintext.fill(0)
  if (key === null) throw refusedLocally('provisioner-unsuitable', provisioner, 'its key is of no known type', url)
  const header = { alg: key.algorithm.name, kid: keyId, typ: 'JWT' }
  return {
    provisioner: provisioner.name,
    signToken: (claims) => {
      const content = `${encode(header)}.${encode(claims)}`
      return `${content}.${key.algorithm.sign(Buffer.from(content), key.privateKey).toString('base64url')}`
    },
  }
}

function usableKey(url: AuthorityUrl, provisioner: StepCaProvisionerEntry): { keyId: string; encryptedKey: string } {
  const { keyId, encryptedKey, type } = provisioner
  if (type !== 'JWK' || keyId === null) {
    const why = `it is of type ${type}; only the key of a JWK provisioner opens with a password`
    throw refusedLocally('provisioner-unsuitable', provisioner, why, url)
  }
  if (encryptedKey === null) {
    const why = 'the authority does not hand out its key. Use a token made with `step ca token`'
    throw refusedLocally('provisioner-unsuitable', provisioner, why, url)
  }
  return { keyId, encryptedKey }
}

function refusedLocally(
  reason: 'password-wrong' | 'provisioner-unsuitable',
  provisioner: StepCaProvisionerEntry,
  why: string,
  url: AuthorityUrl,
): AppError {
  return new AppError('AUTHORITY_REFUSED', `provisioner "${provisioner.name}" of step-ca at ${url}: ${why}`, {
    data: { url, reason, provisioner: provisioner.name },
  })
}

/** Null instead of an exception: what a parser says about key material may quote it. */
function importKey(plaintext: Buffer): { readonly privateKey: KeyObject; readonly algorithm: TokenAlgorithm } | null {
  try {
    const jwk = JSON.parse(plaintext.toString('utf8')) as JsonWebKey
    const algorithm = jwk.kty === 'RSA' ? rsa : algorithmsByCurve.get(String(jwk.crv))
    return algorithm === undefined ? null : { privateKey: createPrivateKey({ key: jwk, format: 'jwk' }), algorithm }
  } catch {
    return null
  }
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
