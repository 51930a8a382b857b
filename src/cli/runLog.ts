import type { EngineClient } from '../shared/contract/index.ts'
import type { LogChunk } from '../shared/contract/runs.ts'
import type { RunId } from '../shared/model/ids.ts'
import { waitForRuns } from './waitForRuns.ts'

/** What is there now, from `from` on; the last chunk may be empty. */
export async function* logFrom(client: EngineClient, runId: RunId, from: number): AsyncGenerator<LogChunk> {
  for (let offset = from; ; ) {
    const chunk = await client.runs.log({ runId, offset })
    yield chunk
    if (chunk.nextOffset === offset || chunk.nextOffset >= chunk.totalBytes) return
    offset = chunk.nextOffset
  }
}

/** The output as it comes, until the run is final, or halted: then nothing comes before a person acts. */
export async function* followLog(client: EngineClient, runId: RunId): AsyncGenerator<LogChunk> {
  const run = await client.runs.get({ runId })
  const settled = waitForRuns(client, {
    batchId: run.batchId,
    runs: [run],
    signal: new AbortController().signal,
    onSettled: () => undefined,
  }).then(() => null)
  // It fails with the connection, and then so does the log.
  settled.catch(() => undefined)
  const chunks = (await client.runs.followLog({ runId }))[Symbol.asyncIterator]()
  let offset = 0
  for (;;) {
    const next = await Promise.race([chunks.next(), settled])
    if (next === null) break
    if (next.done === true) return
    yield next.value
    offset = next.value.nextOffset
    if (next.value.complete) return
  }
  await chunks.return?.()
  yield* logFrom(client, runId, offset)
}
