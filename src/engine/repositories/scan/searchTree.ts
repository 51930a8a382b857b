import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findDirectives, isDirectiveFile, withoutDirectives } from '../../../core/scan/directives.ts'
import { findSecrets, mostSecrets, withoutRepetitions } from '../../../core/scan/findSecrets.ts'
import type { SecretMatch } from '../../../core/scan/rule.ts'
import type { ScanOutcome } from '../../ports.ts'
import { LineCounter } from './lines.ts'
import type { Searched, SearchRequest } from './protocol.ts'
import type { Library } from './secretlint.ts'
import { SkippedFiles } from './skippedFiles.ts'
import { textOf } from './textOf.ts'
import { filesOf, namedFiles, type TreeEntry } from './treeFiles.ts'

/** Larger ones are listed, not searched. */
export const largestFileBytes = 5 * 1024 * 1024
const mostDirectives = 1_000

/** More than anybody can look at: refused, so that it blocks instead of being searched in part. */
export class TooManySecretsError extends Error {}

/**
 * Reads and searches the files of a tree, one after the other and without pause: for a thread of its own.
 *
 * @param onFile before each file, so that whoever waits knows which one it is that takes long or fails
 */
export async function searchTree(
  request: SearchRequest,
  library: Library,
  onFile: (file: string) => void,
): Promise<Searched> {
  const { directory, files } = request
  const skipped = new SkippedFiles()
  const skip = ({ file, reason }: { readonly file: string; readonly reason: string }) => skipped.add(file, reason)
  const copy = request.copyTo === null ? null : new Copy(request.copyTo)
  const findings: ScanOutcome['findings'][number][] = []
  const ignoredDirectives: ScanOutcome['ignoredDirectives'] = []
  let filesScanned = 0
  const entries = files === null ? filesOf(directory, skip) : namedFiles(directory, files, skip)
  const seen = new Set<string>()
  for (const entry of entries) {
    // A file and its directory may both have been named.
    const path = entry.path.toString('latin1')
    if (seen.has(path)) continue
    seen.add(path)
    onFile(entry.file)
    const text = readText(entry, skip)
    copy?.add(entry.file, text ?? '\n')
    if (text === null) continue
    filesScanned += 1
    if (ignoredDirectives.length < mostDirectives) ignoredDirectives.push(...directivesIn(entry.file, text))
    if (request.search) findings.push(...(await searchText(entry.file, text, request.salt, library)))
  }
  return {
    findings,
    filesScanned,
    ignoredDirectives: ignoredDirectives.slice(0, mostDirectives),
    skipped: skipped.list(),
    copiedAs: copy?.renamed ?? {},
  }
}

function readText(
  { path, file, stats }: TreeEntry,
  skip: (entry: { file: string; reason: string }) => void,
): string | null {
  const bytes = stats.size > largestFileBytes ? null : readBounded(path)
  if (bytes === null) {
    skip({ file, reason: `larger than ${largestFileBytes / 1024 / 1024} MiB` })
    return null
  }
  const decoded = textOf(bytes)
  if (decoded.kind === 'text') return decoded.text
  skip({ file, reason: decoded.reason })
  return null
}

/** Null when it has grown beyond the bound since it was listed. Never opens what is behind a symbolic link, or waits for a pipe. */
function readBounded(path: Buffer): Buffer | null {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    return fstatSync(descriptor).size > largestFileBytes ? null : readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function directivesIn(file: string, text: string): ScanOutcome['ignoredDirectives'] {
  const lines = new LineCounter(text)
  const numbers = new Set(findDirectives(text).map((place) => lines.at(place)))
  if (isDirectiveFile(file)) numbers.add(1)
  return [...numbers].slice(0, mostDirectives).map((line) => ({ file, line }))
}

async function searchText(
  file: string,
  text: string,
  salt: string,
  library: Library,
): Promise<ScanOutcome['findings'][number][]> {
  const theirs = await library(text, file)
  if (theirs.length > mostSecrets) throw new TooManySecretsError(`it holds more than ${mostSecrets} secrets`)
  const lines = new LineCounter(text)
  const seen = new Set<string>()
  return withoutRepetitions<SecretMatch>([...findSecrets(text), ...theirs]).flatMap((match) => {
    const { rule, words, start, end } = match
    const line = lines.at(start)
    const hash = findingHash({ salt, rule, file, value: text.slice(start, end) })
    const key = `${hash} ${line}`
    if (seen.has(key)) return []
    seen.add(key)
    return [{ hash, rule, file, line, message: `Looks like ${words}.` }]
  })
}

/** The same secret in the same file has the same hash wherever it stands in it; without the salt the hash says nothing. */
export function findingHash(parts: {
  readonly salt: string
  readonly rule: string
  readonly file: string
  readonly value: string
}): string {
  const { salt, rule, file, value } = parts
  return createHash('sha256')
    .update(JSON.stringify([salt, rule, file, value]))
    .digest('hex')
}

/** A second tree of the same texts, in which nothing tells a scanner to look away. */
class Copy {
  readonly renamed: Record<string, string> = {}
  readonly #root: string
  #others = 0

  constructor(root: string) {
    this.#root = root
  }

  add(file: string, text: string): void {
    const name = this.#nameFor(file)
    const path = join(this.#root, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Never over another file: what was overwritten would not be searched.
    writeFileSync(path, withoutDirectives(text), { mode: 0o600, flag: 'wx' })
    if (name !== file) this.renamed[name] = file
  }

  /** Files that a scanner would obey, and names that stand for several files, get another one. */
  #nameFor(file: string): string {
    if (!isDirectiveFile(file) && !file.includes('\ufffd')) return file
    this.#others += 1
    return `${file}.${this.#others}-searched`
  }
}
