import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { WireError, WireReader, WireWriter } from './wire.ts'

export const ed25519KeyType = 'ssh-ed25519'

/** One public key as OpenSSH writes it on a line: `ssh-ed25519 AAAA... comment`. */
export interface PublicKeyLine {
  readonly keyType: string
  /** The wire form, beginning with the key type. */
  readonly blob: Buffer
  readonly comment: string
}

const linePattern = /^([a-z0-9][a-z0-9@.-]*)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/

/** Throws {@link WireError} unless the line is one public key whose inner type equals the outer one. */
export function parsePublicKeyLine(line: string): PublicKeyLine {
  const match = linePattern.exec(line.trim())
  if (match === null) throw new WireError('not an OpenSSH public key line (expected "<type> <base64> [comment]")')
  const [, keyType = '', base64 = '', comment = ''] = match
  const blob = Buffer.from(base64, 'base64')
  const inner = keyTypeOf(blob)
  if (inner !== keyType) throw new WireError(`the line says ${keyType} but the key says ${inner}`)
  return { keyType, blob, comment }
}

export function formatPublicKeyLine(blob: Uint8Array, comment = ''): string {
  const line = `${keyTypeOf(blob)} ${Buffer.from(blob).toString('base64')}`
  return comment === '' ? line : `${line} ${comment}`
}

/** The algorithm name at the front of a key or certificate blob. */
export function keyTypeOf(blob: Uint8Array): string {
  return new WireReader(blob).text()
}

/** `SHA256:...` exactly as `ssh-keygen -lf` prints it. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** The wire form of an Ed25519 key; for a private key, of its public half. */
export function ed25519Blob(key: KeyObject): Buffer {
  return new WireWriter().string(ed25519KeyType).string(ed25519Raw(key)).bytes()
}

/** The 32 public bytes of an Ed25519 key. */
export function ed25519Raw(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== 'ed25519')
    throw new WireError(`expected an Ed25519 key, got ${String(key.asymmetricKeyType)}`)
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** The 32 public bytes inside an `ssh-ed25519` blob. */
export function ed25519RawOfBlob(blob: Uint8Array): Buffer {
  const reader = new WireReader(blob)
  const keyType = reader.text()
  if (keyType !== ed25519KeyType) throw new WireError(`expected ${ed25519KeyType}, got ${keyType}`)
  const raw = reader.bytes()
  reader.end()
  if (raw.length !== 32) throw new WireError(`an Ed25519 key has 32 bytes, this one ${raw.length}`)
  return raw
}

const ecdsaCurves: Readonly<Record<string, { readonly jwk: string; readonly bytes: number; readonly hash: string }>> = {
  'ecdsa-sha2-nistp256': { jwk: 'P-256', bytes: 32, hash: 'sha256' },
  'ecdsa-sha2-nistp384': { jwk: 'P-384', bytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { jwk: 'P-521', bytes: 66, hash: 'sha512' },
}

/** Imports an Ed25519 or ECDSA public key blob. Other algorithms are refused with {@link WireError}. */
export function importPublicKey(blob: Uint8Array): KeyObject {
  const keyType = keyTypeOf(blob)
  const curve = ecdsaCurves[keyType]
  if (curve === undefined) {
    const x = ed25519RawOfBlob(blob).toString('base64url')
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  }
  const reader = new WireReader(blob)
  reader.text()
  reader.text()
  const point = reader.bytes()
  reader.end()
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new WireError('expected an uncompressed curve point')
  const x = point.subarray(1, 1 + curve.bytes).toString('base64url')
  const y = point.subarray(1 + curve.bytes).toString('base64url')
  return createPublicKey({ key: { kty: 'EC', crv: curve.jwk, x, y }, format: 'jwk' })
}

/**
 * Checks an SSH signature blob (`string algorithm, string bytes`) made by the key in `signerBlob`.
 * Returns false for a wrong signature and for an algorithm that is not the signer's own.
 */
export function verifySshSignature(
  signerBlob: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
  key = importPublicKey(signerBlob),
): boolean {
  const keyType = keyTypeOf(signerBlob)
  const reader = new WireReader(signature)
  if (reader.text() !== keyType) return false
  const body = reader.bytes()
  reader.end()
  const curve = ecdsaCurves[keyType]
  if (curve === undefined) return body.length === 64 && verify(null, data, key, body)
  return verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, ecdsaFixedWidth(body, curve.bytes))
}

/** SSH writes r and s as two mpints; node wants both left-padded to the width of the curve. */
function ecdsaFixedWidth(body: Uint8Array, width: number): Buffer {
  const reader = new WireReader(body)
  const out = Buffer.alloc(2 * width)
  for (const end of [width, 2 * width]) {
    const mpint = reader.bytes()
    const digits = mpint[0] === 0 ? mpint.subarray(1) : mpint
    if (digits.length > width) throw new WireError('ECDSA signature number too long')
    out.set(digits, end - digits.length)
  }
  reader.end()
  return out
}
