import type { Agent, JoinToken } from '../../shared/model/agent.ts'
import type { AuditEntry } from '../../shared/model/audit.ts'
import type { CertificatePurpose, ExpiryBucket, IssuedCertificate } from '../../shared/model/certificate.ts'
import type {
  AgentId,
  IdempotencyKey,
  JoinTokenId,
  NodeId,
  PlanId,
  RepositoryId,
  RolloutId,
  RunId,
} from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { RegistryKind, RegistryRevision } from '../../shared/model/registry.ts'
import type { AllowedFinding, CommitHash, Repository, ScanReport } from '../../shared/model/repository.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'
import type {
  AgentRunRecord,
  CertificateQuery,
  HeldLock,
  OpenRun,
  OperationRecord,
  RunQuery,
  StoredJoinToken,
  StoredRevision,
  StoredSource,
  StoreReader,
} from '../ports.ts'
import { type AuditRow, toAuditEntry } from './auditRows.ts'
import type { Statements } from './statements.ts'

/** Runs a query on the connection that is right for the moment: the reader's own, or that of the transaction. */
export type RunRead = <T>(query: (statements: Statements) => T) => Promise<T>

/** Word for word the condition of the index `runs_open`: a node has a handful of open runs and years of others. */
const isOpen = `status IN ('queued', 'running', 'halted')`

/** All questions one may ask the store. What differs is on which connection, and when, they are answered. */
export class SqliteReader implements StoreReader {
  readonly read: RunRead

  constructor(read: RunRead) {
    this.read = read
  }

  listNodes(): Promise<FleetNode[]> {
    return this.#documents('SELECT body FROM nodes ORDER BY name', [])
  }

  getNode(id: NodeId): Promise<FleetNode | null> {
    return this.#document('SELECT body FROM nodes WHERE id = ?', id)
  }

  findNodeByName(name: string): Promise<FleetNode | null> {
    return this.#document('SELECT body FROM nodes WHERE name = ?', name)
  }

  listPlans(): Promise<Plan[]> {
    return this.#documents('SELECT body FROM plans ORDER BY name', [])
  }

  getPlan(id: PlanId): Promise<Plan | null> {
    return this.#document('SELECT body FROM plans WHERE id = ?', id)
  }

  findPlanByName(name: string): Promise<Plan | null> {
    return this.#document('SELECT body FROM plans WHERE name = ?', name)
  }

  getRun(id: RunId): Promise<Run | null> {
    return this.#document('SELECT body FROM runs WHERE id = ?', id)
  }

  findRunByKey(key: IdempotencyKey): Promise<Run | null> {
    return this.#document('SELECT body FROM runs WHERE idempotency_key = ?', key)
  }

  async listRuns(query: RunQuery): Promise<Run[]> {
    if (query.statuses?.length === 0) return []
    const { where, parameters } = runConditions(query)
    return this.#documents(`SELECT body FROM runs${where} ORDER BY id DESC LIMIT ?`, [...parameters, query.limit])
  }

  listOpenRuns(): Promise<Run[]> {
    return this.#documents(`SELECT body FROM runs WHERE ${isOpen} ORDER BY id`, [])
  }

  openRunsOf(nodeId: NodeId): Promise<OpenRun[]> {
    const text = `SELECT id, plan_id AS "planId", status FROM runs WHERE ${isOpen} AND node_id = ? ORDER BY id`
    return this.read((statements) => statements.rows<OpenRun>(text).all(nodeId))
  }

