import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  CertificatePurpose,
  IssuedCertificate,
  KrlStatus,
  RotationPhase,
} from '../../shared/model/certificate.ts'
import type { AgentId, CertificateId, NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { StoreTransaction } from './store.ts'

export interface SigningRequest {
  /** OpenSSH public key blob of the subject. */
  readonly subjectPublicKey: Uint8Array
  readonly keyId: string
  readonly principals: readonly string[]
  readonly purpose: CertificatePurpose
  readonly lifetimeSeconds: number
  readonly extensions?: readonly string[]
  readonly criticalOptions?: Readonly<Record<string, string>>
  readonly nodeId?: NodeId
  readonly nodeName?: string
  readonly requestedBy: string
  readonly reason: string
}

/** The signing pipeline: policy, serial, audit row, signature, validation, issue log. */
export interface CertificateAuthority {
  /** The SSH user authority; created on first use. Needs the vault. */
  describe(): Promise<Authority>
  /** All or none; the audit rows are durable before the first signature is made. Purpose `host` is signed by the host authority. */
  sign(requests: readonly SigningRequest[]): Promise<IssuedCertificate[]>
}

/** A public key as trusted: OpenSSH line (without comment options) and `SHA256:…`. */
export interface TrustedKey {
  readonly fingerprint: string
  readonly publicKey: string
}

/** The embedded authorities themselves: making, describing, replacing them. */
export interface Authorities {
  /** Those that exist; never makes one. */
  list(): Promise<Authority[]>
  create(kinds: readonly AuthorityKind[], operator: string): Promise<Authority[]>
  /** Makes the user authority when it is asked for and there is none. @throws NOT_FOUND for the others */
  export(kind: AuthorityKind): Promise<AuthorityExport[]>
  /** What nodes must trust for users now: old and new during a rotation, and a step-ca that is set up. In a stable order. */
  trustedUserKeys(): Promise<TrustedKey[]>
  /** What clients must trust for hosts now; empty while there is no host authority. */
  trustedHostKeys(): Promise<TrustedKey[]>
  /**
   * Changes of a rotation's phase; gates are the caller's. `alongside` runs in the transaction that makes it durable.
   * @throws PRECONDITION_FAILED when the phase does not fit
   */
  startRotation(kind: AuthorityKind, options: RotationChange): Promise<Authority>
  advanceRotation(kind: AuthorityKind, options: RotationChange): Promise<Authority>
  rollBackRotation(kind: AuthorityKind, options: RotationChange): Promise<Authority>
}

export interface RotationChange {
  readonly operator: string
  /** The phase for which the gates were looked at; another one by now is CONFLICT. Null: no rotation. */
  readonly from?: RotationPhase | null
  readonly alongside?: (transaction: StoreTransaction) => Promise<void>
}

/** Identities that exist to be tried: their certificates allow no command. */
export interface ProbeIdentities {
  /** Signed by this authority of ours, old or new (`SHA256:…`). */
  signedBy(node: FleetNode, authorityFingerprint: string): Promise<CertificateIdentity>
  /** Carries the serial that every revocation list holds. */
  revoked(node: FleetNode): Promise<CertificateIdentity>
}

/** What is revoked, as a list sshd reads. */
export interface Revocations {
  status(): Promise<KrlStatus>
  /** Deterministic: the same version has the same bytes. */
  current(): Promise<{ readonly status: KrlStatus; readonly bytes: Uint8Array }>
  /**
   * Issue log, audit row and next version of the list in one transaction, with what `alongside` adds. When nothing was
   * left to revoke, the list stays as it is and `alongside` runs all the same.
   */
  revoke(
    ids: readonly CertificateId[],
    options: {
      readonly by: string
      readonly reason: string
      readonly alongside?: (transaction: StoreTransaction, krl: KrlStatus) => Promise<void>
    },
  ): Promise<{ readonly revoked: IssuedCertificate[]; readonly krl: KrlStatus }>
}

export interface RootCertificate {
  readonly pem: string
  /** SHA-256 of the DER, hexadecimal: what agents pin. */
  readonly fingerprint: string
}

/** X.509 for the gateway and its agents. ECDSA P-256; the engine of a desktop has no Ed25519 in TLS. */
export interface X509Authority {
  /** All that agents should trust now, the one that signs first. Creates the authority on first use. */
  roots(): Promise<RootCertificate[]>
  /** A certificate for the gateway over a new key that stays in memory. */
  issueServer(options: { readonly names: readonly string[]; readonly requestedBy: string }): Promise<{
    readonly certificatePem: string
    readonly privateKeyPem: string
    readonly validBefore: number
    readonly authorityFingerprint: string
  }>
  /** Identity is the URI SAN `lockstep:agent:<id>`; whatever names the request asks for do not count. */
  issueClient(options: {
    readonly certificateRequestPem: string
    readonly agentId: AgentId
    readonly requestedBy: string
    readonly reason: string
  }): Promise<{
    readonly certificatePem: string
    readonly serial: string
    readonly validAfter: number
    readonly validBefore: number
    readonly authorityFingerprint: string
  }>
}

interface IdentityKey {
  readonly nodeId: NodeId
  readonly purpose: 'automation' | 'terminal'
  /** OpenSSH blob. */
  readonly publicKeyBlob: Uint8Array
  /**
   * The signature over `data` as it stands inside an SSH signature. The key itself never leaves.
   * @param algorithm for keys that know several (`rsa-sha2-512`)
   */
  sign(data: Uint8Array, algorithm?: string): Uint8Array
}

/** A subject key that exists in memory only, with its certificate. */
export interface CertificateIdentity extends IdentityKey {
  readonly kind: 'certificate'
  readonly certificate: IssuedCertificate
  /** OpenSSH blob. */
  readonly certificateBlob: Uint8Array
}

/** A private key from a file of this machine; it does not end, and our authority has no say over it (D9). */
export interface StaticKeyIdentity extends IdentityKey {
  readonly kind: 'static-key'
  readonly keyFile: string
  /** `SHA256:…` */
  readonly fingerprint: string
}

/** What we log in to a node with. */
export type NodeIdentity = CertificateIdentity | StaticKeyIdentity

/** Nodes with a static key have no certificate: {@link Identities.ensureMany} and `renew` leave them out. */
export interface Identities<Identity extends NodeIdentity = NodeIdentity> {
  /**
   * An identity valid for at least `minValidMs` more; issues or renews when there is none. When that fails, one that is
   * valid for `enoughMs` more will do: an authority that is away must not stop work that a valid certificate covers.
   */
  ensure(
    node: FleetNode,
    purpose: 'automation' | 'terminal',
    options?: { readonly minValidMs?: number; readonly enoughMs?: number; readonly reason?: string },
  ): Promise<Identity>
  /** Certificates for many nodes, in one signing batch. */
  ensureMany(
    nodes: readonly FleetNode[],
    purpose: 'automation' | 'terminal',
    options?: { readonly minValidMs?: number; readonly reason?: string },
  ): Promise<CertificateIdentity[]>
  /** A new certificate over a new key, whatever is left of the old one. */
  renew(
    nodes: readonly FleetNode[],
    options: { readonly requestedBy: string; readonly reason: string },
  ): Promise<CertificateIdentity[]>
  current(nodeId: NodeId, purpose: 'automation' | 'terminal'): Identity | null
  /** All live certificates. */
  all(): readonly CertificateIdentity[]
  forget(nodeId: NodeId): void
}
