import { z } from 'zod'
import { EpochMs } from './ids.ts'

/** One row of the append-only, hash-chained audit log (N14). */
export const AuditEntry = z.object({
  seq: z.number().int().positive(),
  at: EpochMs,
  /** Who: an operator (`uid@host`), `engine`, … */
  actor: z.string(),
  /** What, as `domain.verb`: `certificate.issue`, `node.remove`, … */
  action: z.string(),
  /** On what: an id or name. */
  subject: z.string(),
  detail: z.record(z.string(), z.unknown()),
  previousHash: z.string(),
  hash: z.string(),
})
export type AuditEntry = z.infer<typeof AuditEntry>

export const AuditVerification = z.object({
  entries: z.number().int().nonnegative(),
  intact: z.boolean(),
  /** First row whose hash does not follow from the row before. */
  firstBrokenSeq: z.number().int().nullable(),
  headHash: z.string(),
})
export type AuditVerification = z.infer<typeof AuditVerification>
