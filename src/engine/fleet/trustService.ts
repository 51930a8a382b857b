import type { RevocationPreview, RevocationTargets } from '../../shared/contract/certificates.ts'
import { AppError } from '../../shared/errors.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  IssuedCertificate,
  KrlStatus,
  RotationProgress,
} from '../../shared/model/certificate.ts'
import type { CertificateAuthority } from '../ports.ts'

/** Authorities, their rotation and what is revoked, with everything in the fleet that follows from it. */
export interface TrustService {
  authorities(): Promise<Authority[]>
  createAuthorities(kinds: readonly AuthorityKind[], operator: string): Promise<Authority[]>
  exportAuthority(kind: AuthorityKind): Promise<AuthorityExport[]>
  /** Null while no rotation of this kind is under way. */
  rotationProgress(kind: AuthorityKind): Promise<RotationProgress | null>
  startRotation(kind: AuthorityKind, operator: string): Promise<Authority>
  advanceRotation(kind: AuthorityKind, leaveBehind: readonly string[], operator: string): Promise<Authority>
  rollBackRotation(kind: AuthorityKind, operator: string): Promise<Authority>
  previewRevocation(targets: RevocationTargets): Promise<RevocationPreview>
  revoke(
    targets: RevocationTargets,
    options: { readonly reason: string; readonly operator: string },
  ): Promise<{ revoked: IssuedCertificate[]; krl: KrlStatus; runs: number }>
  krl(): Promise<KrlStatus>
  krlFile(): Promise<{ krl: KrlStatus; base64: string }>
}

interface TrustServiceDependencies {
  readonly authority: Pick<CertificateAuthority, 'describe'>
}

const notYet = (): Promise<never> =>
  Promise.reject(new AppError('UNSUPPORTED', 'Rotation and revocation are not put in yet.'))

export function createTrustService({ authority }: TrustServiceDependencies): TrustService {
  const authorities = async (): Promise<Authority[]> => [await authority.describe()]

  async function exportAuthority(kind: AuthorityKind): Promise<AuthorityExport[]> {
    if (kind !== 'ssh-user') throw new AppError('NOT_FOUND', `There is no ${kind} authority yet.`, { data: { kind } })
    const { publicKey, fingerprint } = await authority.describe()
    return [
      {
        kind,
        fileName: 'trusted_user_ca.pub',
        use: 'On every node, name this file in sshd_config: TrustedUserCAKeys /etc/ssh/ca/trusted_user_ca.pub',
        content: `${publicKey}\n`,
        fingerprints: [fingerprint],
      },
    ]
  }

  return {
    authorities,
    createAuthorities: authorities,
    exportAuthority,
    rotationProgress: async () => null,
    startRotation: notYet,
    advanceRotation: notYet,
    rollBackRotation: notYet,
    previewRevocation: notYet,
    revoke: notYet,
    krl: notYet,
    krlFile: notYet,
  }
}
