import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  type CertificateContent,
  certificateSigner,
  type DecodedCertificate,
  encodeCertificate,
  verifyCertificate,
} from '../../platform/openssh/certificate.ts'
import { fingerprintOf } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'

/** An SSH authority with its key in memory. The key signs certificates of one type and cannot be taken out. */
export interface SshSigner {
  readonly publicBlob: Buffer
  readonly fingerprint: string
  /** @throws AppError CERTIFICATE_POLICY_REFUSED for a certificate of the other type */
  sign(content: CertificateContent): Buffer
  /** True when this authority signed it. */
  verify(certificate: DecodedCertificate): boolean
}

const typeOf = { 'ssh-user': 'user', 'ssh-host': 'host' } as const

export function sshSigner(kind: keyof typeof typeOf, privateKey: KeyObject): SshSigner {
  const signer = certificateSigner(privateKey)
  const publicKey = createPublicKey(privateKey)
  return {
    publicBlob: signer.publicBlob,
    fingerprint: fingerprintOf(signer.publicBlob),
    sign: (content) => {
      if (content.type !== typeOf[kind])
        throw new AppError(
          'CERTIFICATE_POLICY_REFUSED',
          `The ${typeOf[kind]} authority signs no ${content.type} certificates.`,
        )
      return encodeCertificate(content, signer)
    },
    verify: (certificate) =>
      Buffer.compare(certificate.signerBlob, signer.publicBlob) === 0 && verifyCertificate(certificate, publicKey),
  }
}
