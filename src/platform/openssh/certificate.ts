import { type KeyObject, randomFillSync, sign } from 'node:crypto'
import { ed25519Blob, ed25519KeyType, formatPublicKeyLine, readPublicKey, verifySshSignature } from './publicKey.ts'
import { WireError, WireReader, WireWriter } from './wire.ts'

/** PROTOCOL.certkeys of OpenSSH: the certificate format over each type of key, and how many strings such a key has. */
const formats = [
  { name: 'ssh-ed25519-cert-v01@openssh.com', keyType: ed25519KeyType, strings: 1 },
  ...['nistp256', 'nistp384', 'nistp521'].map((curve) => {
    const keyType = `ecdsa-sha2-${curve}`
    return { name: `${keyType}-cert-v01@openssh.com`, keyType, strings: 2 }
  }),
  { name: 'ssh-rsa-cert-v01@openssh.com', keyType: 'ssh-rsa', strings: 2 },
] as const
const formatByName = new Map<string, (typeof formats)[number]>(formats.map((format) => [format.name, format]))
const formatByKeyType = new Map<string, (typeof formats)[number]>(formats.map((format) => [format.keyType, format]))

export type CertificateType = 'user' | 'host'
const typeNumbers = { user: 1, host: 2 } as const

/** What is written into a certificate. Times are whole seconds since 1970. */
export interface CertificateContent {
  readonly type: CertificateType
  /** Wire form of the key that is certified: Ed25519, ECDSA or RSA. */
  readonly subjectBlob: Uint8Array
  /** 0 means that the authority gives no serials; such a certificate can be revoked by its key id only. */
  readonly serial: bigint
  readonly keyId: string
  /** Names to log in as; for a host the names it is reached by. */
  readonly principals: readonly string[]
  readonly validAfterSeconds: number
  /** `Infinity` means for ever: readable, but {@link encodeCertificate} refuses to write it. */
  readonly validBeforeSeconds: number
  /** A host certificate has neither these nor extensions. */
  readonly criticalOptions: Readonly<Record<string, string>>
  /** Name to value; a flag such as `permit-pty` has the empty value. */
  readonly extensions: Readonly<Record<string, string>>
}

export interface DecodedCertificate extends CertificateContent {
  /** Such as `ssh-ed25519-cert-v01@openssh.com`; names the type of the subject key. */
  readonly format: string
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
/** OpenSSH refuses a certificate with more (SSHKEY_CERT_MAX_PRINCIPALS). */
const mostPrincipals = 256

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
  refuseUnreadable(content)
  writeSubject(writer, content.subjectBlob)
  writer.u64(content.serial).u32(typeNumbers[content.type]).string(content.keyId)
  const principals = writer.beginString()
  for (const principal of content.principals) writer.string(principal)
  writer.endString(principals)
  writer.u64(seconds('validAfter', content.validAfterSeconds)).u64(seconds('validBefore', content.validBeforeSeconds))
  writeOptions(writer, content.criticalOptions)
  writeOptions(writer, content.extensions)
  writer.string(empty).string(signerBlob)
}

function refuseUnreadable(content: CertificateContent): void {
  if (content.serial < 0n || content.serial > maximumU64) throw new WireError('serial must fit in 64 bits')
  if (content.principals.length > mostPrincipals) throw new WireError(`more than ${mostPrincipals} principals`)
  const optionCount = Object.keys(content.criticalOptions).length + Object.keys(content.extensions).length
  if (content.type === 'host' && optionCount > 0) throw new WireError('a host certificate has no options')
}

/** The strings of the key stand in a certificate as they do in the key, behind another name and the nonce. */
function writeSubject(writer: WireWriter, subjectBlob: Uint8Array): void {
  readPublicKey(subjectBlob)
  const reader = new WireReader(subjectBlob)
  const keyType = reader.text()
  const format = formatByKeyType.get(keyType)
  if (format === undefined) throw new WireError(`no certificates over ${keyType}`)
  randomFillSync(nonce)
  writer.string(format.name).string(nonce)
  for (let index = 0; index < format.strings; index += 1) writer.string(reader.bytes())
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

/**
 * Reads any certificate over an Ed25519, ECDSA or RSA subject, whoever signed it; the signature is not checked here.
 * Throws {@link WireError} for anything else.
 */
export function decodeCertificate(blob: Uint8Array): DecodedCertificate {
  const reader = new WireReader(blob)
  const format = reader.text()
  const { nonce, subjectBlob } = readSubject(reader, format)
  const content = {
    serial: reader.u64(),
    type: certificateTypeOf(reader.u32()),
    keyId: reader.text(),
    principals: readPrincipals(reader.bytes()),
    validAfterSeconds: readSeconds(reader.u64()),
    validBeforeSeconds: readSeconds(reader.u64()),
    criticalOptions: readOptions(reader.bytes()),
    extensions: readOptions(reader.bytes()),
  }
  reader.bytes()
  const signerBlob = reader.bytes()
  const signedBytes = reader.consumed()
  const signature = reader.bytes()
  reader.end()
  return { ...content, format, nonce, subjectBlob, signerBlob, signedBytes, signature }
}

function readSubject(reader: WireReader, name: string): { readonly nonce: Buffer; readonly subjectBlob: Buffer } {
  const format = formatByName.get(name)
  if (format === undefined) throw new WireError(`not a certificate that we read: ${JSON.stringify(name.slice(0, 64))}`)
  const nonce = reader.bytes()
  const key = new WireWriter().string(format.keyType)
  for (let index = 0; index < format.strings; index += 1) key.string(reader.bytes())
  const subjectBlob = key.bytes()
  readPublicKey(subjectBlob)
  return { nonce, subjectBlob }
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
  return formatPublicKeyLine(blob, comment)
}
