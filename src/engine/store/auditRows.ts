import type { AuditEntry } from '../../shared/model/audit.ts'

/** A row of the audit table. */
export interface AuditRow extends Omit<AuditEntry, 'detail' | 'previousHash'> {
  /** Canonical JSON. */
  readonly detail: string
  readonly previous_hash: string
}

/** A detail that is no longer JSON was changed by somebody: it is shown as it is, and its hash will not fit. */
export function toAuditEntry({ detail, previous_hash, ...row }: AuditRow): AuditEntry {
  return { ...row, detail: parseDetail(detail), previousHash: previous_hash }
}

function parseDetail(detail: string): AuditEntry['detail'] {
  try {
    return JSON.parse(detail) as AuditEntry['detail']
  } catch {
    return { unreadable: detail }
  }
}
