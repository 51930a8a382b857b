import { createHash, createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
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
  const raw = ed25519Point(reader)
  reader.end()
  return raw
}

// Maps, since these names come from outside: an object would also know "constructor".
const ecdsaCurves = new Map([
  ['ecdsa-sha2-nistp256', { jwk: 'P-256', bytes: 32, hash: 'sha256' }],
  ['ecdsa-sha2-nistp384', { jwk: 'P-384', bytes: 48, hash: 'sha384' }],
  ['ecdsa-sha2-nistp521', { jwk: 'P-521', bytes: 66, hash: 'sha512' }],
])

const rsaKeyType = 'ssh-rsa'
/** What OpenSSH takes; `ssh-rsa` itself means SHA-1 and is refused. */
const rsaHashes = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
])
const rsaModulusBytes = { least: 128, most: 2048 } as const
const longestRsaExponentBytes = 8

/**
 * The numbers inside an Ed25519, ECDSA or RSA key blob. Throws {@link WireError} for anything else and for what is
 * malformed; whether a point lies on its curve is checked by {@link importPublicKey}.
 */
export function readPublicKey(blob: Uint8Array): JsonWebKey {
  const reader = new WireReader(blob)
  const keyType = reader.text()
  const key = readNumbers(reader, keyType)
  reader.end()
  return key
}

function readNumbers(reader: WireReader, keyType: string): JsonWebKey {
  if (keyType === ed25519KeyType) return { kty: 'OKP', crv: 'Ed25519', x: ed25519Point(reader).toString('base64url') }
  if (keyType === rsaKeyType) return readRsa(reader)
  const curve = ecdsaCurves.get(keyType)
  if (curve === undefined) throw new WireError(`unknown key type ${JSON.stringify(keyType.slice(0, 64))}`)
  if (`ecdsa-sha2-${reader.text()}` !== keyType) throw new WireError('the curve is not the one of the key type')
  const point = reader.bytes()
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new WireError('expected an uncompressed curve point')
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)]
  return { kty: 'EC', crv: curve.jwk, x: x.toString('base64url'), y: y.toString('base64url') }
}

function ed25519Point(reader: WireReader): Buffer {
  const raw = reader.bytes()
  if (raw.length !== 32) throw new WireError(`an Ed25519 key has 32 bytes, this one ${raw.length}`)
  return raw
}

function readRsa(reader: WireReader): JsonWebKey {
  const exponent = reader.positiveMpint()
  const modulus = reader.positiveMpint()
  if (exponent.length > longestRsaExponentBytes) throw new WireError('the RSA exponent is too large')
  if (modulus.length < rsaModulusBytes.least || modulus.length > rsaModulusBytes.most)
    throw new WireError(`an RSA key of ${modulus.length * 8} bits; from 1024 to 16384 are taken`)
  return { kty: 'RSA', e: exponent.toString('base64url'), n: modulus.toString('base64url') }
}

/** Imports an Ed25519, ECDSA or RSA public key blob. Throws {@link WireError} for other algorithms and impossible keys. */
export function importPublicKey(blob: Uint8Array): KeyObject {
  const key = readPublicKey(blob)
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    throw new WireError(`not a possible ${keyTypeOf(blob)} key`)
  }
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
  const algorithm = reader.text()
  const body = reader.bytes()
  reader.end()
  if (keyType === rsaKeyType) {
    const hash = rsaHashes.get(algorithm)
    return hash !== undefined && verify(hash, data, key, body)
  }
  if (algorithm !== keyType) return false
  const curve = ecdsaCurves.get(keyType)
  if (curve === undefined) return body.length === 64 && verify(null, data, key, body)
  return verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, ecdsaFixedWidth(body, curve.bytes))
}

/** SSH writes r and s as two mpints; node wants both left-padded to the width of the curve. */
function ecdsaFixedWidth(body: Uint8Array, width: number): Buffer {
  const reader = new WireReader(body)
  const out = Buffer.alloc(2 * width)
  for (const end of [width, 2 * width]) {
    const digits = reader.positiveMpint()
    if (digits.length > width) throw new WireError('ECDSA signature number too long')
    out.set(digits, end - digits.length)
  }
  reader.end()
  return out
}
