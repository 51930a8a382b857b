import { type ErrorCode, errorCodes } from '../../shared/errors.ts'

/** One answer as it travels; content and output are views of what was received. */
export type WireAnswer =
  | { readonly kind: 'same'; readonly state: string }
  | { readonly kind: 'content'; readonly state: string; readonly content: Uint8Array | null }
  | { readonly kind: 'replaced'; readonly state: string; readonly how: 'renamed' | 'in-place' }
  | { readonly kind: 'ran'; readonly exitCode: number; readonly stdout: Uint8Array; readonly stderr: Uint8Array }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly evidence: readonly string[] }

export interface WireReply {
  /** What the node's clock said when it began, in seconds; null when it was not asked. */
  readonly clockSeconds: number | null
  readonly answers: readonly WireAnswer[]
  /** What was received, with what was passed over. */
  readonly sizeBytes: number
}

/** What came from the node is not what a worker of ours says. */
export class BrokenReply extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BrokenReply'
  }
}

const newline = 10
/** More than this before an answer is no banner. */
const mostNoiseBytes = 1024 * 1024
/** Of one reply: a node that lies must not fill our memory. Twice the largest file, and what scripts print. */
const mostReplyBytes = 40 * 1024 * 1024
const longestNoise = 2000
const longestLineBytes = 64 * 1024
const mostEvidenceLines = 20
const longestEvidence = 1_000
/** As much as a worker keeps of each stream of a script. */
const mostOutputBytes = 262_144

/**
 * Reads the answers to one request out of what a node sends. Each begins with the nonce of the request; whatever is not
 * announced by it (banners, what a profile prints) is passed over, as it can come from anybody.
 */
export class ReplyReader {
  readonly #nonce: Uint8Array
  readonly #orderCount: number
  #received: Uint8Array = new Uint8Array(0)
  /** What `#received` is the beginning of, where it may grow. */
  #room: Uint8Array = this.#received
  /** Up to here it was read. */
  #at = 0
  #sizeBytes = 0
  #noiseBytes = 0
  #noise = ''
  #begun = false
  #clockSeconds: number | null = null
  readonly #answers: WireAnswer[] = []
  #evidence: string[] = []
  #tagged: string[] | null = null
  #reply: WireReply | null = null

  constructor(nonce: string, orderCount: number) {
    this.#nonce = latin1Bytes(`${nonce} `)
    this.#orderCount = orderCount
  }

  /** Whether the worker has read the request: what takes long from then on are its orders. */
  get begun(): boolean {
    return this.#begun
  }

  /** The beginning of what was passed over, for a diagnosis. */
  get noise(): string {
    return `${this.#noise}${text(this.#received.subarray(this.#at))}`.slice(0, longestNoise)
  }

  /**
   * @returns the reply when it is whole
   * @throws BrokenReply
   */
  push(chunk: Uint8Array): WireReply | null {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes > mostReplyBytes) throw new BrokenReply(`it is longer than ${mostReplyBytes} bytes`)
    this.#append(chunk)
    while (this.#reply === null && this.#step());
    return this.#reply
  }

