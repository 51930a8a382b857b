import type { EngineClient } from '../../../../shared/contract/index.ts'
import type { LogChunk } from '../../../../shared/contract/runs.ts'
import type { ErrorBody } from '../../../../shared/errors.ts'
import type { RunId } from '../../../../shared/model/ids.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { createSubscribable, type Settable, type Subscribable } from '../../../api/subscribable.ts'
import { type LogBlock, type LogHeading, LogIndex, splitLines } from './logIndex.ts'

/** What the viewer shows around the lines. */
export interface LogState {
  readonly lineCount: number
  /** Indexed so far. */
  readonly sizeBytes: number
  /** In the log store when last heard. */
  readonly totalBytes: number
  /** The run is final and all of its output is indexed. */
  readonly complete: boolean
  readonly errorLines: readonly number[]
  readonly headings: readonly LogHeading[]
  /** Why reading has stopped for now; it is tried again by itself. */
  readonly error: ErrorBody | null
  /** Grows with every change of what `line` may answer. */
  readonly version: number
}

const readBytes = 1024 * 1024
const cachedBlocks = 96
const retryMs = 2_000

export type LogClient = Pick<EngineClient, 'runs'>

export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at)
  return bytes
}

/**
 * Reads the output of one run by byte offsets: indexes it piece by piece, follows what comes, and fetches again the
 * few blocks that are looked at. Memory stays bounded whatever the size of the log.
 */
export class LogReader {
  readonly #client: LogClient
  readonly #runId: RunId
  readonly #index = new LogIndex()
  readonly #cache = new Map<number, readonly string[]>()
  readonly #loading = new Set<number>()
  readonly #stopped = new AbortController()
  readonly #state: Settable<LogState> = createSubscribable<LogState>({
    lineCount: 0,
    sizeBytes: 0,
    totalBytes: 0,
    complete: false,
    errorLines: [],
    headings: [],
    error: null,
    version: 0,
  })

  constructor(client: LogClient, runId: RunId) {
    this.#client = client
    this.#runId = runId
  }

  get state(): Subscribable<LogState> {
    return this.#state
  }

  get blocks(): readonly LogBlock[] {
    return this.#index.blocks
  }

  get tail(): LogIndex['tail'] {
    return this.#index.tail
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#stopped.abort()
  }

  /** The text of a line; null while it is being fetched, which changes `version` when it is here. */
  line(number: number): string | null {
    const block = this.#index.blockOf(number)
    if (block === null) return this.#index.tail.lines[number - this.#index.tail.firstLine] ?? ''
    const lines = this.#cache.get(block.offset)
    if (lines !== undefined) return lines[number - block.firstLine] ?? ''
    void this.#load(block)
    return null
  }

  /** Bytes of the log as they are, for searching and saving; at most 4 MiB at once. */
  async read(offset: number, sizeBytes: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const chunk = await this.#client.runs.log(
      { runId: this.#runId, offset, maxBytes: sizeBytes },
      signal === undefined ? {} : { signal },
    )
    return decodeBase64(chunk.base64)
  }

  async #load(block: LogBlock): Promise<void> {
    if (this.#loading.has(block.offset)) return
    this.#loading.add(block.offset)
    try {
      this.#remember(block, splitLines(await this.read(block.offset, block.sizeBytes, this.#stopped.signal)))
      this.#loading.delete(block.offset)
    } catch (error) {
      if (this.#stopped.signal.aborted) return
      this.#publish({ error: toErrorBody(error) })
      await this.#pause()
      this.#loading.delete(block.offset)
      this.#publish({ error: null })
    }
  }

  #remember(block: LogBlock, lines: readonly string[]): void {
    this.#cache.set(block.offset, lines)
    const oldest = this.#cache.keys().next().value
    if (this.#cache.size > cachedBlocks && oldest !== undefined) this.#cache.delete(oldest)
    this.#publish({})
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        if (await this.#catchUp()) return
        await this.#follow()
        if (this.#state.get().complete) return
      } catch (error) {
        if (this.#stopped.signal.aborted) return
        this.#publish({ error: toErrorBody(error) })
        await this.#pause()
      }
    }
  }

  /** @returns whether nothing more will come. */
  async #catchUp(): Promise<boolean> {
    for (;;) {
      const options = { signal: this.#stopped.signal }
      const chunk = await this.#client.runs.log(
        { runId: this.#runId, offset: this.#index.sizeBytes, maxBytes: readBytes },
        options,
      )
      this.#take(chunk)
      if (chunk.complete) return true
      if (chunk.nextOffset >= chunk.totalBytes) return false
    }
  }

  async #follow(): Promise<void> {
    const options = { signal: this.#stopped.signal }
    const chunks = await this.#client.runs.followLog({ runId: this.#runId, offset: this.#index.sizeBytes }, options)
    for await (const chunk of chunks) this.#take(chunk)
  }

  #take(chunk: LogChunk): void {
    // A chunk that repeats what is here, or leaves something out, is never taken in: the next read starts where we are.
    if (chunk.offset === this.#index.sizeBytes) this.#index.append(decodeBase64(chunk.base64))
    this.#publish({
      totalBytes: Math.max(chunk.totalBytes, this.#index.sizeBytes),
      complete: chunk.complete,
      error: null,
    })
  }

  #publish(change: Partial<Pick<LogState, 'totalBytes' | 'complete' | 'error'>>): void {
    const before = this.#state.get()
    this.#state.set({
      ...before,
      ...change,
      lineCount: this.#index.lineCount,
      sizeBytes: this.#index.sizeBytes,
      errorLines: this.#index.errorLines,
      headings: this.#index.headings,
      version: before.version + 1,
    })
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, retryMs)
      this.#stopped.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
