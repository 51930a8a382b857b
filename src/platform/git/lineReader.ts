/** Longer than anything git says in one line; more is cut off. */
const longestLine = 16 * 1024

/** Figures of progress: `Receiving objects:  42% (…)`, ended by a carriage return. */
const progress = /^[A-Z][A-Za-z ]+: +\d+%/
/** What the other side counts before it sends. */
const counting = /^remote: (?:Enumerating|Counting|Compressing) objects:|^remote: Total \d+ \(delta/

/** Cuts what git says into lines for a person; what it overwrites on a terminal is left out. */
export class LineReader {
  readonly #onLine: (line: string) => void
  readonly #decoder = new TextDecoder()
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Uint8Array): void {
    const pieces = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n')
    this.#rest = (pieces.pop() ?? '').slice(-longestLine)
    for (const piece of pieces) this.#emit(piece)
  }

  end(): void {
    this.#emit(this.#rest + this.#decoder.decode())
    this.#rest = ''
  }

  #emit(piece: string): void {
    const line = piece.slice(piece.lastIndexOf('\r', piece.length - 2) + 1).trimEnd()
    const isFigure = counting.test(line) || (progress.test(line) && !line.endsWith('done.'))
    if (line !== '' && !isFigure) this.#onLine(line)
  }
}
