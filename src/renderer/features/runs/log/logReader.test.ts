import { describe, expect, it } from 'vitest'
import type { RunId } from '../../../../shared/model/ids.ts'
import { type LogClient, LogReader } from './logReader.ts'
import { LogSearch } from './logSearch.ts'

const runId = '019abcde-0000-7000-8000-000000000001' as RunId

/** A log store in memory that speaks the procedures; counts what was asked of it. */
class MemoryLog {
  bytes: Uint8Array
  final: boolean
  reads = 0
  failNext = 0
  #wake: (() => void)[] = []

  constructor(text: string, options: { readonly final: boolean }) {
    this.bytes = new TextEncoder().encode(text)
    this.final = options.final
  }

  append(text: string, final = false): void {
    this.bytes = new Uint8Array([...this.bytes, ...new TextEncoder().encode(text)])
    this.final = final
    for (const wake of this.#wake.splice(0)) wake()
  }

  client(): LogClient {
    const runs = {
      log: async ({ offset = 0, maxBytes = 262_144 }: { offset?: number; maxBytes?: number }) => {
        this.reads += 1
        if (this.failNext > 0) {
          this.failNext -= 1
          throw new Error('connection lost')
        }
        return this.#chunk(offset, maxBytes)
      },
      followLog: async (input: { offset?: number }, options: { signal: AbortSignal }) =>
        this.#follow(input.offset ?? 0, options.signal),
    }
    return { runs } as unknown as LogClient
  }

  #chunk(offset: number, maxBytes: number) {
    const part = this.bytes.slice(offset, offset + maxBytes)
    const nextOffset = offset + part.length
    const base64 = Buffer.from(part).toString('base64')
    return {
      offset,
      nextOffset,
      totalBytes: this.bytes.length,
      base64,
      complete: this.final && nextOffset === this.bytes.length,
    }
  }

  async *#follow(from: number, signal: AbortSignal) {
    for (let offset = from; ; ) {
      const chunk = this.#chunk(offset, 65_536)
      if (chunk.nextOffset > offset || chunk.complete) yield chunk
      offset = chunk.nextOffset
      if (chunk.complete) return
      if (offset === this.bytes.length) {
        await new Promise<void>((resolve, reject) => {
          this.#wake.push(resolve)
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        })
      }
    }
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

const numbered = (count: number): string => Array.from({ length: count }, (_, line) => `line ${line}\n`).join('')

describe('log reader', () => {
  it('U20 indexes a finished log and fetches only the block that is looked at', async () => {
    const log = new MemoryLog(numbered(300_000), { final: true })
    const reader = new LogReader(log.client(), runId)
    reader.start()
    await until('indexed', () => reader.state.get().complete)
    expect(reader.state.get().lineCount).toBe(300_000)
    const before = log.reads
    expect(reader.line(123_456)).toBeNull()
    await until('fetched', () => reader.line(123_456) !== null)
    expect(reader.line(123_456)).toBe('line 123456')
    expect(log.reads).toBe(before + 1)
    expect(reader.line(299_999)).toBe('line 299999')
    reader.stop()
  })

  it('F16 follows what comes and ends with the run', async () => {
    const log = new MemoryLog('first\n', { final: false })
    const reader = new LogReader(log.client(), runId)
    reader.start()
    await until('the first line', () => reader.state.get().lineCount === 1)
    expect(reader.state.get().complete).toBe(false)
    log.append('second\n')
    await until('the second line', () => reader.line(1) === 'second')
    log.append('third\n', true)
    await until('the end', () => reader.state.get().complete)
    expect(reader.line(2)).toBe('third')
    reader.stop()
  })

  it('says that reading failed, and goes on where it was', async () => {
    const log = new MemoryLog('one\n', { final: true })
    log.failNext = 1
    const reader = new LogReader(log.client(), runId)
    reader.start()
    await until('the failure is shown', () => reader.state.get().error !== null)
    await until('it has recovered', () => reader.state.get().complete)
    expect(reader.state.get().error).toBeNull()
    expect(reader.line(0)).toBe('one')
    reader.stop()
  })

  it('F17 finds text anywhere in the log, also in what comes later', async () => {
    const log = new MemoryLog(`${numbered(50_000)}The Needle\n${numbered(50_000)}`, { final: false })
    const reader = new LogReader(log.client(), runId)
    reader.start()
    await until('caught up', () => reader.state.get().lineCount === 100_001)
    const search = new LogSearch(reader, 'needle')
    await until('found', () => search.state.get().hits.length === 1)
    expect(search.state.get().hits).toEqual([50_000])
    log.append('another needle\n', true)
    await until('found the new one', () => search.state.get().hits.length === 2)
    expect(search.state.get().hits).toEqual([50_000, 100_001])
    search.stop()
    reader.stop()
  })
})
