import { ORPCError } from '@orpc/client'
import { CommanderError } from 'commander'
import type { z } from 'zod'
import { AppError, ErrorCode, RetryHint, toAppError } from '../shared/errors.ts'

interface CarriedData {
  readonly data?: Readonly<Record<string, unknown>>
  readonly retry?: unknown
}

function fromContract(thrown: ORPCError<string, unknown>): AppError {
  const code = ErrorCode.safeParse(thrown.code)
  const { data, retry } = (thrown.data ?? {}) as CarriedData
  const hint = RetryHint.safeParse(retry)
  return new AppError(code.success ? code.data : 'INTERNAL', thrown.message, {
    ...(data === undefined ? {} : { data }),
    ...(hint.success ? { retry: hint.data } : {}),
    cause: thrown,
  })
}

/** commander begins with `error: ` and may add a line of its own with what was probably meant. */
function fromCommander(thrown: CommanderError): AppError {
  const isHelp = thrown.code === 'commander.help'
  const message = isHelp
    ? 'Name a command; --help shows them.'
    : thrown.message.replace(/^error: /, '').replaceAll('\n', ' ')
  return new AppError('INVALID_INPUT', message, { data: { reason: thrown.code }, cause: thrown })
}

/** The one shape of error, whatever was thrown. */
export function toCliError(thrown: unknown): AppError {
  if (thrown instanceof ORPCError) return fromContract(thrown)
  if (thrown instanceof CommanderError) return fromCommander(thrown)
  return toAppError(thrown)
}

/** A call that ended without an answer: what it asked for may have been done. */
export function toCallError(thrown: unknown): AppError {
  if (thrown instanceof AppError || thrown instanceof ORPCError) return toCliError(thrown)
  const detail = thrown instanceof Error ? thrown.message : String(thrown)
  return new AppError(
    'ENGINE_UNAVAILABLE',
    `The engine went away before it answered (${detail}). Whether it did what was asked shows when it is back.`,
    { cause: thrown },
  )
}

export interface FieldProblem {
  readonly field: string
  readonly message: string
}

/** Lines `field: what is allowed`, one for each thing wrong. */
export function fieldProblems(error: z.ZodError, prefix = ''): FieldProblem[] {
  return error.issues.map((issue) => ({
    field: `${prefix}${issue.path.map(String).join('.')}`.replace(/[:, ]+$/, ''),
    message: issue.message,
  }))
}

/** @throws AppError INVALID_INPUT naming each field */
export function refuseFields(what: string, fields: readonly FieldProblem[]): never {
  const lines = fields.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  const message = lines.length === 1 ? `${what}: ${lines[0]}` : `${what}:\n  ${lines.join('\n  ')}`
  throw new AppError('INVALID_INPUT', message, { data: { fields } })
}

/** Checks input before anything is asked of the engine. @throws AppError INVALID_INPUT naming each field */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(value)
  return parsed.success ? parsed.data : refuseFields(what, fieldProblems(parsed.error))
}
