import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { draftLeaf, makeRootCertificate, serverNames, signLeaf } from '../../../src/engine/pki/x509Certificates.ts'

export interface PemPair {
  readonly certificate: string
  readonly key: string
}

/** An authority of a cluster of its own, with certificates for its API server and for one administrator. */
export interface ClusterCertificates {
  readonly authority: string
  readonly server: PemPair
  readonly administrator: PemPair
}

export async function makeClusterCertificates(): Promise<ClusterCertificates> {
  const nowMs = Date.now()
  const root = newKey()
  const authority = await makeRootCertificate(root.privateKey, nowMs)
  const leaf = async (use: 'server' | 'client', commonName: string, names: readonly string[]): Promise<PemPair> => {
    const { privateKey, publicKey } = newKey()
    const draft = draftLeaf({ commonName, publicKey, use, names: serverNames(names) }, nowMs)
    const certificate = await signLeaf(draft, { privateKey: root.privateKey, certificatePem: authority })
    return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
  }
  return {
    authority,
    server: await leaf('server', 'kubernetes', ['127.0.0.1', 'localhost']),
    administrator: await leaf('client', 'administrator', ['administrator.cluster.test']),
  }
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return { privateKey: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), publicKey }
}
