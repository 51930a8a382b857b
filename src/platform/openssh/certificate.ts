import { type KeyObject, randomFillSync, sign } from 'node:crypto'
import { ed25519Blob, ed25519KeyType, ed25519RawOfBlob, verifySshSignature } from './publicKey.ts'
import { WireError, WireReader, WireWriter } from './wire.ts'

/** The one certificate format we make (PROTOCOL.certkeys of OpenSSH). */
export const ed25519CertificateType = 'ssh-ed25519-cert-v01@openssh.com'

export type CertificateType = 'user' | 'host'
const typeNumbers = { user: 1, host: 2 } as const

/** What is written into a certificate. Times are whole seconds since 1970. */
export interface CertificateContent {
  readonly type: CertificateType
  /** `ssh-ed25519` wire form of the key that is certified. */
  readonly subjectBlob: Uint8Array
  readonly serial: bigint
  readonly keyId: string
  readonly principals: readonly string[]
  readonly validAfterSeconds: number
  /** `Infinity` means for ever: readable, but {@link encodeCertificate} refuses to write it. */
  readonly validBeforeSeconds: number
  readonly criticalOptions: Readonly<Record<string, string>>
  /** Name to value; a flag such as `permit-pty` has the empty value. */
  readonly extensions: Readonly<Record<string, string>>
}

export interface DecodedCertificate extends CertificateContent {
  readonly nonce: Buffer
  /** Wire form of the key of the authority that signed. */
  readonly signerBlob: Buffer
  /** The bytes that were signed. */
  readonly signedBytes: Buffer
  readonly signature: Buffer
}

/** An Ed25519 signer with its public wire form cached: exporting it for each certificate costs more than signing. */
export interface CertificateSigner {
  readonly privateKey: KeyObject
  readonly publicBlob: Buffer
}

export function certificateSigner(privateKey: KeyObject): CertificateSigner {
  return { privateKey, publicBlob: ed25519Blob(privateKey) }
}

const scratch = new WireWriter()
const nonce = Buffer.alloc(32)
const empty = new Uint8Array(0)
const maximumU64 = 0xffff_ffff_ffff_ffffn

/** Encodes and signs. Throws {@link WireError} on content that OpenSSH could not read back; policy is not decided here. */
export function encodeCertificate(content: CertificateContent, signer: CertificateSigner): Buffer {
  const writer = scratch.reset()
  writeSignedPart(writer, content, signer.publicBlob)
  const signature = sign(null, writer.view(), signer.privateKey)
  const mark = writer.beginString()
  writer.string(ed25519KeyType).string(signature).endString(mark)
  return writer.bytes()
}

function writeSignedPart(writer: WireWriter, content: CertificateContent, signerBlob: Uint8Array): void {
  if (content.serial < 0n || content.serial > maximumU64) throw new WireError('serial must fit in 64 bits')
  randomFillSync(nonce)
  writer.string(ed25519CertificateType).string(nonce).string(ed25519RawOfBlob(content.subjectBlob))
  writer.u64(content.serial).u32(typeNumbers[content.type]).string(content.keyId)
  const principals = writer.beginString()
  for (const principal of content.principals) writer.string(principal)
  writer.endString(principals)
  writer.u64(seconds('validAfter', content.validAfterSeconds)).u64(seconds('validBefore', content.validBeforeSeconds))
  writeOptions(writer, content.criticalOptions)
  writeOptions(writer, content.extensions)
  writer.string(empty).string(signerBlob)
}

function seconds(field: string, value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new WireError(`${field} must be whole seconds since 1970`)
  return BigInt(value)
}

/** Options must be sorted by name in byte order; a value is a string inside a string, a flag an empty one. */
function writeOptions(writer: WireWriter, options: Readonly<Record<string, string>>): void {
  const outer = writer.beginString()
  for (const name of Object.keys(options).sort(byBytes)) {
    writer.string(name)
    const value = options[name] ?? ''
    const inner = writer.beginString()
    if (value !== '') writer.string(value)
    writer.endString(inner)
  }
  writer.endString(outer)
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** Reads any certificate over an Ed25519 subject, whoever signed it. The signature is not checked here. */
export function decodeCertificate(blob: Uint8Array): DecodedCertificate {
  const reader = new WireReader(blob)
  const format = reader.text()
  if (format !== ed25519CertificateType) throw new WireError(`expected ${ed25519CertificateType}, got ${format}`)
  const nonceBytes = reader.bytes()
  const subject = reader.bytes()
  if (subject.length !== 32) throw new WireError('an Ed25519 key has 32 bytes')
  const serial = reader.u64()
  const type = certificateTypeOf(reader.u32())
  const keyId = reader.text()
  const principals = readPrincipals(reader.bytes())
  const validAfterSeconds = readSeconds(reader.u64())
  const validBeforeSeconds = readSeconds(reader.u64())
  const criticalOptions = readOptions(reader.bytes())
  const extensions = readOptions(reader.bytes())
  reader.bytes()
  const signerBlob = reader.bytes()
  const signedBytes = reader.consumed()
  const signature = reader.bytes()
  reader.end()
  const subjectBlob = new WireWriter().string(ed25519KeyType).string(subject).bytes()
  return {
    type,
    subjectBlob,
    serial,
    keyId,
    principals,
    validAfterSeconds,
    validBeforeSeconds,
    criticalOptions,
    extensions,
    nonce: nonceBytes,
    signerBlob,
    signedBytes,
    signature,
  }
}

/** True when the authority named inside the certificate really signed these bytes. */
export function verifyCertificate(certificate: DecodedCertificate, signerKey?: KeyObject): boolean {
  return verifySshSignature(certificate.signerBlob, certificate.signedBytes, certificate.signature, signerKey)
}

function certificateTypeOf(value: number): CertificateType {
  if (value === typeNumbers.user) return 'user'
  if (value === typeNumbers.host) return 'host'
  throw new WireError(`unknown certificate type ${value}`)
}

function readSeconds(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)
}

function readPrincipals(bytes: Uint8Array): string[] {
  const reader = new WireReader(bytes)
  const principals: string[] = []
  while (!reader.done) principals.push(reader.text())
  return principals
}

function readOptions(bytes: Uint8Array): Record<string, string> {
  const reader = new WireReader(bytes)
  const options: Record<string, string> = Object.create(null)
  let previous: string | undefined
  while (!reader.done) {
    const name = reader.text()
    if (previous !== undefined && byBytes(previous, name) >= 0)
      throw new WireError('options are not sorted or not unique')
    previous = name
    const inner = new WireReader(reader.bytes())
    options[name] = inner.done ? '' : inner.text()
    inner.end()
  }
  return options
}

/** The line OpenSSH expects in a `-cert.pub` file, without the line end. */
export function formatCertificateLine(blob: Uint8Array, comment = ''): string {
  const line = `${ed25519CertificateType} ${Buffer.from(blob).toString('base64')}`
  return comment === '' ? line : `${line} ${comment}`
}