  /**
   * A run reports what it deleted and how many files the tree has afterwards; their sum stands for the files that were
   * on the node before.
   */
  async recentDeleteShares(planId: PlanId, nodeId: NodeId, limit: number): Promise<number[]> {
    const runs = await this.#documents<Run>(
      `SELECT body FROM runs WHERE plan_id = ? AND node_id = ? AND status = 'succeeded' ORDER BY id DESC LIMIT ?`,
      [planId, nodeId, limit],
    )
    return runs.flatMap(({ summary }) => {
      if (summary === null) return []
      const filesBefore = summary.filesTotal + summary.filesDeleted
      return [filesBefore === 0 ? 0 : summary.filesDeleted / filesBefore]
    })
  }

  listLocks(nodeId?: NodeId): Promise<HeldLock[]> {
    const columns = `node_id AS "nodeId", target, run_id AS "runId", acquired_at AS "acquiredAt"`
    const where = nodeId === undefined ? '' : ' WHERE node_id = ?'
    const text = `SELECT ${columns} FROM locks${where} ORDER BY acquired_at, node_id, target`
    return this.read((statements) => statements.rows<HeldLock>(text).all(...(nodeId === undefined ? [] : [nodeId])))
  }

  isLocked(nodeId: NodeId): Promise<boolean> {
    const text = 'SELECT EXISTS (SELECT 1 FROM locks WHERE node_id = ?)'
    return this.read((statements) => statements.values<number>(text).get(nodeId) === 1)
  }

  async listCertificates(query: CertificateQuery): Promise<IssuedCertificate[]> {
    const isEmpty = [query.purposes, query.ids, query.serials].some((list) => list?.length === 0)
    if (isEmpty) return []
    const { where, parameters } = certificateConditions(query)
    return this.#documents(`SELECT body FROM certificates${where} ORDER BY id DESC LIMIT ?`, [
      ...parameters,
      query.limit,
    ])
  }

  async countExpiries({
    from,
    to,
    stepMs,
  }: {
    readonly from: number
    readonly to: number
    readonly stepMs: number
  }): Promise<ExpiryBucket[]> {
    const text = `SELECT CAST((valid_before - ?) / ? AS INTEGER) AS step, purpose, revoked_at IS NOT NULL AS revoked, count(*) AS certificates
      FROM certificates WHERE valid_before >= ? AND valid_before < ? GROUP BY 1, 2, 3`
    const rows = await this.read((statements) => statements.rows<ExpiryRow>(text).all(from, stepMs, from, to))
    return bucketsOf(rows, { from, to, stepMs })
  }

  listAgents(): Promise<Agent[]> {
    return this.#documents('SELECT body FROM agents ORDER BY id', [])
  }

  getAgent(id: AgentId): Promise<Agent | null> {
    return this.#document('SELECT body FROM agents WHERE id = ?', id)
  }

  listJoinTokens(): Promise<JoinToken[]> {
    return this.#documents('SELECT body FROM join_tokens ORDER BY id DESC', [])
  }

  findJoinToken(secretHash: string): Promise<StoredJoinToken | null> {
    return this.#joinToken('secret_hash', secretHash)
  }

  getJoinToken(id: JoinTokenId): Promise<StoredJoinToken | null> {
    return this.#joinToken('id', id)
  }

  getAgentRun(runId: RunId): Promise<AgentRunRecord | null> {
    const text = `SELECT run_id AS "runId", agent_id AS "agentId", sequence, last_report_at AS "lastReportAt"
      FROM agent_runs WHERE run_id = ?`
    return this.read((statements) => statements.rows<AgentRunRecord>(text).get(runId) ?? null)
  }

  getOperation(key: IdempotencyKey, nodeId: NodeId): Promise<OperationRecord | null> {
    const text = 'SELECT result FROM operations WHERE key = ? AND node_id = ?'
    return this.read((statements) => {
      const result = statements.values<string>(text).get(key, nodeId)
      return result === undefined ? null : { key, nodeId, result }
    })
  }

  async listAudit({
    beforeSeq,
    limit,
  }: {
    readonly beforeSeq?: number
    readonly limit: number
  }): Promise<AuditEntry[]> {
    const text = 'SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?'
    const rows = await this.read((statements) =>
      statements.rows<AuditRow>(text).all(beforeSeq ?? Number.MAX_SAFE_INTEGER, limit),
    )
    return rows.map(toAuditEntry)
  }

  getSetting(key: string): Promise<string | null> {
    return this.read(
      (statements) => statements.values<string>('SELECT value FROM settings WHERE key = ?').get(key) ?? null,
    )
  }

  getRevision(registry: RegistryKind, number?: number): Promise<StoredRevision | null> {
    const text = `SELECT body, content FROM registry_revisions WHERE registry = ? AND number = coalesce(?,
      (SELECT max(number) FROM registry_revisions WHERE registry = ?))`
    return this.read((statements) => {
      const row = statements.rows<{ body: string; content: string }>(text).get(registry, number ?? null, registry)
      return row === undefined ? null : { revision: JSON.parse(row.body) as RegistryRevision, text: row.content }
    })
  }

  listRevisions(
    registry: RegistryKind,
    { before, limit }: { readonly before?: number; readonly limit: number },
  ): Promise<RegistryRevision[]> {
    const text = 'SELECT body FROM registry_revisions WHERE registry = ? AND number < ? ORDER BY number DESC LIMIT ?'
    return this.#documents(text, [registry, before ?? Number.MAX_SAFE_INTEGER, limit])
  }

  listSources(): Promise<StoredSource[]> {
    return this.#documents('SELECT body FROM registry_sources ORDER BY id', [])
  }

  listRepositories(): Promise<Repository[]> {
    return this.#documents('SELECT body FROM repositories ORDER BY name', [])
  }

  getRepository(id: RepositoryId): Promise<Repository | null> {
    return this.#document('SELECT body FROM repositories WHERE id = ?', id)
  }

  findRepositoryByName(name: string): Promise<Repository | null> {
    return this.#document('SELECT body FROM repositories WHERE name = ?', name)
  }

  async getScanReport(repositoryId: RepositoryId, commit?: CommitHash): Promise<ScanReport | null> {
    const text = `SELECT body FROM scan_reports WHERE repository_id = ? AND commit_hash = coalesce(?, commit_hash)
      ORDER BY scanned_at DESC, rowid DESC LIMIT 1`
    const [report] = await this.#documents<ScanReport>(text, [repositoryId, commit ?? null])
    return report ?? null
  }

  listAllowedFindings(repositoryId: RepositoryId): Promise<AllowedFinding[]> {
    return this.#documents('SELECT body FROM allowed_findings WHERE repository_id = ? ORDER BY rowid', [repositoryId])
  }

  getRollout(id: RolloutId): Promise<Rollout | null> {
    return this.#document('SELECT body FROM rollouts WHERE id = ?', id)
  }

  listRollouts({
    before,
    limit,
    open = false,
  }: {
    readonly before?: RolloutId
    readonly limit: number
    readonly open?: boolean
  }): Promise<Rollout[]> {
    const conditions = new Conditions()
    if (before !== undefined) conditions.add('id < ?', before)
    if (open) conditions.add('open = 1')
    return this.#documents(`SELECT body FROM rollouts${conditions.where} ORDER BY id DESC LIMIT ?`, [
      ...conditions.parameters,
      limit,
    ])
  }

  #joinToken(column: 'id' | 'secret_hash', value: string): Promise<StoredJoinToken | null> {
    const text = `SELECT secret_hash AS "secretHash", body FROM join_tokens WHERE ${column} = ?`
    return this.read((statements) => {
      const row = statements.rows<{ secretHash: string; body: string }>(text).get(value)
      return row === undefined ? null : { secretHash: row.secretHash, token: JSON.parse(row.body) as JoinToken }
    })
  }

  #document<T>(text: string, key: string): Promise<T | null> {
    return this.read((statements) => {
      const body = statements.values<string>(text).get(key)
      return body === undefined ? null : (JSON.parse(body) as T)
    })
  }

  #documents<T>(text: string, parameters: readonly unknown[]): Promise<T[]> {
    return this.read((statements) =>
      statements
        .values<string>(text)
        .all(...parameters)
        .map((body) => JSON.parse(body) as T),
    )
  }
}

