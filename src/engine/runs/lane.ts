import type { Clock, Timer } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { Run } from '../../shared/model/run.ts'
import { ActiveWork } from './activeWork.ts'
import { RunQueue } from './runQueue.ts'

interface LaneOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Takes those from the queue that may begin now; `active` are at work. */
  admit(queue: RunQueue, state: { readonly nowMs: number; readonly active: number }): readonly Run[]
  /** @returns the run as it was committed last, when it does not work any more */
  work(run: Run, signal: AbortSignal): Promise<Run>
  onEnded(run: Run): void
}

/** Runs that wait, and those that are worked on. */
export class Lane {
  readonly #queue = new RunQueue()
  readonly #active = new ActiveWork()
  readonly #options: LaneOptions
  #timer: Timer | null = null
  #accepting = false
  #pumpQueued = false

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Begins to work on what is queued. */
  open(): void {
    this.#accepting = true
    this.pump()
  }

  /** Cuts what runs; resolves when nothing works any more and every cut is committed. */
  async close(): Promise<void> {
    this.#accepting = false
    this.#timer?.cancel()
    await this.#active.cutAll()
  }

  put(run: Run): void {
    this.#queue.put(run)
  }

  /** Ends the work on a run here; resolves when it has ended. */
  async cut(runId: RunId): Promise<void> {
    this.#queue.remove(runId)
    await this.#active.cut(runId)
  }

  wakeLockWaiters(concerned: (run: Run) => boolean): void {
    this.#queue.wakeLockWaiters(concerned)
  }

  /** Lets begin who may, soon, and once for all that ask meanwhile. */
  pump(): void {
    if (this.#pumpQueued) return
    this.#pumpQueued = true
    setImmediate(() => {
      this.#pumpQueued = false
      this.#pumpNow()
    })
  }

  #pumpNow(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#accepting) return
    const nowMs = this.#options.clock.nowMs()
    for (const run of this.#options.admit(this.#queue, { nowMs, active: this.#active.size })) {
      this.#active.begin(run.id, (signal) => this.#work(run, signal))
    }
    this.#wakeLater(nowMs)
  }

  async #work(run: Run, signal: AbortSignal): Promise<void> {
    try {
      this.#options.onEnded(await this.#options.work(run, signal))
    } catch (error) {
      // The store is gone or broken: the run stays as it was committed, and the next start takes it up.
      this.#options.logger.error({ err: error, runId: run.id }, 'the work on a run broke off')
    }
    this.pump()
  }

  /** Those whose time has come already wait for a slot; whoever gives one back pumps. */
  #wakeLater(nowMs: number): void {
    const dueMs = this.#queue.nextDueMs(nowMs)
    if (dueMs === null) return
    this.#timer = this.#options.clock.setTimer(dueMs - nowMs, () => this.pump(), { unref: true })
  }
}
