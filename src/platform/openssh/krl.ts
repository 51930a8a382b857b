import { createHash } from 'node:crypto'
import type { DecodedCertificate } from './certificate.ts'
import { mergeSerials, RevokedSerials, type SerialRange, writeSerials } from './krlSerials.ts'
import { fingerprintOf, importPublicKey, keyTypeOf, readPublicKey } from './publicKey.ts'
import { WireError, WireReader, WireWriter } from './wire.ts'

/*
 * Key revocation lists (PROTOCOL.krl of OpenSSH), the content of sshd's RevokedKeys. A list that sshd cannot read lets
 * nobody in, so the encoder refuses whatever sshd would reject, and the decoder rejects it too.
 */

/** What one authority no longer stands for. */
export interface AuthorityRevocations {
  /** Wire form of the authority's key; null: whoever signed. */
  readonly publicKeyBlob: Uint8Array | null
  /** In any order; 0 is refused. */
  readonly serials: readonly (bigint | SerialRange)[]
  readonly keyIds: readonly string[]
}

export interface KrlContent {
  /** Grows with every change. 64 bits. */
  readonly version: bigint
  /** Whole seconds since 1970. */
  readonly generatedAtSeconds: number
  readonly comment: string
  readonly authorities: readonly AuthorityRevocations[]
  /** Wire forms of keys that are refused with and without a certificate. */
  readonly explicitKeys?: readonly Uint8Array[]
  /** The same by fingerprint, `SHA256:…`. */
  readonly fingerprints?: readonly string[]
}

const magic = Buffer.from('SSHKRL\n\0')
const formatVersion = 1
const sectionType = { certificates: 1, explicitKey: 2, sha1: 3, signature: 4, sha256: 5, extension: 255 } as const
const certificateSectionType = { keyId: 0x23, extension: 0x39 } as const
const empty = new Uint8Array(0)

/** Far more than a fleet needs, and less than the 128 MiB that sshd reads. */
const largestBytes = 4 * 1024 * 1024

/**
 * Encodes a list; the same content, in whatever order, gives the same bytes. Without anything in it the list is valid and
 * refuses nobody. Throws {@link WireError} on content that sshd would reject.
 */
export function encodeKrl(content: KrlContent): Buffer {
  const writer = new WireWriter()
  writer.raw(magic).u32(formatVersion).u64(content.version).u64(wholeSeconds(content.generatedAtSeconds)).u64(0n)
  writer.string(empty).string(content.comment)
  for (const authority of byAuthority(content.authorities)) writeAuthority(writer, authority)
  const keys = content.explicitKeys ?? []
  for (const key of keys) readPublicKey(key)
  writeStrings(writer, sectionType.explicitKey, keys)
  writeStrings(writer, sectionType.sha256, (content.fingerprints ?? []).map(hashOfFingerprint))
  if (writer.view().length > largestBytes) throw new WireError(`the list would be larger than ${largestBytes} bytes`)
  return writer.bytes()
}

function wholeSeconds(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new WireError('generatedAt must be whole seconds since 1970')
  return BigInt(value)
}

/** One entry for each authority, in the order of their keys, whoever signed last. */
function byAuthority(authorities: readonly AuthorityRevocations[]): AuthorityRevocations[] {
  const grouped = Map.groupBy(authorities, ({ publicKeyBlob }) => hexOf(publicKeyBlob))
  return [...grouped]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, entries]) => ({
      publicKeyBlob: entries[0]?.publicKeyBlob ?? null,
      serials: entries.flatMap(({ serials }) => serials),
      keyIds: entries.flatMap(({ keyIds }) => keyIds),
    }))
}

const afterEveryHex = 'x'
function hexOf(blob: Uint8Array | null): string {
  return blob === null ? afterEveryHex : Buffer.from(blob).toString('hex')
}

function writeAuthority(writer: WireWriter, { publicKeyBlob, serials, keyIds }: AuthorityRevocations): void {
  if (publicKeyBlob !== null) importPublicKey(publicKeyBlob)
  if (serials.length === 0 && keyIds.length === 0) return
  const mark = writer.u8(sectionType.certificates).beginString()
  writer.string(publicKeyBlob ?? empty).string(empty)
  writeSerials(writer, mergeSerials(serials))
  writeStrings(writer, certificateSectionType.keyId, keyIds)
  writer.endString(mark)
}

/** Sorted by bytes, each once; nothing at all when there is none, since sshd wants at least one. */
function writeStrings<T extends string | Uint8Array>(writer: WireWriter, type: number, strings: readonly T[]): void {
  if (strings.length === 0) return
  const byHex = new Map(strings.map((string) => [Buffer.from(string).toString('hex'), string]))
  const mark = writer.u8(type).beginString()
  for (const hex of [...byHex.keys()].sort()) writer.string(byHex.get(hex) ?? empty)
  writer.endString(mark)
}

function hashOfFingerprint(fingerprint: string): Buffer {
  const hash = Buffer.from(fingerprint.replace(/^SHA256:/, ''), 'base64')
  if (formatFingerprint(hash) !== fingerprint) throw new WireError(`not a SHA256 fingerprint: ${fingerprint}`)
  return hash
}

function formatFingerprint(hash: Uint8Array): string {
  return `SHA256:${Buffer.from(hash).toString('base64').replace(/=+$/, '')}`
}

export interface DecodedAuthorityRevocations {
  /** Null: whoever signed. */
  readonly publicKeyBlob: Buffer | null
  readonly serials: RevokedSerials
  readonly keyIds: readonly string[]
}