interface ExpiryRow {
  readonly step: number
  readonly purpose: CertificatePurpose
  readonly revoked: number
  readonly certificates: number
}

/** Every step of the span, those without a certificate too. */
function bucketsOf(
  rows: readonly ExpiryRow[],
  span: { readonly from: number; readonly to: number; readonly stepMs: number },
): ExpiryBucket[] {
  const buckets = Array.from({ length: Math.ceil((span.to - span.from) / span.stepMs) }, (_, step) => ({
    from: span.from + step * span.stepMs,
    to: Math.min(span.to, span.from + (step + 1) * span.stepMs),
    user: 0,
    host: 0,
    agent: 0,
    revoked: 0,
  }))
  for (const { step, purpose, revoked, certificates } of rows) {
    const bucket = buckets[step]
    if (bucket === undefined) continue
    if (revoked === 1) bucket.revoked += certificates
    else bucket[purpose === 'host' || purpose === 'agent' ? purpose : 'user'] += certificates
  }
  return buckets
}

class Conditions {
  readonly #texts: string[] = []
  readonly parameters: unknown[] = []

  add(text: string, ...values: readonly unknown[]): void {
    this.#texts.push(text)
    this.parameters.push(...values)
  }

  addIn(column: string, values: readonly unknown[]): void {
    this.add(`${column} IN (${values.map(() => '?').join(', ')})`, ...values)
  }

  get where(): string {
    return this.#texts.length === 0 ? '' : ` WHERE ${this.#texts.join(' AND ')}`
  }
}

function certificateConditions(query: CertificateQuery): {
  readonly where: string
  readonly parameters: readonly unknown[]
} {
  const conditions = new Conditions()
  if (query.nodeId !== undefined) conditions.add('node_id = ?', query.nodeId)
  if (query.purposes !== undefined) conditions.addIn('purpose', query.purposes)
  if (query.ids !== undefined) conditions.addIn('id', query.ids)
  if (query.serials !== undefined) conditions.addIn('serial', query.serials)
  if (query.authorityFingerprint !== undefined) conditions.add('authority_fingerprint = ?', query.authorityFingerprint)
  if (query.before !== undefined) conditions.add('id < ?', query.before)
  if (query.endsFrom !== undefined) conditions.add('valid_before >= ?', query.endsFrom)
  if (query.endsBefore !== undefined) conditions.add('valid_before < ?', query.endsBefore)
  if (query.search !== undefined && query.search !== '')
    conditions.add(`search_text LIKE ? ESCAPE '!'`, `%${query.search.toLowerCase().replace(/[!%_]/g, '!$&')}%`)
  if (query.standing === 'live') conditions.add('revoked_at IS NULL AND valid_before > ?', query.nowMs)
  if (query.standing === 'expired') conditions.add('revoked_at IS NULL AND valid_before <= ?', query.nowMs)
  if (query.standing === 'revoked') conditions.add('revoked_at IS NOT NULL')
  return conditions
}

function runConditions(query: RunQuery): { readonly where: string; readonly parameters: readonly unknown[] } {
  const conditions = new Conditions()
  if (query.nodeId !== undefined) conditions.add('node_id = ?', query.nodeId)
  if (query.planId !== undefined) conditions.add('plan_id = ?', query.planId)
  if (query.batchId !== undefined) conditions.add('batch_id = ?', query.batchId)
  if (query.rolloutId !== undefined) conditions.add('rollout_id = ?', query.rolloutId)
  if (query.before !== undefined) conditions.add('id < ?', query.before)
  if (query.statuses !== undefined) conditions.addIn('status', query.statuses)
  return conditions
}
