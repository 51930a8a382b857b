import { ORPCError, ValidationError } from '@orpc/server'
import { AppError, errorCodes, toAppError } from '../../shared/errors.ts'

interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

const fieldOf = (issue: Issue): string =>
  (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')

/** Names each field that was wrong and what is allowed there. */
function invalidInput(issues: readonly Issue[]): AppError {
  const fields = issues.map((issue) => ({ field: fieldOf(issue), message: issue.message }))
  const lines = fields.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  return new AppError('INVALID_INPUT', `What was asked for does not read. ${lines.join('; ')}`, { data: { fields } })
}

function appErrorOf(thrown: unknown): AppError {
  const cause = thrown instanceof ORPCError ? thrown.cause : thrown
  if (cause instanceof ValidationError && thrown instanceof ORPCError && thrown.code === 'BAD_REQUEST')
    return invalidInput(cause.issues)
  return toAppError(thrown)
}

/** The form in which the contract lets an error out: one of its codes, with what the caller may do. */
export function toContractError(thrown: unknown): ORPCError<string, unknown> {
  if (thrown instanceof ORPCError && (errorCodes as readonly string[]).includes(thrown.code)) return thrown
  const { code, message, data, retry } = appErrorOf(thrown).toBody()
  return new ORPCError(code, { message, data: { ...(data && { data }), ...(retry && { retry }) }, cause: thrown })
}
