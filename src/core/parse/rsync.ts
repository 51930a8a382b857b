/*
 * What rsync prints, as pure functions. Names are byte strings: one character (0 to 255) for each byte, because a file
 * name need not be UTF-8. Expects `LC_ALL=C`, so that rsync escapes every byte that is not printable ASCII, and the
 * formats of `src/core/transfer/rsyncArguments.ts`.
 */

/** A file name as bytes, one character per byte. */
export type ByteName = string

/**
 * `--out-format`: what happened, size, name. The other side can have text of its own printed among our lines, but it
 * cannot know `mark`: only what follows the mark is what our rsync says of a file. Without `%`.
 */
export const outFormat = (mark: string): string => `${mark}%i %l %n`

export type RsyncLine =
  /** Something is (or, in a dry run, would be) sent, created or changed; with `-ii` also what is equal. */
  | {
      readonly kind: 'item'
      readonly change: string
      readonly type: 'file' | 'directory' | 'symlink' | 'other'
      readonly sizeBytes: number
      readonly name: ByteName
    }
  | { readonly kind: 'delete'; readonly name: ByteName; readonly isDirectory: boolean }
  | { readonly kind: 'progress'; readonly bytes: number; readonly percent: number; readonly filesDone: number | null }
  | { readonly kind: 'stat'; readonly name: string; readonly value: number; readonly regular: number | null }
  | { readonly kind: 'text'; readonly text: string }

