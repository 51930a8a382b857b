import { type RunState, runStates } from '../../../../shared/model/run.ts'

/*
 * An incremental index over the output of a run. It never holds the output itself: only where each block of lines
 * begins, and the block at the end that is still growing. One gigabyte costs some 16,000 small records.
 */

/** Blocks are closed at the first line end past this size. */
export const blockBytes = 64 * 1024
/** A longer line is shown as several: no row may grow without bound. */
export const longestLineBytes = 8 * 1024
/** Enough to mark a scroll bar with; a log with more errors than this has one cause anyway. */
export const maxErrorLines = 20_000

export interface LogBlock {
  readonly firstLine: number
  readonly lineCount: number
  readonly offset: number
  readonly sizeBytes: number
}

const newline = 0x0a

/** Length in bytes of the line that starts at `start`, its line break included. */
function lineLength(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(newline, start)
  const length = (end < 0 ? bytes.length : end + 1) - start
  if (length <= longestLineBytes) return length
  let cut = longestLineBytes
  // Step back to the first byte of a UTF-8 character.
  while (cut > longestLineBytes - 4 && ((bytes[start + cut] ?? 0) & 0xc0) === 0x80) cut -= 1
  return cut
}

const decoder = new TextDecoder()

/** The lines of a block as text, without their line breaks. Of a line redrawn with carriage returns the last drawing counts. */
export function splitLines(bytes: Uint8Array): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = lineLength(bytes, at)
    lines.push(lastDrawing(decoder.decode(bytes.subarray(at, at + length))))
    at += length
  }
  return lines
}

function lastDrawing(line: string): string {
  const text = line.replace(/[\r\n]+$/, '')
  const redrawn = text.lastIndexOf('\r')
  return redrawn < 0 ? text : text.slice(redrawn + 1)
}

const errorWords = /\b(?:error|fatal|failed|failure|denied|refused|no space left|cannot|timed out)\b/i
/** An rsync item, or a file that goes: the words in it are a file's name. */
const fileLine = /^(?:[<>ch.*][fdLDS][.+?a-zA-Z]{9} |deleting |\*deleting )/

export const isErrorLine = (line: string): boolean => errorWords.test(line) && !fileLine.test(line)

/** Where a run has entered a state. */
export interface LogHeading {
  readonly line: number
  readonly state: RunState
}

/** The state a line announces, as the engine writes it: `== PUSH_SYNC (attempt 1) …`. */
export function headingOf(line: string): RunState | null {
  const word = line.startsWith('== ') ? /^== ([A-Z_]+) \(attempt \d+\)/.exec(line)?.[1] : undefined
  return runStates.find((state) => state === word) ?? null
}

export class LogIndex {
  readonly #blocks: LogBlock[] = []
  readonly #errors: number[] = []
  readonly #headings: LogHeading[] = []
  #tail = new Uint8Array(0)
  #tailOffset = 0
  #tailFirstLine = 0
  #tailLines: readonly string[] = []
  #tailErrors: readonly number[] = []
  #tailHeadings: readonly LogHeading[] = []

  get sizeBytes(): number {
    return this.#tailOffset + this.#tail.length
  }

  get lineCount(): number {
    return this.#tailFirstLine + this.#tailLines.length
  }

  get blocks(): readonly LogBlock[] {
    return this.#blocks
  }

  /** The part after the last closed block; held in memory because it is what a follower looks at. */
  get tail(): { readonly firstLine: number; readonly lines: readonly string[] } {
    return { firstLine: this.#tailFirstLine, lines: this.#tailLines }
  }

  /** Line numbers, ascending, from 0. */
  get errorLines(): readonly number[] {
    return this.#tailErrors.length === 0 ? this.#errors : [...this.#errors, ...this.#tailErrors]
  }

  get headings(): readonly LogHeading[] {
    return this.#tailHeadings.length === 0 ? this.#headings : [...this.#headings, ...this.#tailHeadings]
  }

  /** Takes the bytes that follow what it has; nothing may be left out. */
  append(bytes: Uint8Array): void {
    let rest = concat(this.#tail, bytes)
    while (rest.length > blockBytes) {
      const block = this.#measure(rest)
      // The last line of what we have may still grow: its block stays open.
      if (block.sizeBytes >= rest.length) break
      this.#close(block, rest.subarray(0, block.sizeBytes))
      rest = rest.subarray(block.sizeBytes)
    }
    this.#tail = rest.slice()
    this.#tailLines = splitLines(this.#tail)
    this.#tailHeadings = headingsOf(this.#tailLines, this.#tailFirstLine)
    this.#tailErrors = this.#errors.length < maxErrorLines ? errorsOf(this.#tailLines, this.#tailFirstLine) : []
  }

  /** The closed block that holds the line; null when the line is in the tail or beyond. */
  blockOf(line: number): LogBlock | null {
    if (line >= this.#tailFirstLine) return null
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#blocks[middle] as LogBlock).firstLine <= line) low = middle
      else high = middle - 1
    }
    return this.#blocks[low] ?? null
  }

  #measure(bytes: Uint8Array): LogBlock {
    let sizeBytes = 0
    let lineCount = 0
    while (sizeBytes < blockBytes && sizeBytes < bytes.length) {
      sizeBytes += lineLength(bytes, sizeBytes)
      lineCount += 1
    }
    return { firstLine: this.#tailFirstLine, lineCount, offset: this.#tailOffset, sizeBytes }
  }

  #close(block: LogBlock, bytes: Uint8Array): void {
    this.#blocks.push(block)
    const text = decoder.decode(bytes)
    const hasErrors = this.#errors.length < maxErrorLines && errorWords.test(text)
    const hasHeadings = text.includes('== ')
    if (hasErrors || hasHeadings) {
      const lines = splitLines(bytes)
      if (hasErrors) this.#errors.push(...errorsOf(lines, block.firstLine))
      if (hasHeadings) this.#headings.push(...headingsOf(lines, block.firstLine))
    }
    this.#tailOffset += block.sizeBytes
    this.#tailFirstLine += block.lineCount
  }
}

function headingsOf(lines: readonly string[], firstLine: number): LogHeading[] {
  return lines.flatMap((line, index) => {
    const state = headingOf(line)
    return state === null ? [] : [{ line: firstLine + index, state }]
  })
}

function errorsOf(lines: readonly string[], firstLine: number): number[] {
  return lines.flatMap((line, index) => (isErrorLine(line) ? [firstLine + index] : []))
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(left.length + right.length)
  out.set(left)
  out.set(right, left.length)
  return out
}
