import { type Document, isAlias, isCollection, isNode, LineCounter, parseAllDocuments } from 'yaml'

/** One document of a YAML text; JSON is YAML. */
export interface YamlDocument {
  /** From 1. */
  readonly number: number
  readonly value: unknown
  /** The line (from 1) of what lies at this path, or of the nearest thing around it. */
  lineOf(path: readonly PropertyKey[]): number
}

/** A mistake of the YAML itself. */
export interface YamlProblem {
  /** From 1. */
  readonly document: number
  /** From 1; null for a mistake that is in no one line. */
  readonly line: number | null
  readonly message: string
}

export interface YamlDocuments {
  /** Those without mistakes; empty ones do not count. */
  readonly documents: readonly YamlDocument[]
  readonly problems: readonly YamlProblem[]
}

/** More than this many uses of one anchor is no configuration but an attack on memory. */
const maxAliasCount = 100

/** Reads every document of a text. Never throws: mistakes come back with document and line. */
export function readYamlDocuments(text: string): YamlDocuments {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const documents: YamlDocument[] = []
  const problems: YamlProblem[] = []
  for (const [index, document] of (Array.isArray(parsed) ? parsed : []).entries()) {
    const number = index + 1
    problems.push(
      ...document.errors.map((error) => ({
        document: number,
        line: lines.linePos(error.pos[0]).line,
        message: error.message,
      })),
    )
    if (document.errors.length > 0) continue
    const resolved = resolve(document)
    if (!resolved.ok) problems.push({ document: number, line: null, message: resolved.message })
    else if (resolved.value !== null) {
      documents.push({ number, value: resolved.value, lineOf: (path) => lineOf(document, path, lines) })
    }
  }
  return { documents, problems }
}

type Resolved = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string }

/** Aliases are followed here: they may lead nowhere, or to too much. */
function resolve(document: Document): Resolved {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount }) }
  } catch (error) {
    return { ok: false, message: `cannot be read: ${error instanceof Error ? error.message : String(error)}` }
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
