import type { Agent, GatewaySettings, GatewayStatus, JoinToken } from '../shared/model/agent.ts'
import type { AuditEntry, AuditVerification } from '../shared/model/audit.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  CertificatePurpose,
  ExpiryBucket,
  IssuedCertificate,
  KrlStatus,
  Revocation,
  RotationPhase,
} from '../shared/model/certificate.ts'
import type { DemoAgent, DemoFault, DemoStatus } from '../shared/model/demo.ts'
import type { Diagnosis, DoctorReport } from '../shared/model/diagnosis.ts'
import type { Change, EngineEvent } from '../shared/model/event.ts'
import type {
  AgentId,
  BatchId,
  CertificateId,
  IdempotencyKey,
  JoinTokenId,
  NodeId,
  PlanId,
  RunId,
} from '../shared/model/ids.ts'
import type { FleetNode, OfferedHostKey, PinnedHostKey, SshdControl } from '../shared/model/node.ts'
import type { Plan } from '../shared/model/plan.ts'
import type { Run, RunStatus } from '../shared/model/run.ts'

/*
 * What the parts of the engine may ask of each other. Domain folders implement these and know nothing else of one
 * another; `engine.ts` puts them together, tests put in what they need.
 */

// ---------------------------------------------------------------------------------------------------------- store

export interface RunQuery {
  readonly nodeId?: NodeId
  readonly planId?: PlanId
  readonly batchId?: BatchId
  readonly statuses?: readonly RunStatus[]
  /** Runs created before this id, newest first. */
  readonly before?: RunId
  readonly limit: number
}

/** A new audit row before it is chained; the store adds seq and hashes. */
export type NewAuditEntry = Pick<AuditEntry, 'at' | 'actor' | 'action' | 'subject' | 'detail'>

export interface HeldLock {
  /** The nil id for directories of this machine. */
  readonly nodeId: NodeId
  /** What is locked there: the target directory, normalised. */
  readonly target: string
  readonly runId: RunId
  readonly acquiredAt: number
}

export interface CertificateQuery {
  readonly nodeId?: NodeId
  readonly purposes?: readonly CertificatePurpose[]
  readonly standing?: 'all' | 'live' | 'expired' | 'revoked'
  /** Compared with key id, serial, principals, node name, requester and reason; case does not count. */
  readonly search?: string
  readonly endsFrom?: number
  readonly endsBefore?: number
  /** Issued before this one, newest first. */
  readonly before?: CertificateId
  readonly authorityFingerprint?: string
  readonly serials?: readonly string[]
  readonly ids?: readonly CertificateId[]
  /** For `standing`. */
  readonly nowMs: number
  readonly limit: number
}

/** A join token as stored: the hash of its secret, never the secret. */
export interface StoredJoinToken {
  readonly token: JoinToken
  /** SHA-256 of the secret, hexadecimal. */
  readonly secretHash: string
}

/** What the engine knows about a run that an agent does, beside the run itself. */
export interface AgentRunRecord {
  readonly runId: RunId
  readonly agentId: AgentId
  /** Highest sequence of the agent's reports that was applied. */
  readonly sequence: number
  readonly lastReportAt: number
}

/** One node of a grouped operation, by the operation's key: what was done for it already. */
export interface OperationRecord {
  readonly key: IdempotencyKey
  readonly nodeId: NodeId
  /** E.g. the serial of the certificate that was issued. */
  readonly result: string
}

/** Reads; inside a transaction they see what the transaction wrote. */
export interface StoreReader {
  listNodes(): Promise<FleetNode[]>
  getNode(id: NodeId): Promise<FleetNode | null>
  findNodeByName(name: string): Promise<FleetNode | null>
  listPlans(): Promise<Plan[]>
  getPlan(id: PlanId): Promise<Plan | null>
  findPlanByName(name: string): Promise<Plan | null>
  getRun(id: RunId): Promise<Run | null>
  findRunByKey(key: IdempotencyKey): Promise<Run | null>
  /** Newest first. */
  listRuns(query: RunQuery): Promise<Run[]>
  /** All runs that are queued, running or halted, oldest first. */
  listOpenRuns(): Promise<Run[]>
  /** Share of files deleted (0 to 1) by the newest successful runs of this plan on this node. */
  recentDeleteShares(planId: PlanId, nodeId: NodeId, limit: number): Promise<number[]>
  listLocks(): Promise<HeldLock[]>
  /** Newest first. */
  listCertificates(query: CertificateQuery): Promise<IssuedCertificate[]>
  countExpiries(span: { readonly from: number; readonly to: number; readonly stepMs: number }): Promise<ExpiryBucket[]>
  listAgents(): Promise<Agent[]>
  getAgent(id: AgentId): Promise<Agent | null>
  /** Newest first. */
  listJoinTokens(): Promise<JoinToken[]>
  findJoinToken(secretHash: string): Promise<StoredJoinToken | null>
  getJoinToken(id: JoinTokenId): Promise<StoredJoinToken | null>
  getAgentRun(runId: RunId): Promise<AgentRunRecord | null>
  getOperation(key: IdempotencyKey, nodeId: NodeId): Promise<OperationRecord | null>
  /** Newest first. */
  listAudit(query: { readonly beforeSeq?: number; readonly limit: number }): Promise<AuditEntry[]>
  getSetting(key: string): Promise<string | null>
}

