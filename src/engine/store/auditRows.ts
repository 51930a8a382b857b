import type { AuditEntry } from '../../shared/model/audit.ts'

/** A row of the audit table. */
export interface AuditRow extends Omit<AuditEntry, 'detail' | 'previousHash'> {
  /** Canonical JSON. */
  readonly detail: string
  readonly previous_hash: string
}

export function toAuditEntry({ detail, previous_hash, ...row }: AuditRow): AuditEntry {
  return { ...row, detail: JSON.parse(detail) as AuditEntry['detail'], previousHash: previous_hash }
}
