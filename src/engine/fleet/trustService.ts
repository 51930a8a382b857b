import type { RevocationPreview, RevocationTargets } from '../../shared/contract/certificates.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  IssuedCertificate,
  KrlStatus,
  RotationProgress,
} from '../../shared/model/certificate.ts'

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
