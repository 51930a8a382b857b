import { createSubscribable, type Subscribable } from '../../../api/subscribable.ts'
import { stripAnsi } from './ansi.ts'
import { type LogBlock, splitLines } from './logIndex.ts'
import type { LogReader } from './logReader.ts'

export interface SearchState {
  readonly hits: readonly number[]
  /** Blocks of the log that were not looked at yet. */
  readonly pendingBlocks: number
  readonly failed: boolean
}

export const maxSearchHits = 10_000
const readBytes = 1024 * 1024
const decoder = new TextDecoder()

/** Looks for a text in the whole log, also in what is not on screen and in what comes later. Case does not matter. */
export class LogSearch {
  readonly #reader: LogReader
  readonly #query: string
  readonly #stopped = new AbortController()
  readonly #unsubscribe: () => void
  readonly #found: number[] = []
  readonly #state = createSubscribable<SearchState>({ hits: [], pendingBlocks: 0, failed: false })
  #nextBlock = 0
  #working = false

  constructor(reader: LogReader, query: string) {
    this.#reader = reader
    this.#query = query.toLowerCase()
    this.#unsubscribe = reader.state.subscribe(() => void this.#advance())
    void this.#advance()
  }

  get state(): Subscribable<SearchState> {
    return this.#state
  }

  stop(): void {
    this.#unsubscribe()
    this.#stopped.abort()
  }

  async #advance(): Promise<void> {
    if (this.#working) return
    this.#working = true
    let failed = false
    try {
      while (this.#nextBlock < this.#reader.blocks.length && this.#found.length < maxSearchHits) {
        this.#publish(false)
        await this.#searchNext()
      }
    } catch {
      failed = true
    }
    this.#working = false
    if (!this.#stopped.signal.aborted) this.#publish(failed)
  }

  async #searchNext(): Promise<void> {
    const group = takeGroup(this.#reader.blocks, this.#nextBlock)
    const start = group[0]?.offset ?? 0
    const sizeBytes = group.reduce((sum, block) => sum + block.sizeBytes, 0)
    const bytes = await this.#reader.read(start, sizeBytes, this.#stopped.signal)
    for (const block of group) {
      const from = block.offset - start
      const part = bytes.subarray(from, from + block.sizeBytes)
      if (this.#mayHold(part)) this.#found.push(...this.#match(splitLines(part), block.firstLine))
    }
    this.#nextBlock += group.length
  }

  /** One look at a whole block is some twenty times cheaper than one at each of its lines. */
  #mayHold(bytes: Uint8Array): boolean {
    const text = decoder.decode(bytes)
    return (text.includes('\u001b') ? stripAnsi(text) : text).toLowerCase().includes(this.#query)
  }

  #match(lines: readonly string[], firstLine: number): number[] {
    return lines.flatMap((line, index) =>
      stripAnsi(line).toLowerCase().includes(this.#query) ? [firstLine + index] : [],
    )
  }

  #publish(failed: boolean): void {
    const pendingBlocks = this.#reader.blocks.length - this.#nextBlock
    const { tail } = this.#reader
    const inTail = pendingBlocks === 0 ? this.#match(tail.lines, tail.firstLine) : []
    this.#state.set({ hits: [...this.#found, ...inTail].slice(0, maxSearchHits), pendingBlocks, failed })
  }
}

function takeGroup(blocks: readonly LogBlock[], from: number): readonly LogBlock[] {
  let sizeBytes = 0
  let end = from
  while (end < blocks.length && sizeBytes + (blocks[end] as LogBlock).sizeBytes <= readBytes) {
    sizeBytes += (blocks[end] as LogBlock).sizeBytes
    end += 1
  }
  return blocks.slice(from, Math.max(end, from + 1))
}