export interface DecodedKrl {
  readonly version: bigint
  /** `Infinity` for a time beyond counting. */
  readonly generatedAtSeconds: number
  readonly comment: string
  readonly authorities: readonly DecodedAuthorityRevocations[]
  readonly explicitKeys: readonly Buffer[]
  /** `SHA256:…` */
  readonly fingerprints: readonly string[]
  /** SHA-1 of keys, in hexadecimal: never written by us, obeyed by sshd. */
  readonly sha1Hashes: readonly string[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/**
 * Reads a list, ours or one that ssh-keygen made. Throws {@link WireError} for what is no list, for what sshd would
 * reject, for a signed list (refused by OpenSSH since 9.4) and for extensions that must be understood.
 */
export function decodeKrl(bytes: Uint8Array): DecodedKrl {
  if (bytes.length > largestBytes)
    throw new WireError(`a list of ${bytes.length} bytes; at most ${largestBytes} are read`)
  const reader = new WireReader(bytes)
  const krl: Mutable<DecodedKrl> = {
    ...readHeader(reader),
    authorities: [],
    explicitKeys: [],
    fingerprints: [],
    sha1Hashes: [],
  }
  while (!reader.done) readSection(krl, reader.u8(), reader.bytes())
  return krl
}

function readHeader(reader: WireReader): Pick<DecodedKrl, 'version' | 'generatedAtSeconds' | 'comment'> {
  if (!reader.raw(magic.length).equals(magic)) throw new WireError('not a key revocation list')
  const format = reader.u32()
  if (format !== formatVersion)
    throw new WireError(`a key revocation list of format ${format}; only ${formatVersion} is known`)
  const version = reader.u64()
  const generatedAt = reader.u64()
  reader.u64()
  reader.bytes()
  const generatedAtSeconds =
    generatedAt > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(generatedAt)
  return { version, generatedAtSeconds, comment: reader.text() }
}

function readSection(krl: Mutable<DecodedKrl>, type: number, data: Buffer): void {
  if (type === sectionType.certificates) krl.authorities.push(readAuthority(data))
  else if (type === sectionType.explicitKey) for (const blob of blobsOf(data)) krl.explicitKeys.push(blob)
  else if (type === sectionType.sha256)
    for (const hash of blobsOf(data, 32)) krl.fingerprints.push(formatFingerprint(hash))
  else if (type === sectionType.sha1) for (const hash of blobsOf(data, 20)) krl.sha1Hashes.push(hash.toString('hex'))
  else if (type === sectionType.extension) skipExtension(data)
  else throw new WireError(`section ${type} of a key revocation list is not known or not allowed`)
}

function readAuthority(data: Buffer): DecodedAuthorityRevocations {
  const reader = new WireReader(data)
  const publicKeyBlob = reader.bytes()
  if (publicKeyBlob.length > 0) keyTypeOf(publicKeyBlob)
  reader.bytes()
  const serials = new RevokedSerials()
  const keyIds: string[] = []
  while (!reader.done) {
    const type = reader.u8()
    const part = reader.bytes()
    if (serials.read(type, part)) continue
    if (type === certificateSectionType.keyId) readKeyIds(part, keyIds)
    else if (type === certificateSectionType.extension) skipExtension(part)
    else throw new WireError(`section ${type} about an authority is not known`)
  }
  return { publicKeyBlob: publicKeyBlob.length > 0 ? publicKeyBlob : null, serials, keyIds }
}

function readKeyIds(data: Buffer, keyIds: string[]): void {
  const reader = new WireReader(data)
  while (!reader.done) keyIds.push(reader.text())
}

function* blobsOf(data: Buffer, expectedBytes?: number): Generator<Buffer, void, undefined> {
  const reader = new WireReader(data)
  while (!reader.done) {
    const blob = reader.bytes()
    if (expectedBytes !== undefined && blob.length !== expectedBytes)
      throw new WireError(`a hash of ${blob.length} bytes instead of ${expectedBytes}`)
    yield blob
  }
}

/** An extension may be ignored unless it says that it must be understood. */
function skipExtension(data: Buffer): void {
  const reader = new WireReader(data)
  const name = reader.text()
  if (reader.u8() !== 0) throw new WireError(`the list needs the extension ${JSON.stringify(name.slice(0, 64))}`)
  reader.bytes()
  reader.end()
}

/** What sshd decides about this certificate: by key, by the authority's key, by key id, by serial. */
export function isRevoked(
  krl: DecodedKrl,
  certificate: Pick<DecodedCertificate, 'subjectBlob' | 'signerBlob' | 'serial' | 'keyId'>,
): boolean {
  const { subjectBlob, signerBlob, serial, keyId } = certificate
  if (isKeyRevoked(krl, subjectBlob) || isKeyRevoked(krl, signerBlob)) return true
  return krl.authorities
    .filter(({ publicKeyBlob }) => publicKeyBlob === null || Buffer.compare(publicKeyBlob, signerBlob) === 0)
    .some(({ serials, keyIds }) => keyIds.includes(keyId) || serials.has(serial))
}

function isKeyRevoked(krl: DecodedKrl, keyBlob: Uint8Array): boolean {
  return (
    krl.explicitKeys.some((blob) => Buffer.compare(blob, keyBlob) === 0) ||
    krl.fingerprints.includes(fingerprintOf(keyBlob)) ||
    (krl.sha1Hashes.length > 0 && krl.sha1Hashes.includes(createHash('sha1').update(keyBlob).digest('hex')))
  )
}
