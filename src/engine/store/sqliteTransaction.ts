import { hash } from 'node:crypto'
import { type ChainHead, chainEntries, emptyChain } from '../../core/audit/chain.ts'
import { canonicalJson } from '../../core/canonicalJson.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { IssuedCertificate, Revocation } from '../../shared/model/certificate.ts'
import type { Change, EngineEvent } from '../../shared/model/event.ts'
import type { AgentId, CertificateId, NodeId, PlanId, RepositoryId, RunId, SourceId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { AllowedFinding, FindingHash, Repository, ScanReport } from '../../shared/model/repository.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'
import type {
  AgentRunRecord,
  HeldLock,
  NewAuditEntry,
  OperationRecord,
  StoredJoinToken,
  StoredRevision,
  StoredSource,
  StoreTransaction,
} from '../ports.ts'
import { Counters } from './counters.ts'
import { sqliteCode } from './databaseErrors.ts'
import type { NodeCache, NodeWrites } from './nodeCache.ts'
import { SqliteReader } from './sqliteReader.ts'
import type { Statements } from './statements.ts'

export const sha256Hex = (text: string): string => hash('sha256', text, 'hex')

export interface TransactionOptions {
  /** Stamps the events. */
  readonly nowMs: number
  /** Events kept in the log; a tenth more may be there at times, so that trimming is rare. */
  readonly keepEvents: number
  /** Left out where nothing is kept in memory. */
  readonly nodes?: NodeCache
}

/**
 * One body's view of the database. A write that failed dooms the whole transaction, whether or not the body catches
 * the error: what it wrote before may be half of something.
 */
export class SqliteTransaction extends SqliteReader implements StoreTransaction {
  readonly #statements: Statements
  readonly #options: TransactionOptions
  readonly #counters: Counters
  readonly #events: EngineEvent[] = []
  readonly #nodeWrites: NodeWrites = new Map()
  #auditHead: ChainHead | undefined
  #open = true
  #staged = false
  #doomedBy: { readonly error: unknown } | undefined

  constructor(statements: Statements, options: TransactionOptions) {
    super(async (query) => {
      this.#assertOpen()
      return query(statements)
    })
    this.#statements = statements
    this.#options = options
    this.#counters = new Counters(statements)
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** In order of seq. */
  get events(): readonly EngineEvent[] {
    return this.#events
  }

  /** Writes what is left to write. @throws the error of a write that failed before */
  finish(): void {
    this.close()
    if (this.#doomedBy !== undefined) throw this.#doomedBy.error
    this.#trimEvents()
    this.#counters.flush()
    this.#options.nodes?.stage(this.#nodeWrites)
    this.#staged = true
  }

  /** What it wrote is on disk. */
  committed(): void {
    this.#options.nodes?.commit(this.#nodeWrites)
  }

  /** Nothing of it remains. */
  abandoned(): void {
    this.close()
    if (this.#staged) this.#options.nodes?.distrust()
  }

  override async listNodes(): Promise<FleetNode[]> {
    this.#assertOpen()
    return this.#options.nodes?.listWithin(this.#nodeWrites) ?? super.listNodes()
  }

  override async getNode(id: NodeId): Promise<FleetNode | null> {
    this.#assertOpen()
    const known = this.#options.nodes?.getWithin(this.#nodeWrites, id)
    return known === undefined ? super.getNode(id) : known
  }

  /** From now on the body's reference is worth nothing. */
  close(): void {
    this.#open = false
  }

  saveNode(node: FleetNode): Promise<void> {
    return this.#write(() => {
      const body = JSON.stringify(node)
      const text = `INSERT INTO nodes (id, name, body) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body`
      uniqueOr(`a node named "${node.name}" already exists: choose another name`, () =>
        this.#statements.change(text).run(node.id, node.name, body),
      )
      this.#nodeWrites.set(node.id, node)
      this.#append({ kind: 'node.saved', node }, `{"kind":"node.saved","node":${body}}`)
    })
  }

  removeNode(id: NodeId): Promise<void> {
    return this.#write(() => {
      const { changes } = this.#statements.change('DELETE FROM nodes WHERE id = ?').run(id)
      if (changes > 0) this.#append({ kind: 'node.removed', nodeId: id })
      this.#nodeWrites.set(id, null)
    })
  }

  savePlan(plan: Plan): Promise<void> {
    return this.#write(() => {
      const body = JSON.stringify(plan)
      const text = `INSERT INTO plans (id, name, body) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body`
      uniqueOr(`a plan named "${plan.name}" already exists: choose another name`, () =>
        this.#statements.change(text).run(plan.id, plan.name, body),
      )
      this.#append({ kind: 'plan.saved', plan }, `{"kind":"plan.saved","plan":${body}}`)
    })
  }

  removePlan(id: PlanId): Promise<void> {
    return this.#write(() => {
      const { changes } = this.#statements.change('DELETE FROM plans WHERE id = ?').run(id)
      if (changes > 0) this.#append({ kind: 'plan.removed', planId: id })
    })
  }

  saveRun(run: Run): Promise<Run> {
    return this.#write(() => {
      const saved: Run = { ...run, seq: this.#counters.next('event_seq') }
      const body = JSON.stringify(saved)
      const update = this.#statements.change('UPDATE runs SET status = ?, body = ? WHERE id = ?')
      if (run.seq === 0 || update.run(run.status, body, run.id).changes === 0) this.#insertRun(run, body)
      this.#insertEvent(saved.seq, { kind: 'run.saved', run: saved }, `{"kind":"run.saved","run":${body}}`)
      return saved
    })
  }

  #insertRun(run: Run, body: string): void {
    const { id, idempotencyKey, batchId, rolloutId = null, planId, nodeId, status } = run
    const text = `INSERT INTO runs (id, idempotency_key, batch_id, rollout_id, plan_id, node_id, status, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body`
    uniqueOr(`another run was registered with the key ${idempotencyKey}`, () =>
      this.#statements.change(text).run(id, idempotencyKey, batchId, rolloutId, planId, nodeId, status, body),
    )
  }

  insertCertificates(certificates: readonly IssuedCertificate[]): Promise<void> {
    return this.#write(() => {
      const insert = this.#statements.change(
        `INSERT INTO certificates (id, authority_fingerprint, serial, node_id, purpose, valid_before, revoked_at,
          search_text, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      for (const certificate of certificates) {
        const { id, authorityFingerprint, serial, nodeId, purpose, validBefore, revocation } = certificate
        const body = JSON.stringify(certificate)
        uniqueOr(`a certificate with serial ${serial} was already issued`, () =>
          insert.run(
            id,
            authorityFingerprint,
            serial,
            nodeId,
            purpose,
            validBefore,
            revocation?.revokedAt ?? null,
            searchTextOf(certificate),
            body,
          ),
        )
        this.#append({ kind: 'certificate.issued', certificate }, `{"kind":"certificate.issued","certificate":${body}}`)
      }
    })
  }

  revokeCertificates(ids: readonly CertificateId[], revocation: Revocation): Promise<IssuedCertificate[]> {
    return this.#write(() => {
      const read = this.#statements.values<string>('SELECT body FROM certificates WHERE id = ? AND revoked_at IS NULL')
      const update = this.#statements.change('UPDATE certificates SET revoked_at = ?, body = ? WHERE id = ?')
      return ids.flatMap((id) => {
        const body = read.get(id)
        if (body === undefined) return []
        const certificate: IssuedCertificate = { ...(JSON.parse(body) as IssuedCertificate), revocation }
        update.run(revocation.revokedAt, JSON.stringify(certificate), id)
        this.#append({ kind: 'certificate.revoked', certificate })
        return [certificate]
      })
    })
  }

  saveAgent(agent: Agent): Promise<void> {
    return this.#write(() => {
      const body = JSON.stringify(agent)
      const text = `INSERT INTO agents (id, node_id, body) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET node_id = excluded.node_id, body = excluded.body`
      this.#statements.change(text).run(agent.id, agent.nodeId, body)
      this.#append({ kind: 'agent.saved', agent }, `{"kind":"agent.saved","agent":${body}}`)
    })
  }

  removeAgent(id: AgentId): Promise<void> {
    return this.#write(() => {
      const { changes } = this.#statements.change('DELETE FROM agents WHERE id = ?').run(id)
      if (changes > 0) this.#append({ kind: 'agent.removed', agentId: id })
    })
  }

  saveJoinToken({ token, secretHash }: StoredJoinToken): Promise<void> {
    return this.#write(() => {
      const text = `INSERT INTO join_tokens (id, secret_hash, body) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET body = excluded.body`
      this.#statements.change(text).run(token.id, secretHash, JSON.stringify(token))
      this.#append({ kind: 'joinTokens.changed' })
    })
  }

  saveAgentRun({ runId, agentId, sequence, lastReportAt }: AgentRunRecord): Promise<void> {
    const text = `INSERT INTO agent_runs (run_id, agent_id, sequence, last_report_at) VALUES (?, ?, ?, ?)
      ON CONFLICT (run_id) DO UPDATE SET sequence = excluded.sequence, last_report_at = excluded.last_report_at`
    return this.#write(() => void this.#statements.change(text).run(runId, agentId, sequence, lastReportAt))
  }

  saveOperation({ key, nodeId, result }: OperationRecord): Promise<void> {
    const text = `INSERT INTO operations (key, node_id, result) VALUES (?, ?, ?)
      ON CONFLICT (key, node_id) DO UPDATE SET result = excluded.result`
    return this.#write(() => void this.#statements.change(text).run(key, nodeId, result))
  }

  nextKrlVersion(): Promise<number> {
    return this.#write(() => this.#counters.next('krl_version'))
  }

  announce(change: Parameters<StoreTransaction['announce']>[0]): Promise<void> {
    return this.#write(() => this.#append(change))
  }

  reserveSerials(count: number): Promise<bigint> {
    return this.#write(() => {
      if (!Number.isSafeInteger(count) || count < 1) throw new AppError('INTERNAL', `cannot reserve ${count} serials`)
      const last = this.#counters.get('serial')
      if (last + BigInt(count) > largestSerial)
        throw new AppError('SERIAL_EXHAUSTED', 'All serials of the authority are used up. Rotate the authority.')
      this.#counters.set('serial', last + BigInt(count))
      return last + 1n
    })
  }

  appendAudit(entries: readonly NewAuditEntry[]): Promise<void> {
    return this.#write(() => {
      const insert = this.#statements.change(
        `INSERT INTO audit (seq, at, actor, action, subject, detail, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      for (const row of chainEntries(entries, this.#readAuditHead(), sha256Hex)) {
        insert.run(
          row.seq,
          row.at,
          row.actor,
          row.action,
          row.subject,
          canonicalJson(row.detail),
          row.previousHash,
          row.hash,
        )
        this.#auditHead = row
        this.#counters.set('audit_seq', BigInt(row.seq))
      }
    })
  }

  acquireLock({ nodeId, target, runId, acquiredAt }: HeldLock): Promise<boolean> {
    return this.#write(() => {
      const text = `INSERT INTO locks (node_id, target, run_id, acquired_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (node_id, target) DO NOTHING`
      if (this.#statements.change(text).run(nodeId, target, runId, acquiredAt).changes > 0) return true
      const holder = this.#statements
        .values<RunId>('SELECT run_id FROM locks WHERE node_id = ? AND target = ?')
        .get(nodeId, target)
      return holder === runId
    })
  }

  releaseLocks(runId: RunId): Promise<void> {
    return this.#write(() => void this.#statements.change('DELETE FROM locks WHERE run_id = ?').run(runId))
  }

  setSetting(key: string, value: string): Promise<void> {
    const text =
      'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'
    return this.#write(() => void this.#statements.change(text).run(key, value))
  }

  insertRevision({ revision, text }: StoredRevision): Promise<void> {
    const { registry, number } = revision
    const insert = 'INSERT INTO registry_revisions (registry, number, body, content) VALUES (?, ?, ?, ?)'
    return this.#write(() => {
      uniqueOr(`revision ${number} of the ${registry} registry is there already`, () =>
        this.#statements.change(insert).run(registry, number, JSON.stringify(revision), text),
      )
      this.#append({ kind: 'registry.saved', revision })
    })
  }

  saveSource(source: StoredSource): Promise<void> {
    const text = `INSERT INTO registry_sources (id, name, body) VALUES (?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body`
    return this.#write(() => {
      uniqueOr(`a source named "${source.name}" already exists: choose another name`, () =>
        this.#statements.change(text).run(source.id, source.name, JSON.stringify(source)),
      )
      this.#append({ kind: 'sources.changed' })
    })
  }

  removeSource(id: SourceId): Promise<void> {
    return this.#write(() => {
      const { changes } = this.#statements.change('DELETE FROM registry_sources WHERE id = ?').run(id)
      if (changes > 0) this.#append({ kind: 'sources.changed' })
    })
  }

  saveRollout(rollout: Rollout): Promise<void> {
    const text = `INSERT INTO rollouts (id, open, body) VALUES (?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET open = excluded.open, body = excluded.body`
    return this.#write(() => {
      const body = JSON.stringify(rollout)
      this.#statements.change(text).run(rollout.id, rollout.finishedAt === null ? 1 : 0, body)
      this.#append({ kind: 'rollout.saved', rollout }, `{"kind":"rollout.saved","rollout":${body}}`)
    })
  }

  saveRepository(repository: Repository): Promise<void> {
    const text = `INSERT INTO repositories (id, name, body) VALUES (?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body`
    const { name } = repository.settings
    return this.#write(() => {
      uniqueOr(`a repository named "${name}" already exists: choose another name`, () =>
        this.#statements.change(text).run(repository.id, name, JSON.stringify(repository)),
      )
      this.#append({ kind: 'repositories.changed' })
    })
  }

  removeRepository(id: RepositoryId): Promise<void> {
    return this.#write(() => {
      this.#statements.change('DELETE FROM scan_reports WHERE repository_id = ?').run(id)
      this.#statements.change('DELETE FROM allowed_findings WHERE repository_id = ?').run(id)
      const { changes } = this.#statements.change('DELETE FROM repositories WHERE id = ?').run(id)
      if (changes > 0) this.#append({ kind: 'repositories.changed' })
    })
  }

  saveScanReport(report: ScanReport): Promise<void> {
    const { repositoryId, commit, scannedAt } = report
    const insert = `INSERT OR REPLACE INTO scan_reports (repository_id, commit_hash, scanned_at, body) VALUES (?, ?, ?, ?)`
    const trim = `DELETE FROM scan_reports WHERE repository_id = ? AND rowid NOT IN (SELECT rowid FROM scan_reports
      WHERE repository_id = ? ORDER BY scanned_at DESC, rowid DESC LIMIT ${keptScanReports})`
    return this.#write(() => {
      this.#statements.change(insert).run(repositoryId, commit, scannedAt, JSON.stringify(report))
      this.#statements.change(trim).run(repositoryId, repositoryId)
      this.#append({ kind: 'repositories.changed' })
    })
  }

  saveAllowedFinding(allowed: AllowedFinding): Promise<void> {
    const text = `INSERT INTO allowed_findings (repository_id, hash, body) VALUES (?, ?, ?)
      ON CONFLICT (repository_id, hash) DO UPDATE SET body = excluded.body`
    return this.#write(() => {
      this.#statements.change(text).run(allowed.repositoryId, allowed.hash, JSON.stringify(allowed))
      this.#append({ kind: 'repositories.changed' })
    })
  }

  removeAllowedFinding(repositoryId: RepositoryId, hash: FindingHash): Promise<void> {
    const text = 'DELETE FROM allowed_findings WHERE repository_id = ? AND hash = ?'
    return this.#write(() => {
      const { changes } = this.#statements.change(text).run(repositoryId, hash)
      if (changes > 0) this.#append({ kind: 'repositories.changed' })
    })
  }

  async #write<T>(change: () => T): Promise<T> {
    this.#assertOpen()
    try {
      return change()
    } catch (error) {
      this.#doomedBy ??= { error }
      throw error
    }
  }

  #append(change: Change, text = JSON.stringify(change)): void {
    this.#insertEvent(this.#counters.next('event_seq'), change, text)
  }

  #insertEvent(seq: number, change: Change, text: string): void {
    const at = this.#options.nowMs
    this.#statements.change('INSERT INTO events (seq, at, change) VALUES (?, ?, ?)').run(seq, at, text)
    this.#events.push({ seq, at, change })
  }

  /**
   * Numbers go on from the counter and hashes from the last row: should rows have been cut off at the end, the gap in the
   * numbers stays as evidence.
   */
  #readAuditHead(): ChainHead {
    if (this.#auditHead !== undefined) return this.#auditHead
    const text = 'SELECT hash FROM audit ORDER BY seq DESC LIMIT 1'
    const lastHash = this.#statements.values<string>(text).get()
    return { seq: Number(this.#counters.get('audit_seq')), hash: lastHash ?? emptyChain.hash }
  }

  #trimEvents(): void {
    if (this.#events.length === 0) return
    const { keepEvents } = this.#options
    const head = Number(this.#counters.get('event_seq'))
    const oldest = Math.max(1, Number(this.#counters.get('oldest_event_seq')))
    if (head - oldest + 1 <= keepEvents * 1.1) return
    const newOldest = head - keepEvents + 1
    this.#statements.change('DELETE FROM events WHERE seq < ?').run(newOldest)
    this.#counters.set('oldest_event_seq', BigInt(newOldest))
  }

  #assertOpen(): void {
    if (!this.#open) throw new AppError('INTERNAL', 'a store transaction was used after it had ended')
  }
}

/** The database keeps signed 64-bit integers; a serial is never reused, so the count ends there. */
const largestSerial = 2n ** 63n - 1n

const keptScanReports = 100

function searchTextOf(certificate: IssuedCertificate): string {
  const { serial, keyId, principals, nodeName, requestedBy, reason } = certificate
  return [serial, keyId, ...principals, nodeName ?? '', requestedBy, reason].join(' ').toLowerCase()
}

function uniqueOr<T>(message: string, insert: () => T): T {
  try {
    return insert()
  } catch (error) {
    const isTaken =
      sqliteCode(error) === 'SQLITE_CONSTRAINT_UNIQUE' || sqliteCode(error) === 'SQLITE_CONSTRAINT_PRIMARYKEY'
    if (isTaken) throw new AppError('CONFLICT', message, { cause: error })
    throw error
  }
}
