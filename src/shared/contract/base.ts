import { oc } from '@orpc/contract'
import { z } from 'zod'
import { type ErrorCode, errorCodes, RetryHint } from '../errors.ts'

/** What travels beside code and message. */
export const ErrorData = z
  .object({ data: z.record(z.string(), z.unknown()).optional(), retry: RetryHint.optional() })
  .optional()

const errorMap = Object.fromEntries(errorCodes.map((code) => [code, { data: ErrorData }])) as Record<
  ErrorCode,
  { data: typeof ErrorData }
>

/** Every procedure may fail with any code of the closed list, typed at the caller. */
export const procedure = oc.errors(errorMap)

/** Who asks, for the audit log; the host fills it in from the connection, a page cannot choose it. */
export interface Caller {
  /** `user@host`; of a remote one `user@laptop as user@host`: what it calls itself, and whom sshd let in there. */
  readonly operator: string
  readonly via: 'desktop' | 'web' | 'socket' | 'embedded' | 'remote'
}
