import { createPublicKey, type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { AppError } from '../../shared/errors.ts'

/*
 * X.509 as bytes. ECDSA P-256 with SHA-256 everywhere: the TLS of a desktop engine has no Ed25519.
 */

const dayMs = 86_400_000
/** Agents enroll with clocks that nobody has looked at yet. */
const backdateMs = 3_600_000
export const rootLifeMs = 3_652 * dayMs
/** Renewed by the gateway at two thirds. */
export const serverLifeMs = 30 * dayMs
/** Renewed by agents at two thirds; one that was off for longer enrolls anew. */
export const clientLifeMs = 7 * dayMs

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const rootName = 'Lockstep agents'

/** The library needs this polyfill before it; both are loaded when the first certificate is made and not before. */
async function loadLibrary(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

// The library is typed with the names of browsers; those of Node are the same objects under names of their own.
const provider = webcrypto as never
type LibraryKey = never

async function importPrivate(key: KeyObject): Promise<LibraryKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' })
  try {
    return (await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])) as LibraryKey
  } finally {
    der.fill(0)
  }
}

async function importPublic(key: KeyObject): Promise<LibraryKey> {
  const der = key.export({ type: 'spki', format: 'der' })
  return (await webcrypto.subtle.importKey('spki', der, algorithm, true, ['verify'])) as LibraryKey
}

/** 127 random bits: positive, and never twice. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** A self-signed root that signs certificates of servers and clients and no further authority. @returns PEM */
export async function makeRootCertificate(privateKey: KeyObject, nowMs: number): Promise<string> {
  const library = await loadLibrary()
  const publicKey = await importPublic(createPublicKey(privateKey))
  const root = await library.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: newSerial(),
      name: [{ CN: [rootName] }],
      notBefore: wholeSeconds(nowMs - backdateMs),
      notAfter: wholeSeconds(nowMs + rootLifeMs),
      keys: { privateKey: await importPrivate(privateKey), publicKey },
      signingAlgorithm: algorithm,
      extensions: [
        new library.BasicConstraintsExtension(true, 0, true),
        new library.KeyUsagesExtension(library.KeyUsageFlags.keyCertSign, true),
        await library.SubjectKeyIdentifierExtension.create(publicKey, false, provider),
      ],
    },
    provider,
  )
  return root.toString('pem')
}

export interface X509Signer {
  readonly privateKey: KeyObject
  /** PEM of its own certificate. */
  readonly certificatePem: string
}

export interface LeafContent {
  readonly serial: string
  readonly commonName: string
  readonly publicKey: KeyObject
  readonly use: 'server' | 'client'
  readonly names: readonly { readonly type: 'dns' | 'ip' | 'url'; readonly value: string }[]
  /** Epoch ms, whole seconds. */
  readonly validAfter: number
  readonly validBefore: number
}

/** What a leaf made now says, before anybody signs it. */
export function draftLeaf(
  content: Pick<LeafContent, 'commonName' | 'publicKey' | 'use' | 'names'>,
  nowMs: number,
): LeafContent {
  const lifeMs = content.use === 'server' ? serverLifeMs : clientLifeMs
  return {
    ...content,
    serial: newSerial(),
    validAfter: wholeSeconds(nowMs - backdateMs).getTime(),
    validBefore: wholeSeconds(nowMs + lifeMs).getTime(),
  }
}

/** Signs, reads back and compares. @returns PEM. @throws AppError CERTIFICATE_INVALID */
export async function signLeaf(content: LeafContent, signer: X509Signer): Promise<string> {
  const library = await loadLibrary()
  const root = new library.X509Certificate(signer.certificatePem)
  const publicKey = await importPublic(content.publicKey)
  const made = await library.X509CertificateGenerator.create(
    {
      serialNumber: content.serial,
      subject: [{ CN: [content.commonName] }],
      issuer: root.subjectName,
      notBefore: new Date(content.validAfter),
      notAfter: new Date(content.validBefore),
      publicKey,
      signingKey: await importPrivate(signer.privateKey),
      signingAlgorithm: algorithm,
      extensions: [
        new library.BasicConstraintsExtension(false, undefined, true),
        new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
        new library.ExtendedKeyUsageExtension([
          content.use === 'server' ? library.ExtendedKeyUsage.serverAuth : library.ExtendedKeyUsage.clientAuth,
        ]),
        new library.SubjectAlternativeNameExtension(content.names.map((name) => ({ ...name }))),
        await library.SubjectKeyIdentifierExtension.create(publicKey, false, provider),
        await library.AuthorityKeyIdentifierExtension.create(
          await importPublic(createPublicKey(signer.privateKey)),
          false,
          provider,
        ),
      ],
    },
    provider,
  )
  const pem = made.toString('pem')
  assertFaithful(content, new X509Certificate(pem), new X509Certificate(signer.certificatePem))
  return pem
}

function assertFaithful(content: LeafContent, made: X509Certificate, root: X509Certificate): void {
  const named = (made.subjectAltName ?? '').split(', ').filter((name) => name !== '').length
  const faithful =
    made.serialNumber.toLowerCase() === content.serial &&
    made.publicKey.equals(content.publicKey) &&
    made.checkIssued(root) &&
    made.verify(root.publicKey) &&
    !made.ca &&
    named === content.names.length &&
    made.validFromDate.getTime() === content.validAfter &&
    made.validToDate.getTime() === content.validBefore
  if (faithful) return
  throw new AppError(
    'CERTIFICATE_INVALID',
    `The X.509 certificate for ${content.commonName} does not read back as it was asked for; it was thrown away.`,
  )
}

/** Host names and addresses as names of a server certificate. */
export function serverNames(names: readonly string[]): LeafContent['names'] {
  return names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value }))
}

const longestRequestCharacters = 16_384

/**
 * The key of a PKCS#10 request whose holder signed it. What else the request says does not count.
 *
 * @throws AppError INVALID_INPUT for anything but a request with a P-256 key and a good signature
 */
export async function keyOfRequest(pem: string): Promise<KeyObject> {
  try {
    if (pem.length > longestRequestCharacters) throw new Error('too long')
    const library = await loadLibrary()
    const request = new library.Pkcs10CertificateRequest(pem)
    const publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('not a P-256 key')
    if (!(await request.verify(provider))) throw new Error('its signature is wrong')
    return publicKey
  } catch (thrown) {
    const why = thrown instanceof Error && !(thrown instanceof AppError) ? thrown.message : 'it cannot be read'
    throw new AppError(
      'INVALID_INPUT',
      `certificateRequest: a PKCS#10 request in PEM over a P-256 key, signed with that key, is needed (${why.slice(0, 100)})`,
      { data: { field: 'certificateRequest' } },
    )
  }
}

function wholeSeconds(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1000) * 1000)
}