/** Writes. Every save also appends its event, so that state and event log never disagree. */
export interface StoreTransaction extends StoreReader {
  saveNode(node: FleetNode): Promise<void>
  removeNode(id: NodeId): Promise<void>
  savePlan(plan: Plan): Promise<void>
  removePlan(id: PlanId): Promise<void>
  /** @returns the run with the `seq` of its event. */
  saveRun(run: Run): Promise<Run>
  /** Rows of the issue log, each with its event. A serial seen before is refused. */
  insertCertificates(certificates: readonly IssuedCertificate[]): Promise<void>
  /** Marks them in the issue log, each with its event; one revoked before keeps its first revocation. */
  revokeCertificates(ids: readonly CertificateId[], revocation: Revocation): Promise<IssuedCertificate[]>
  saveAgent(agent: Agent): Promise<void>
  removeAgent(id: AgentId): Promise<void>
  saveJoinToken(token: StoredJoinToken): Promise<void>
  saveAgentRun(record: AgentRunRecord): Promise<void>
  saveOperation(record: OperationRecord): Promise<void>
  /** Takes the next version of the revocation list. */
  nextKrlVersion(): Promise<number>
  /** An event without a row of its own, so that clients ask again. */
  announce(change: Extract<Change, { kind: 'authority.changed' | 'krl.saved' | 'gateway.changed' }>): Promise<void>
  /** Reserves `count` serials that were never handed out; @returns the first. */
  reserveSerials(count: number): Promise<bigint>
  appendAudit(entries: readonly NewAuditEntry[]): Promise<void>
  /** @returns false when another run holds it; taking a lock one holds already is true. */
  acquireLock(lock: HeldLock): Promise<boolean>
  releaseLocks(runId: RunId): Promise<void>
  setSetting(key: string, value: string): Promise<void>
}

export interface Store extends StoreReader {
  /**
   * Runs `body` as one durable transaction: committed (and synced to disk) when the promise resolves, or nothing at
   * all. Bodies run one after another. A body awaits only methods of `transaction`, never the network or a timer.
   */
  transact<T>(body: (transaction: StoreTransaction) => Promise<T>): Promise<T>
  /** Called after each commit with its events in order. @returns the unsubscribe function. */
  onCommitted(listener: (events: readonly EngineEvent[]) => void): () => void
  headSeq(): Promise<number>
  /** Smallest seq still kept; 0 when nothing was trimmed. A watcher asking for events before it gets a gap. */
  oldestSeq(): Promise<number>
  eventsAfter(seq: number, limit: number): Promise<EngineEvent[]>
  verifyAudit(): Promise<AuditVerification>
  close(): Promise<void>
}

/** Output bytes of runs, kept apart from the rows. */
export interface LogStore {
  /** Appends and returns the new size. Not durable against power loss; never out of order. */
  append(runId: RunId, bytes: Uint8Array): Promise<number>
  read(runId: RunId, offset: number, maxBytes: number): Promise<Uint8Array>
  sizeBytes(runId: RunId): Promise<number>
  /** Called after each append of this run. @returns the unsubscribe function. */
  onAppended(runId: RunId, listener: (sizeBytes: number) => void): () => void
  remove(runId: RunId): Promise<void>
  close(): Promise<void>
}

// ------------------------------------------------------------------------------------------------------------ pki

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

// ------------------------------------------------------------------------------------------------------------ ssh

export interface RemoteCommandOptions {
  readonly stdin?: Uint8Array | string
  readonly signal?: AbortSignal
  /** Whole call: connect, queue, run. */
  readonly timeoutMs: number
  /** More output than this ends the command with an error. Default 16 MiB. */
  readonly maxOutputBytes?: number
  readonly onStdout?: (bytes: Uint8Array) => void
  readonly onStderr?: (bytes: Uint8Array) => void
}

export interface RemoteCommandResult {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

/** Says what a login proved, so that the registry can be brought up to date. */
export interface LoginProof {
  readonly nodeId: NodeId
  /** Null: it was made with a static key. */
  readonly certificateSerial: string | null
  /** Fingerprint of the static key; null: it was made with a certificate. */
  readonly staticKey: string | null
  readonly at: number
  /** Node clock minus ours; null when not measured at this login. */
  readonly clockSkewMs: number | null
}

/**
 * Warm ssh2 connections, one per node. Rejects with an AppError whose `data.diagnosis` is a {@link Diagnosis} when the
 * node cannot be reached or refuses us. A command that ran and failed is a result, not an error.
 */
export interface SshPool {
  exec(node: FleetNode, command: string, options: RemoteCommandOptions): Promise<RemoteCommandResult>
  /** Logs in (or proves that the open connection is alive) and measures the clock. */
  login(
    node: FleetNode,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly fresh?: boolean },
  ): Promise<LoginProof>
  /** Closes what is open to the node: its certificate, address or host keys have changed. */
  drop(nodeId: NodeId): void
  /**
   * Called when an open connection ends that nobody here ended: the node, or the way to it, may be gone.
   * @returns the unsubscribe function.
   */
  onLost(listener: (nodeId: NodeId) => void): () => void
  openConnections(): number
  close(): Promise<void>
}

