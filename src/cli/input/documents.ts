import { type Document, isAlias, isCollection, isNode, LineCounter, parseAllDocuments } from 'yaml'
import { AppError } from '../../shared/errors.ts'
import type { FieldProblem } from '../errors.ts'

/** One document of a YAML file; JSON is YAML. */
export interface ReadDocument {
  /** From 1. */
  readonly number: number
  readonly value: unknown
  /** The line of what lies at this path, or of the nearest thing around it. */
  lineOf(path: readonly PropertyKey[]): number
}

export type DocumentsResult =
  | { readonly ok: true; readonly documents: readonly ReadDocument[] }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] }

/** Reads every document of a text; empty ones do not count. Mistakes come back with document and line. */
export function readDocuments(text: string): DocumentsResult {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const documents = Array.isArray(parsed) ? parsed : []
  const problems = documents.flatMap((document, index) =>
    document.errors.map((error) => ({
      field: `document ${index + 1}, line ${lines.linePos(error.pos[0]).line}`,
      message: error.message,
    })),
  )
  if (problems.length > 0) return { ok: false, problems }
  return readValues(documents, lines)
}

function readValues(documents: readonly Document[], lines: LineCounter): DocumentsResult {
  try {
    const read = documents.flatMap((document, index) => {
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      if (value === null) return []
      return [{ number: index + 1, value, lineOf: (path: readonly PropertyKey[]) => lineOf(document, path, lines) }]
    })
    return { ok: true, documents: read }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, problems: [{ field: '', message: `cannot be read: ${message}` }] }
  }
}

/** A missing field is shown at what should hold it. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  let found: unknown = document.contents
  for (const key of path) {
    if (isAlias(found) || !isCollection(found)) break
    const next: unknown = found.get(key as string | number, true)
    if (!isNode(next)) break
    found = next
  }
  const start = isNode(found) ? found.range?.[0] : undefined
  return start === undefined ? 1 : lines.linePos(start).line
}

/** @throws AppError INVALID_INPUT with every problem */
export function refuseProblems(what: string, problems: readonly FieldProblem[]): never {
  const lines = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  throw new AppError('INVALID_INPUT', `${what} does not read; nothing was changed.\n  ${lines.join('\n  ')}`, {
    data: { fields: problems },
  })
}
