import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createFileAtomic } from '../../platform/atomicFile.ts'
import { AppError } from '../../shared/errors.ts'

/** The key this agent proves itself with to the control plane. */
export interface ClientKey {
  /** PKCS#8, PEM. */
  readonly privateKey: string
  /** SPKI, PEM. */
  readonly publicKey: string
}

/** Reads the P-256 key, or makes one (0600) when there is none: an enrolment that broke off goes on with the same key. */
export async function ensureClientKey(path: string): Promise<ClientKey> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await createFileAtomic(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  return readClientKey(path)
}

export async function readClientKey(path: string): Promise<ClientKey> {
  const pem = await readFile(path, 'utf8')
  try {
    const privateKey = createPrivateKey(pem)
    return {
      privateKey: pem,
      publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
    }
  } catch {
    // The parser's message may quote the key.
    throw new AppError('INVALID_INPUT', `${path} is not a private key. Remove it and enroll again.`)
  }
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A PKCS#10 request in PEM. The name is for people; the control plane decides who we are. */
export async function makeCertificateRequest(key: ClientKey, commonName: string): Promise<string> {
  // Loaded when needed: most commands never make a request.
  await import('reflect-metadata')
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509')
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: [{ CN: [commonName] }], keys: (await importKeys(key)) as never, signingAlgorithm: algorithm },
    webcrypto as never,
  )
  return request.toString('pem')
}

async function importKeys(key: ClientKey): Promise<webcrypto.CryptoKeyPair> {
  const privateKey = createPrivateKey(key.privateKey)
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
  }
}