/** How system `ssh` and `rsync` reach a node: a generated client configuration and an agent socket. */
export interface OpenSshAccess {
  /**
   * Writes configuration, public key, certificate and known hosts of the node.
   * @returns argv for `ssh` up to and including the host alias; for `rsync -e`, `sshCommand` is the same as one
   * shell-quoted string without the alias.
   */
  prepare(
    node: FleetNode,
    purpose: 'automation' | 'terminal',
  ): Promise<{ readonly sshArguments: readonly string[]; readonly sshCommand: string; readonly hostAlias: string }>
}

export interface HostKeyProbe {
  /** Looks at the keys an address offers; authenticates nowhere. */
  probe(
    target: { readonly address: string; readonly port: number },
    options: { readonly timeoutMs: number },
  ): Promise<OfferedHostKey[]>
}

export interface Doctor {
  /** Read-only steps, ending in one cause. */
  examine(node: FleetNode, options: { readonly requestedBy: string }): Promise<DoctorReport>
}

/** How one login with one identity ended. A node that cannot be reached is an AppError with a diagnosis, as in {@link SshPool}. */
export type LoginAttempt =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly diagnosis: Diagnosis; readonly evidence: readonly string[] }

/** Fresh logins beside the pool, to prove what a node accepts and what it refuses. */
export interface LoginProbe {
  attempt(
    node: FleetNode,
    identity: NodeIdentity,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly user?: string },
  ): Promise<LoginAttempt>
  /** The host certificate the node offers (certificate line), seen by a client that asks for certificates only; null: none. */
  offeredHostCertificate(
    node: FleetNode,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<string | null>
}

/** Turns what was seen of a failed program into one cause. */
export type DiagnoseFailure = (
  node: FleetNode,
  failure: {
    readonly program: string
    readonly exitCode: number | null
    readonly stderr: string
    readonly certificate?: IssuedCertificate
  },
) => Diagnosis

export const toPinnedHostKey = (offered: OfferedHostKey, pinnedBy: string, pinnedAt: number): PinnedHostKey => ({
  keyType: offered.keyType,
  publicKey: offered.publicKey,
  fingerprint: offered.fingerprint,
  pinnedAt,
  pinnedBy,
})

// ----------------------------------------------------------------------------------------------------------- demo

/** The demo fleet as the engine sees it: processes and directories, nothing of the registry. Implemented in `src/demo`. */
export interface DemoFleetControl {
  status(): Promise<DemoStatus>
  /** Starts missing servers so that `nodes` exist, each trusting `trustedUserCa` (one public key line). */
  up(options: { readonly nodes: number; readonly trustedUserCa: string }): Promise<DemoStatus>
  down(): Promise<DemoStatus>
  fault(node: string, fault: DemoFault): Promise<DemoStatus>
  heal(node: string): Promise<DemoStatus>
  /** The real agent program in a directory of its own, enrolled with this word. @throws GATEWAY_REFUSED, UNSUPPORTED */
  enrollAgent(order: {
    readonly name: string
    readonly joinSecret: string
    readonly storage: {
      readonly name: string
      readonly address: string
      readonly port: number
      readonly user: string
      readonly hostKeyFingerprint: string
    }
  }): Promise<DemoAgent>
  agentNames(): Promise<string[]>
  /** Host public key line, login user, principal and a source tree for the seeded plan. */
  describeForRegistration(): Promise<{
    readonly user: string
    readonly principal: string
    readonly sourceDirectory: string
    readonly targetDirectory: string
    readonly hostKeys: ReadonlyMap<string, string>
    readonly sshd: SshdControl
  }>
}

// ------------------------------------------------------------------------------------------------------- gateway

/** The HTTPS server for agents, as the rest of the engine sees it. */
export interface Gateway {
  /** Listens when it was switched on before. A port that is taken is in the status, not an exception. */
  start(): Promise<void>
  stop(): Promise<void>
  status(): Promise<GatewayStatus>
  enable(settings: GatewaySettings, operator: string): Promise<GatewayStatus>
  disable(operator: string): Promise<GatewayStatus>
  /** The roots or the server certificate changed: take the new ones, without losing connections. */
  reloadCertificates(): Promise<void>
  /** Ends every open connection of this agent; its certificate counts no more. */
  disconnect(agentId: AgentId): void
}