/** Undoes `\#ooo`, rsync's escape for a byte. */
export function decodeName(escaped: string): ByteName {
  return escaped.replace(/\\#([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** For people: UTF-8 where it is, everything else visible. */
export function displayName(name: ByteName): string {
  const text = new TextDecoder().decode(Uint8Array.from(name, (character) => character.charCodeAt(0)))
  return text.replace(
    /[\u0000-\u001f\u007f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

const progressPattern = /^\s*([\d,]+)\s+(\d+)%\s+\S+\/s\s+\S+(?:\s+\(xfr#(\d+),)?/
const itemPattern = /^([<>ch.][fdLDS][.+?a-zA-Z ]{9}) (\d+) (.*)$/
const deletePattern = /^\*deleting\s+\d+ (.*)$/
const statPattern = /^((?:Number of|Total) [a-z ]+): ([\d,]+)(?: bytes)?(?: \((?:reg: ([\d,]+))?.*\))?$/

const itemTypes: Readonly<Record<string, 'file' | 'directory' | 'symlink'>> = {
  f: 'file',
  d: 'directory',
  L: 'symlink',
}

const toNumber = (digits: string): number => Number(digits.replaceAll(',', ''))

/** One line (or one carriage-return piece of one) of standard output, `mark` as in {@link outFormat}. */
export function parseLine(line: string, mark: string): RsyncLine {
  // Not at the start only: text of the other side without a line end must not hide a line of ours.
  const at = line.indexOf(mark)
  return at < 0 ? (parseProgress(line) ?? parseStat(line) ?? asText(line)) : parseMarked(line.slice(at + mark.length))
}

const asText = (text: string): RsyncLine => ({ kind: 'text', text })

function parseMarked(line: string): RsyncLine {
  const item = itemPattern.exec(line)
  if (item !== null) {
    const [, change = '', size = '0', name = ''] = item
    return {
      kind: 'item',
      change,
      type: itemTypes[change[1] ?? ''] ?? 'other',
      sizeBytes: Number(size),
      name: decodeName(name),
    }
  }
  const deleted = deletePattern.exec(line)
  if (deleted !== null) {
    const name = decodeName(deleted[1] ?? '')
    return { kind: 'delete', name, isDirectory: name.endsWith('/') }
  }
  return asText(line)
}

function parseProgress(line: string): RsyncLine | null {
  const progress = progressPattern.exec(line)
  if (progress === null) return null
  const [, bytes = '0', percent = '0', files] = progress
  return {
    kind: 'progress',
    bytes: toNumber(bytes),
    percent: Number(percent),
    filesDone: files === undefined ? null : Number(files),
  }
}

function parseStat(line: string): RsyncLine | null {
  const stat = statPattern.exec(line)
  if (stat === null) return null
  const [, name = '', value = '0', regular] = stat
  return { kind: 'stat', name, value: toNumber(value), regular: regular === undefined ? null : toNumber(regular) }
}

/** Cuts a stream into lines at `\n` and `\r`, over chunk borders. Text that is no progress keeps its line end. */
export class RsyncOutput {
  readonly #mark: string
  readonly #onLine: (line: RsyncLine, raw: string) => void
  readonly #decoder = new TextDecoder()
  #rest = ''

  /** Longer than any line with a name in it: a sender that never ends its line must not fill our memory. */
  static readonly #longestLine = 64 * 1024

  /** `raw` is the line as people read it, without the mark. */
  constructor(mark: string, onLine: (line: RsyncLine, raw: string) => void) {
    this.#mark = mark
    this.#onLine = onLine
  }

  push(chunk: Uint8Array): void {
    const pieces = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split(/[\r\n]/)
    this.#rest = pieces.pop() ?? ''
    for (const piece of pieces) this.#emit(piece)
    if (this.#rest.length > RsyncOutput.#longestLine) this.#shorten()
  }

  end(): void {
    this.#emit(this.#rest + this.#decoder.decode())
    this.#rest = ''
  }

  #emit(piece: string): void {
    if (piece !== '') this.#onLine(parseLine(piece, this.#mark), piece.replace(this.#mark, ''))
  }

  /** A mark, or the beginning of one, stays: what follows it is ours. */
  #shorten(): void {
    const at = this.#rest.indexOf(this.#mark)
    const kept = at < 0 ? this.#rest.length - this.#mark.length : at
    const text = this.#rest.slice(0, kept)
    if (text !== '') this.#onLine(asText(text), text)
    this.#rest = this.#rest.slice(kept)
  }
}

export interface ListedEntry {
  readonly type: 'file' | 'directory' | 'symlink'
  readonly sizeBytes: number
  /** Without a slash at the end; `.` for the top. */
  readonly name: ByteName
}

const listPattern = /^([-dlpsbcwD])\S{9}\S?\s+([\d,]+) \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.*)$/

/** A line of `rsync --list-only`; null for what is neither file, directory nor link, and for messages. */
export function parseListLine(line: string): ListedEntry | null {
  const match = listPattern.exec(line)
  if (match === null) return null
  const [, kind = '', size = '0', rest = ''] = match
  const sizeBytes = toNumber(size)
  const name = decodeName(rest)
  if (kind === '-') return { type: 'file', sizeBytes, name }
  if (kind === 'd') return { type: 'directory', sizeBytes, name }
  // The size of a link is the length of what it points to, so ` -> ` in a name cannot mislead.
  if (kind === 'l') return { type: 'symlink', sizeBytes, name: name.slice(0, name.length - sizeBytes - ' -> '.length) }
  return null
}

/** What an exit code of rsync means for the run (U34). */
export type RsyncSeverity =
  | 'ok'
  | 'warning'
  | 'partial'
  | 'retryable'
  | 'disk-full-suspected'
  | 'delete-limit'
  | 'fatal'

const exitSeverities: Readonly<Record<number, RsyncSeverity>> = {
  0: 'ok',
  /** Error in socket I/O, protocol data stream, timeout in data or at connect, stopped by a signal, whatever ssh said. */
  10: 'retryable',
  12: 'retryable',
  30: 'retryable',
  35: 'retryable',
  255: 'retryable',
  20: 'retryable',
  11: 'disk-full-suspected',
  23: 'partial',
  24: 'warning',
  25: 'delete-limit',
}

export function rsyncSeverity(exitCode: number): RsyncSeverity {
  // 128 + n: a signal ended rsync on one side, as a shutdown or a lack of memory does.
  if (exitCode > 128 && exitCode < 160) return 'retryable'
  return exitSeverities[exitCode] ?? 'fatal'
}

const complaint = /^(?:rsync: |file has vanished: ).*?"(.+?)"/

/** Names in `rsync: [sender] send_files failed to open "/x": Permission denied (13)` and `file has vanished: "/x"`. */
export function filesComplainedAbout(stderr: string): string[] {
  const names = stderr.split('\n').flatMap((line) => complaint.exec(line)?.[1] ?? [])
  return [...new Set(names.map((name) => displayName(decodeName(name))))]
}
