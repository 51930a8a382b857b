import type { LogChunk } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { RunId } from '../../shared/model/ids.ts'
import { isFinal } from '../../shared/model/run.ts'
import type { LogStore, Store } from '../ports.ts'

const followChunkBytes = 256 * 1024

export interface RunLogs {
  read(runId: RunId, offset: number, maxBytes: number): Promise<LogChunk>
  /** From `offset` on, as it comes; ends once the run is final and everything was sent. */
  follow(runId: RunId, offset: number, signal: AbortSignal | undefined): AsyncGenerator<LogChunk, void, void>
}

export function createRunLogs({ store, logs }: { readonly store: Store; readonly logs: LogStore }): RunLogs {
  async function read(runId: RunId, offset: number, maxBytes: number): Promise<LogChunk> {
    // Read the status before the size: what a run appends before it becomes final is then never missed.
    const run = await store.getRun(runId)
    if (run === null) throw new AppError('NOT_FOUND', `There is no run ${runId}.`, { data: { runId } })
    const bytes = await logs.read(runId, offset, maxBytes)
    const totalBytes = await logs.sizeBytes(runId)
    const nextOffset = offset + bytes.length
    const complete = isFinal(run.status) && nextOffset >= totalBytes
    return { offset, nextOffset, totalBytes, base64: Buffer.from(bytes).toString('base64'), complete }
  }

  /** Resolves at the next append to this log, the next commit of this run, or the end of interest. */
  function changeOf(
    runId: RunId,
    signal: AbortSignal | undefined,
  ): { readonly happened: Promise<void>; readonly stop: () => void } {
    let stop = (): void => undefined
    const happened = new Promise<void>((resolve) => {
      const offAppend = logs.onAppended(runId, () => resolve())
      const offCommit = store.onCommitted((events) => {
        if (events.some(({ change }) => change.kind === 'run.saved' && change.run.id === runId)) resolve()
      })
      const onAbort = (): void => resolve()
      signal?.addEventListener('abort', onAbort)
      stop = () => {
        offAppend()
        offCommit()
        signal?.removeEventListener('abort', onAbort)
      }
    })
    return { happened, stop }
  }

  async function* follow(
    runId: RunId,
    offset: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LogChunk, void, void> {
    let at = offset
    while (signal?.aborted !== true) {
      const change = changeOf(runId, signal)
      try {
        const chunk = await read(runId, at, followChunkBytes)
        if (chunk.nextOffset > at || chunk.complete) yield chunk
        at = chunk.nextOffset
        if (chunk.complete) return
        if (chunk.nextOffset >= chunk.totalBytes) await change.happened
      } finally {
        change.stop()
      }
    }
  }

  return { read, follow }
}
