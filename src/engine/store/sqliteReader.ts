import type { AuditEntry } from '../../shared/model/audit.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { IdempotencyKey, NodeId, PlanId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Run } from '../../shared/model/run.ts'
import type { HeldLock, RunQuery, StoreReader } from '../ports.ts'
import { type AuditRow, toAuditEntry } from './auditRows.ts'
import type { Statements } from './statements.ts'

/** Runs a query on the connection that is right for the moment: the reader's own, or that of the transaction. */
export type RunRead = <T>(query: (statements: Statements) => T) => Promise<T>

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
    return this.#documents(`SELECT body FROM runs WHERE status IN ('queued', 'running', 'halted') ORDER BY id`, [])
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

  listLocks(): Promise<HeldLock[]> {
    const text = `SELECT node_id AS "nodeId", target, run_id AS "runId", acquired_at AS "acquiredAt"
      FROM locks ORDER BY acquired_at, node_id, target`
    return this.read((statements) => statements.rows<HeldLock>(text).all())
  }

  listCertificates({
    nodeId,
    limit,
  }: {
    readonly nodeId?: NodeId
    readonly limit: number
  }): Promise<IssuedCertificate[]> {
    if (nodeId === undefined) return this.#documents('SELECT body FROM certificates ORDER BY id DESC LIMIT ?', [limit])
    return this.#documents('SELECT body FROM certificates WHERE node_id = ? ORDER BY id DESC LIMIT ?', [nodeId, limit])
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

function runConditions(query: RunQuery): { readonly where: string; readonly parameters: readonly unknown[] } {
  const conditions: string[] = []
  const parameters: unknown[] = []
  const add = (condition: string, ...values: readonly unknown[]): void => {
    conditions.push(condition)
    parameters.push(...values)
  }
  if (query.nodeId !== undefined) add('node_id = ?', query.nodeId)
  if (query.planId !== undefined) add('plan_id = ?', query.planId)
  if (query.batchId !== undefined) add('batch_id = ?', query.batchId)
  if (query.before !== undefined) add('id < ?', query.before)
  if (query.statuses !== undefined) add(`status IN (${query.statuses.map(() => '?').join(', ')})`, ...query.statuses)
  return { where: conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`, parameters }
}
