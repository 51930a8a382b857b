import { AppError } from '../../shared/errors.ts'
import type { FieldProblem } from '../errors.ts'

interface Place {
  readonly document: number
  readonly line: number | null
  readonly path?: readonly PropertyKey[]
}

/** `document 2, line 10, spec.push.source`, as far as it is known. */
export function placeOf({ document, line, path = [] }: Place): string {
  const parts = [`document ${document}`]
  if (line !== null) parts.push(`line ${line}`)
  if (path.length > 0) parts.push(path.map(String).join('.'))
  return parts.join(', ')
}

/** @throws AppError INVALID_INPUT with every problem */
export function refuseProblems(what: string, problems: readonly FieldProblem[]): never {
  const lines = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  throw new AppError('INVALID_INPUT', `${what} does not read; nothing was changed.\n  ${lines.join('\n  ')}`, {
    data: { fields: problems },
  })
}
