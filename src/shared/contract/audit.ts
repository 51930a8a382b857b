import { z } from 'zod'
import { AuditEntry, AuditVerification } from '../model/audit.ts'
import { procedure } from './base.ts'

export const auditContract = {
  list: procedure
    .input(
      z.object({
        beforeSeq: z.number().int().positive().optional(),
        limit: z.number().int().min(1).max(1000).default(200),
      }),
    )
    .output(z.array(AuditEntry)),
  verify: procedure.output(AuditVerification),
}
