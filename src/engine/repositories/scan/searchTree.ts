import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findDirectives, isDirectiveFile, withoutDirectives } from '../../../core/scan/directives.ts'
import { findEvidentSecrets, findSecrets, mostSecrets, withoutRepetitions } from '../../../core/scan/findSecrets.ts'
import type { SecretMatch } from '../../../core/scan/rule.ts'
import { largestSearchedBytes, largestTextBytes, skipReasons } from '../../../core/scan/skipped.ts'
import type { ScanOutcome } from '../../ports.ts'
import { LineCounter } from './lines.ts'
import { piecesOf } from './pieces.ts'
import type { Searched, SearchRequest } from './protocol.ts'
import type { Library } from './secretlint.ts'
import { SkippedFiles } from './skippedFiles.ts'
import { textOf } from './textOf.ts'
import { filesOf, namedFiles } from './treeFiles.ts'

const mostDirectives = 1_000

type ScanFinding = ScanOutcome['findings'][number]

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
  const findings: ScanFinding[] = []
  const ignoredDirectives: ScanOutcome['ignoredDirectives'] = []
  let filesScanned = 0
  const entries = files === null ? filesOf(directory, skip) : namedFiles(directory, files, skip)
  const seen = new Set<string>()
  for (const entry of entries) {
    // A file and its directory may both have been named.
    const path = entry.path.toString('latin1')
    if (seen.has(path)) continue
    seen.add(path)
    const { file } = entry
    onFile(file)
    const descriptor = openFile(entry.path)
    try {
      const content = contentOf(descriptor)
      copy?.add(file, content.kind === 'text' ? content.text : '\n')
      if (content.kind !== 'text') skip({ file, reason: content.reason })
      if (content.kind !== 'unsearched') filesScanned += 1
      if (content.kind === 'pieces') {
        const order = { descriptor, sizeBytes: content.sizeBytes, file, salt: request.salt }
        findings.push(...searchPieces(order, () => onFile(file)))
      }
      if (content.kind !== 'text') continue
      if (ignoredDirectives.length < mostDirectives) ignoredDirectives.push(...directivesIn(file, content.text))
      if (request.search) findings.push(...(await searchText(file, content.text, request.salt, library)))
    } finally {
      closeSync(descriptor)
    }
  }
  return {
    findings,
    filesScanned,
    ignoredDirectives: ignoredDirectives.slice(0, mostDirectives),
    skipped: skipped.list(),
    copiedAs: copy?.renamed ?? {},
  }
}

/** `pieces`: no text, or too large for one. */
type Content =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'pieces'; readonly sizeBytes: number; readonly reason: string }
  | { readonly kind: 'unsearched'; readonly reason: string }

/** Never opens what is behind a symbolic link, or waits for a pipe. */
const openFile = (path: Buffer): number =>
  openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)

function contentOf(descriptor: number): Content {
  const sizeBytes = fstatSync(descriptor).size
  if (sizeBytes > largestSearchedBytes) return { kind: 'unsearched', reason: skipReasons.tooLarge }
  if (sizeBytes > largestTextBytes) return { kind: 'pieces', sizeBytes, reason: skipReasons.largeText }
  const decoded = textOf(readFileSync(descriptor))
  return decoded.encoding === null
    ? { kind: 'pieces', sizeBytes, reason: skipReasons.binary }
    : { kind: 'text', text: decoded.text }
}

function directivesIn(file: string, text: string): ScanOutcome['ignoredDirectives'] {
  const lines = new LineCounter(text)
  const numbers = new Set(findDirectives(text).map((place) => lines.at(place)))
  if (isDirectiveFile(file)) numbers.add(1)
  return [...numbers].slice(0, mostDirectives).map((line) => ({ file, line }))
}

async function searchText(file: string, text: string, salt: string, library: Library): Promise<ScanFinding[]> {
  const theirs = await library(text, file)
  if (theirs.length > mostSecrets) throw new TooManySecretsError(`it holds more than ${mostSecrets} secrets`)
  const found = new FoundInFile(file, salt)
  found.add(text, withoutRepetitions<SecretMatch>([...findSecrets(text), ...theirs]), 1)
  return found.findings
}

interface PiecesOrder {
  readonly descriptor: number
  readonly sizeBytes: number
  readonly file: string
  readonly salt: string
}

/**
 * What is no text, or too large to be searched as one, with the rules that need nothing around it.
 *
 * @param onPiece before each: a large file takes its time, and does not stand still
 */
function searchPieces({ descriptor, sizeBytes, file, salt }: PiecesOrder, onPiece: () => void): ScanFinding[] {
  const found = new FoundInFile(file, salt)
  for (const { text, from, to, line } of piecesOf(descriptor, sizeBytes)) {
    onPiece()
    const matches = findEvidentSecrets(text).filter(({ start }) => start >= from && start < to)
    found.add(text, matches, line)
  }
  return found.findings
}

/** Findings of one file, each place once. */
class FoundInFile {
  readonly findings: ScanFinding[] = []
  readonly #file: string
  readonly #salt: string
  readonly #seen = new Set<string>()

  constructor(file: string, salt: string) {
    this.#file = file
    this.#salt = salt
  }

  /** @param matches ascending @param firstLine number of the line that `text` begins in */
  add(text: string, matches: readonly SecretMatch[], firstLine: number): void {
    const lines = new LineCounter(text)
    for (const { rule, words, start, end } of matches) {
      const line = lines.at(start) + firstLine - 1
      const hash = findingHash({ salt: this.#salt, rule, file: this.#file, value: text.slice(start, end) })
      const key = `${hash} ${line}`
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      if (this.#seen.size > mostSecrets) throw new TooManySecretsError(`it holds more than ${mostSecrets} secrets`)
      this.findings.push({ hash, rule, file: this.#file, line, message: `Looks like ${words}.` })
    }
  }
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
    // A zero byte would make it binary for another scanner.
    writeFileSync(path, withoutDirectives(text).replaceAll('\0', ' '), { mode: 0o600, flag: 'wx' })
    if (name !== file) this.renamed[name] = file
  }

  /** Files that a scanner would obey, and names that stand for several files, get another one. */
  #nameFor(file: string): string {
    if (!isDirectiveFile(file) && !file.includes('\ufffd')) return file
    this.#others += 1
    return `${file}.${this.#others}-searched`
  }
}
