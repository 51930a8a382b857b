import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import {
  ed25519Blob,
  ed25519RawOfBlob,
  fingerprintOf,
  formatPublicKeyLine,
  parsePublicKeyLine,
} from '../../platform/openssh/publicKey.ts'
import type { AuthorityKind } from '../../shared/model/certificate.ts'
import { makeRootCertificate } from './x509Certificates.ts'

/** How the key of one kind of authority is made, named and kept. */
export interface KeyFormat {
  readonly kind: AuthorityKind
  /** In a sentence: "the user authority". */
  readonly name: string
  /** In the home's `keys` directory. */
  readonly keyFileName: string
  /** What is handed out, beside it. That it is there means that others trust the key. */
  readonly publicFileName: string
  generate(nowMs: number): Promise<{ readonly privateKey: KeyObject; readonly publicKey: string }>
  /** Throws for what is no public key of this kind. */
  fingerprintOf(publicKey: string): string
  belongsTo(privateKey: KeyObject, publicKey: string): boolean
  /** Epoch ms; null for keys that do not end. */
  validBefore(publicKey: string): number | null
}

function sshFormat(
  kind: AuthorityKind,
  names: Pick<KeyFormat, 'name' | 'keyFileName' | 'publicFileName'> & { readonly comment: string },
): KeyFormat {
  const blobOf = (line: string): Buffer => {
    const { blob } = parsePublicKeyLine(line)
    ed25519RawOfBlob(blob)
    return blob
  }
  return {
    kind,
    ...names,
    generate: async () => {
      const { privateKey } = generateKeyPairSync('ed25519')
      return { privateKey, publicKey: formatPublicKeyLine(ed25519Blob(privateKey), names.comment) }
    },
    fingerprintOf: (line) => fingerprintOf(blobOf(line)),
    belongsTo: (privateKey, line) =>
      privateKey.asymmetricKeyType === 'ed25519' && Buffer.compare(ed25519Blob(privateKey), blobOf(line)) === 0,
    validBefore: () => null,
  }
}

const x509Format: KeyFormat = {
  kind: 'x509',
  name: 'the X.509 authority',
  keyFileName: 'x509-ca.json',
  publicFileName: 'root_ca.crt',
  generate: async (nowMs) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { privateKey, publicKey: await makeRootCertificate(privateKey, nowMs) }
  },
  fingerprintOf: (pem) => createHash('sha256').update(new X509Certificate(pem).raw).digest('hex'),
  belongsTo: (privateKey, pem) => new X509Certificate(pem).publicKey.equals(createPublicKey(privateKey)),
  validBefore: (pem) => new X509Certificate(pem).validToDate.getTime(),
}

/** The three authorities (S0.16, F54): each with a key of its own in a file of its own. */
export const keyFormats: Readonly<Record<AuthorityKind, KeyFormat>> = {
  'ssh-user': sshFormat('ssh-user', {
    name: 'the user authority',
    keyFileName: 'user-ca.json',
    publicFileName: 'trusted_user_ca.pub',
    comment: 'lockstep-user-ca',
  }),
  'ssh-host': sshFormat('ssh-host', {
    name: 'the host authority',
    keyFileName: 'host-ca.json',
    publicFileName: 'trusted_host_ca.pub',
    comment: 'lockstep-host-ca',
  }),
  x509: x509Format,
}
