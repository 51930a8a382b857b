import { ORPCError } from '@orpc/client'
import { AppError, type ErrorBody, ErrorCode, RetryHint } from '../../shared/errors.ts'

interface CarriedData {
  readonly data?: Record<string, unknown>
  readonly retry?: unknown
}

/** Turns whatever a call threw into the one shape the page shows. A broken transport becomes `ENGINE_UNAVAILABLE`. */
export function toErrorBody(thrown: unknown): ErrorBody {
  if (thrown instanceof AppError) return thrown.toBody()
  if (thrown instanceof ORPCError) {
    const code = ErrorCode.safeParse(thrown.code)
    const carried = (thrown.data ?? {}) as CarriedData
    const retry = RetryHint.safeParse(carried.retry)
    return {
      code: code.success ? code.data : 'INTERNAL',
      message: thrown.message,
      ...(carried.data === undefined ? {} : { data: carried.data }),
      ...(retry.success ? { retry: retry.data } : {}),
    }
  }
  const detail = thrown instanceof Error ? thrown.message : String(thrown)
  return {
    code: 'ENGINE_UNAVAILABLE',
    message: `The engine did not answer (${detail}). Whether it did what was asked shows when it is back.`,
  }
}