  #append(chunk: Uint8Array): void {
    const rest = this.#received.subarray(this.#at)
    const length = rest.length + chunk.length
    if (rest.length === 0) {
      this.#room = chunk
      this.#at = 0
    } else if (this.#at + length > this.#room.length) {
      // Twice as much, or a large file in small pieces would be copied over and over.
      this.#room = new Uint8Array(length * 2)
      this.#room.set(rest)
      this.#room.set(chunk, rest.length)
      this.#at = 0
    } else this.#room.set(chunk, this.#received.length)
    this.#received = this.#room.subarray(0, this.#at + length)
  }

  /** @returns false when more bytes are needed */
  #step(): boolean {
    if (this.#tagged !== null) return this.#readTagged(this.#tagged)
    if (!this.#findNonce()) return false
    const end = this.#received.indexOf(newline, this.#at)
    if (end < 0) {
      if (this.#received.length - this.#at > longestLineBytes) throw new BrokenReply('an answer has no end')
      return false
    }
    const words = text(this.#received.subarray(this.#at + this.#nonce.length, end)).split(' ')
    return this.#take(words, end + 1)
  }

  /** Stands at the next nonce, or as near to the end as one could begin. */
  #findNonce(): boolean {
    const from = this.#at
    const last = this.#received.length - this.#nonce.length
    while (this.#at <= last) {
      if (startsWith(this.#received, this.#nonce, this.#at)) return this.#heard(from, true)
      const next = this.#received.indexOf(this.#nonce[0] as number, this.#at + 1)
      this.#at = next < 0 ? this.#received.length : next
    }
    return this.#heard(from, false)
  }

  #heard(from: number, found: boolean): boolean {
    this.#noiseBytes += this.#at - from
    if (this.#noise.length < longestNoise)
      this.#noise += text(this.#received.subarray(from, this.#at)).slice(0, longestNoise)
    if (this.#noiseBytes > mostNoiseBytes) throw new BrokenReply('the node prints something else without end')
    return found
  }

  #take(words: readonly string[], after: number): boolean {
    const [kind = '', first = '', second = ''] = words
    if (this.#answers.length > this.#orderCount) throw new BrokenReply(`more answers than ${this.#orderCount} orders`)
    switch (kind) {
      case 'begin':
        this.#begun = true
        // A time that no clock shows is none: milliseconds of it would be no number that can be kept.
        this.#clockSeconds = /^\d{1,12}(\.\d{1,9})?$/.test(first) ? Number(first) : null
        break
      case 'said':
        if (this.#evidence.length < mostEvidenceLines)
          this.#evidence.push(words.slice(1).join(' ').slice(0, longestEvidence))
        break
      case 'tagged':
        this.#tagged = []
        break
      case 'content':
        return this.#takeContent(first, { length: second, after })
      case 'ran':
        return this.#takeRan(words, after)
      case 'end':
        this.#finish()
        break
      default:
        this.#answers.push(this.#simple(words))
    }
    this.#at = after
    return true
  }

  #simple([kind, first = '', second = '']: readonly string[]): WireAnswer {
    switch (kind) {
      case 'same':
        return { kind, state: state(first) }
      case 'replaced':
        if (second !== 'renamed' && second !== 'in-place') break
        return { kind, state: state(first), how: second }
      case 'skipped':
        return { kind }
      case 'refused': {
        const evidence = this.#evidence
        this.#evidence = []
        return { kind, code: errorCode(first), evidence }
      }
    }
    throw new BrokenReply(`no answer is called "${kind?.slice(0, 40)}"`)
  }

  #takeContent(stated: string, { length, after }: { readonly length: string; readonly after: number }): boolean {
    if (length === '-') {
      if (stated !== 'missing') throw new BrokenReply('a file without content')
      this.#answers.push({ kind: 'content', state: stated, content: null })
      this.#at = after
      return true
    }
    const sizeBytes = count(length)
    if (this.#received.length < after + sizeBytes) return false
    const content = this.#received.subarray(after, after + sizeBytes)
    this.#answers.push({ kind: 'content', state: state(stated), content })
    this.#at = after + sizeBytes
    return true
  }

  #takeRan([, exitCode, stdoutLength, stderrLength]: readonly string[], after: number): boolean {
    const middle = after + outputBytes(count(stdoutLength))
    const end = middle + outputBytes(count(stderrLength))
    if (this.#received.length < end) return false
    const stdout = this.#received.subarray(after, middle)
    const stderr = this.#received.subarray(middle, end)
    this.#answers.push({ kind: 'ran', exitCode: count(exitCode), stdout, stderr })
    this.#at = end
    return true
  }

  /** Output that a shell could only keep as text: lines of hexadecimal bytes, those of stdout and stderr mixed. */
  #readTagged(lines: string[]): boolean {
    for (;;) {
      const end = this.#received.indexOf(newline, this.#at)
      if (end < 0) return false
      const line = this.#received.subarray(this.#at, end)
      this.#at = end + 1
      if (startsWith(line, this.#nonce, 0)) break
      lines.push(text(line))
    }
    this.#tagged = null
    this.#answers.push(untagged(lines))
    return true
  }

  #finish(): void {
    if (this.#answers.length !== this.#orderCount)
      throw new BrokenReply(`${this.#answers.length} answers to ${this.#orderCount} orders`)
    this.#reply = { clockSeconds: this.#clockSeconds, answers: this.#answers, sizeBytes: this.#sizeBytes }
  }
}

function untagged(lines: readonly string[]): WireAnswer {
  const bytes: Record<'o' | 'e', number[]> = { o: [], e: [] }
  let exitCode: number | null = null
  for (const line of lines) {
    const tag = line[0]
    if (tag === 'x') exitCode = count(line.slice(1))
    else if ((tag === 'o' || tag === 'e') && /^(\s*[0-9a-f]{2})+\s*$/.test(line.slice(1)))
      for (const pair of line.slice(1).match(/[0-9a-f]{2}/g) ?? []) bytes[tag].push(Number.parseInt(pair, 16))
    else if (line !== '') throw new BrokenReply('output of a script that cannot be read')
  }
  if (exitCode === null) throw new BrokenReply('a script without an exit code')
  for (const output of [bytes.o, bytes.e]) outputBytes(output.length)
  return { kind: 'ran', exitCode, stdout: Uint8Array.from(bytes.o), stderr: Uint8Array.from(bytes.e) }
}

function count(word: string | undefined): number {
  if (word === undefined || !/^\d{1,9}$/.test(word)) throw new BrokenReply(`"${word?.slice(0, 40)}" is no number`)
  return Number(word)
}

function outputBytes(sizeBytes: number): number {
  if (sizeBytes > mostOutputBytes) throw new BrokenReply('more output of a script than a worker keeps')
  return sizeBytes
}

function state(word: string): string {
  if (word === 'missing' || /^[0-9a-f]{64}$/.test(word)) return word
  throw new BrokenReply(`"${word.slice(0, 80)}" is no state of a file`)
}

function errorCode(word: string): ErrorCode {
  const code = errorCodes.find((known) => known === word)
  if (code === undefined) throw new BrokenReply(`no error is called "${word.slice(0, 40)}"`)
  return code
}

const decoder = new TextDecoder()
const text = (bytes: Uint8Array): string => decoder.decode(bytes)

function latin1Bytes(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (character) => character.charCodeAt(0))
}

function startsWith(bytes: Uint8Array, wanted: Uint8Array, at: number): boolean {
  if (at + wanted.length > bytes.length) return false
  for (let index = 0; index < wanted.length; index += 1) if (bytes[at + index] !== wanted[index]) return false
  return true
}
