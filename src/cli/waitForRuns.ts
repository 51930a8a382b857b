import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import type { BatchId, RunId } from '../shared/model/ids.ts'
import { isFinal, type Run } from '../shared/model/run.ts'

/** Nothing more happens to it without a person. */
export const isSettled = (run: Run): boolean => isFinal(run.status) || run.status === 'halted'

export interface WaitOptions {
  readonly batchId: BatchId
  /** As `push` gave them; the answer keeps their order. */
  readonly runs: readonly Run[]
  readonly signal: AbortSignal
  /** Called once for each run, when it is settled. */
  readonly onSettled: (run: Run) => void
}

/**
 * Follows the event log until every run is settled.
 *
 * @throws the reason of `signal`; AppError ENGINE_UNAVAILABLE when the engine ends before
 */
export async function waitForRuns(client: EngineClient, options: WaitOptions): Promise<Run[]> {
  const board = new Board(options.runs, options.onSettled)
  while (!board.isSettled) {
    options.signal.throwIfAborted()
    const ended = await follow(client, board)
    options.signal.throwIfAborted()
    if (ended === 'closed')
      throw new AppError('ENGINE_UNAVAILABLE', 'The engine stopped while its runs were waited for.')
    if (ended === 'gap') for (const run of await runsOfBatch(client, options.batchId)) board.take(run)
  }
  return board.runs
}

class Board {
  readonly #runs: Map<RunId, Run>
  readonly #settled = new Set<RunId>()
  readonly #onSettled: (run: Run) => void

  constructor(runs: readonly Run[], onSettled: (run: Run) => void) {
    this.#runs = new Map(runs.map((run) => [run.id, run]))
    this.#onSettled = onSettled
    for (const run of runs) this.#note(run)
  }

  take(run: Run): void {
    const known = this.#runs.get(run.id)
    if (known === undefined || known.seq > run.seq) return
    this.#runs.set(run.id, run)
    this.#note(run)
  }

  #note(run: Run): void {
    if (!isSettled(run)) this.#settled.delete(run.id)
    else if (!this.#settled.has(run.id)) {
      this.#settled.add(run.id)
      this.#onSettled(run)
    }
  }

  get runs(): Run[] {
    return [...this.#runs.values()]
  }

  get isSettled(): boolean {
    return this.#settled.size === this.#runs.size
  }

  /** All later changes of these runs have a higher seq: they were read together. */
  get headSeq(): number {
    return this.runs.reduce((highest, run) => Math.max(highest, run.seq), 0)
  }
}

/** Ends with the connection: an abort would be sent over a socket that the interruption may have closed by then. */
async function follow(client: EngineClient, board: Board): Promise<'settled' | 'gap' | 'closed'> {
  for await (const message of await client.system.watch({ afterSeq: board.headSeq })) {
    if (message.kind === 'gap') return 'gap'
    if (message.kind === 'event' && message.event.change.kind === 'run.saved') board.take(message.event.change.run)
    if (board.isSettled) return 'settled'
  }
  return 'closed'
}

async function runsOfBatch(client: EngineClient, batchId: BatchId): Promise<Run[]> {
  const runs: Run[] = []
  for (let before: RunId | undefined; ; ) {
    const page = await client.runs.list({ batchId, limit: 1_000, ...(before === undefined ? {} : { before }) })
    runs.push(...page.runs)
    if (page.next === null) return runs
    before = page.next
  }
}
