import type { Agent, JoinToken } from '../../shared/model/agent.ts'
import type { AuditEntry, AuditVerification } from '../../shared/model/audit.ts'
import type { CertificatePurpose, ExpiryBucket, IssuedCertificate, Revocation } from '../../shared/model/certificate.ts'
import type { Change, EngineEvent } from '../../shared/model/event.ts'
import type {
  AgentId,
  BatchId,
  CertificateId,
  IdempotencyKey,
  JoinTokenId,
  NodeId,
  PlanId,
  RepositoryId,
  RolloutId,
  RunId,
  SourceId,
} from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { RegistryKind, RegistryRevision } from '../../shared/model/registry.ts'
import type { RegistrySource } from '../../shared/model/registrySource.ts'
import type { AllowedFinding, CommitHash, FindingHash, Repository, ScanReport } from '../../shared/model/repository.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import type { Run, RunStatus } from '../../shared/model/run.ts'

/** A revision as stored: sensitive values sealed. */
export interface StoredRevision {
  readonly revision: RegistryRevision
  /** JSON in the sources' form with sealed envelopes in the places of sensitive values. */
  readonly text: string
}

/** A source without what is only known while it is followed. */
export type StoredSource = Omit<RegistrySource, 'state'>

export interface RunQuery {
  readonly nodeId?: NodeId
  readonly planId?: PlanId
  readonly batchId?: BatchId
  readonly rolloutId?: RolloutId
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

/** A run that is queued, running or halted. */
export type OpenRun = Pick<Run, 'id' | 'planId' | 'status'>

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
  /** The same for one node, without what every commit of a run can do without. */
  openRunsOf(nodeId: NodeId): Promise<OpenRun[]>
  /** Share of files deleted (0 to 1) by the newest successful runs of this plan on this node. */
  recentDeleteShares(planId: PlanId, nodeId: NodeId, limit: number): Promise<number[]>
  /** Oldest first; those of one node only, where one is given. */
  listLocks(nodeId?: NodeId): Promise<HeldLock[]>
  /** Somebody holds a lock there. */
  isLocked(nodeId: NodeId): Promise<boolean>
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
  /** The newest when no number is given. */
  getRevision(registry: RegistryKind, number?: number): Promise<StoredRevision | null>
  /** Newest first. */
  listRevisions(
    registry: RegistryKind,
    query: { readonly before?: number; readonly limit: number },
  ): Promise<RegistryRevision[]>
  listSources(): Promise<StoredSource[]>
  listRepositories(): Promise<Repository[]>
  getRepository(id: RepositoryId): Promise<Repository | null>
  findRepositoryByName(name: string): Promise<Repository | null>
  /** Of one commit, or the newest of all. */
  getScanReport(repositoryId: RepositoryId, commit?: CommitHash): Promise<ScanReport | null>
  /** Also those that are no longer in force. */
  listAllowedFindings(repositoryId: RepositoryId): Promise<AllowedFinding[]>
  getRollout(id: RolloutId): Promise<Rollout | null>
  /** Newest first. `open`: only those that are not final. */
  listRollouts(query: {
    readonly before?: RolloutId
    readonly limit: number
    readonly open?: boolean
  }): Promise<Rollout[]>
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
  announce(
    change: Extract<
      Change,
      { kind: 'authority.changed' | 'krl.saved' | 'gateway.changed' | 'sources.changed' | 'repositories.changed' }
    >,
  ): Promise<void>
  /** Reserves `count` serials that were never handed out; @returns the first. */
  reserveSerials(count: number): Promise<bigint>
  appendAudit(entries: readonly NewAuditEntry[]): Promise<void>
  /** @returns false when another run holds it; taking a lock one holds already is true. */
  acquireLock(lock: HeldLock): Promise<boolean>
  releaseLocks(runId: RunId): Promise<void>
  setSetting(key: string, value: string): Promise<void>
  /** Its number has to be the one after the newest. */
  insertRevision(stored: StoredRevision): Promise<void>
  saveSource(source: StoredSource): Promise<void>
  removeSource(id: SourceId): Promise<void>
  saveRollout(rollout: Rollout): Promise<void>
  saveRepository(repository: Repository): Promise<void>
  /** With its reports and allowed findings. */
  removeRepository(id: RepositoryId): Promise<void>
  /** In the place of an older one of the same commit; old reports of a repository are dropped after the newest hundred. */
  saveScanReport(report: ScanReport): Promise<void>
  saveAllowedFinding(allowed: AllowedFinding): Promise<void>
  removeAllowedFinding(repositoryId: RepositoryId, hash: FindingHash): Promise<void>
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
  /** The same for many runs of a few lines each, which costs little more than for one. @returns the new sizes, in order */
  appendAll(entries: readonly { readonly runId: RunId; readonly bytes: Uint8Array }[]): Promise<number[]>
  read(runId: RunId, offset: number, maxBytes: number): Promise<Uint8Array>
  sizeBytes(runId: RunId): Promise<number>
  /** Called after each append of this run. @returns the unsubscribe function. */
  onAppended(runId: RunId, listener: (sizeBytes: number) => void): () => void
  remove(runId: RunId): Promise<void>
  close(): Promise<void>
}
