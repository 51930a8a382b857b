import type { Logger } from '../../platform/logger.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { LogStore } from '../ports.ts'

const encoder = new TextEncoder()
const encode = (text: string): Uint8Array => encoder.encode(text)

/** More than this unwritten, and output is dropped (with a word about it) rather than memory filled. */
const mostPendingBytes = 8 * 1024 * 1024

/**
 * The log of one run as its steps write it: calls return at once, bytes go to the log store in order. Trouble there
 * never stops a run.
 */
export class RunOutput {
  readonly #runId: RunId
  readonly #logs: LogStore
  readonly #logger: Logger
  #pending: string[] = []
  #pendingBytes = 0
  #droppedBytes = 0
  #writing: Promise<void> | null = null
  #gathers = false
  #sizeBytes = 0

  constructor(runId: RunId, logs: LogStore, logger: Logger) {
    this.#runId = runId
    this.#logs = logs
    this.#logger = logger
  }

  /** Of the whole log, as of the last write that went through; 0 before it. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  write(text: string): void {
    if (text === '') return
    if (this.#pendingBytes > mostPendingBytes) {
      this.#droppedBytes += text.length
      return
    }
    this.#pending.push(text)
    this.#pendingBytes += text.length
    if (!this.#gathers) this.#writing ??= this.#drain()
  }

  /** Keeps what is written until the next flush: for runs that are over so soon that nobody can follow them. */
  gather(): void {
    this.#gathers = true
  }

  /** Resolves when everything written so far is in the store or given up; null when nothing was left. */
  flush(): Promise<void> | null {
    if (this.#gathers) return RunOutput.flushAll([this], this.#logs, this.#logger)
    return this.#writing
  }

  /** The same for many that gather, in one go. */
  static async flushAll(outputs: readonly RunOutput[], logs: LogStore, logger: Logger): Promise<void> {
    const entries = outputs.flatMap((output) => output.#takeGathered())
    try {
      const sizes = await logs.appendAll(entries)
      entries.forEach(({ output }, index) => {
        output.#sizeBytes = sizes[index] ?? 0
      })
    } catch (error) {
      logger.warn({ err: error, runs: entries.length }, 'the output of runs could not be kept')
    }
  }

  #takeGathered(): { readonly runId: RunId; readonly bytes: Uint8Array; readonly output: RunOutput }[] {
    this.#gathers = false
    return this.#pending.length === 0 ? [] : [{ runId: this.#runId, bytes: encode(this.#take()), output: this }]
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const text = this.#take()
      try {
        this.#sizeBytes = await this.#logs.append(this.#runId, encode(text))
      } catch (error) {
        this.#logger.warn({ err: error, runId: this.#runId }, 'the output of a run could not be kept')
      }
    }
    this.#writing = null
  }

  #take(): string {
    const dropped = this.#droppedBytes === 0 ? '' : `[${this.#droppedBytes} bytes of output left out]\n`
    const text = this.#pending.join('') + dropped
    this.#pending = []
    this.#pendingBytes = 0
    this.#droppedBytes = 0
    return text
  }
}
