import { setTimeout as delay } from 'node:timers/promises'
import { adviceFor, fitting, shortened } from '../../core/agent/delivery.ts'
import { backoffMs } from '../../core/agent/duration.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import {
  type AgentRunState,
  AgentRunState as AgentRunStateSchema,
  agentApiLimits,
} from '../../shared/agentApi/index.ts'
import type { AppError } from '../../shared/errors.ts'
import { toAppError } from '../../shared/errors.ts'
import type { Run } from '../../shared/model/run.ts'
import type { ControlPlane } from '../control/controlPlane.ts'
import { codeOf } from '../control/request.ts'
import type { RunLog } from './runLog.ts'

/** Asked again this often, since that is how a wish to cancel reaches us. */
const pollMs = 3_000

export interface ReporterOptions {
  readonly controlPlane: ControlPlane
  readonly log: RunLog
  readonly logger: Logger
  readonly clock: Clock
  readonly onCancel: (by: string) => void
  /** The control plane knows more changes of this run than we do: our journal was lost. */
  readonly onAhead: (sequence: number) => Promise<void>
}

/** The part of a run that is reported. */
export function reportedState(run: Run): AgentRunState {
  return AgentRunStateSchema.parse(run)
}

interface Report {
  readonly sequence: number
  readonly state: AgentRunState
}

/**
 * Tells the control plane what happens, beside the work and never in its way: the newest state wins, the log goes in
 * pieces by offset, and trouble is tried again with pauses until {@link finish} gives up.
 */
export class Reporter {
  readonly #options: ReporterOptions
  readonly #stop = new AbortController()
  #runId: string | null = null
  #latest: Report | null = null
  #acknowledged = 0
  #logOffset = 0
  #chunkBytes: number = agentApiLimits.logChunkBytes
  #tooLarge = false
  #failures = 0
  #lastError: AppError | null = null
  #loop: Promise<void> | null = null
  #wake: (() => void) | null = null

  constructor(options: ReporterOptions) {
    this.#options = options
  }

  /** From now on this run is reported. `logBytes`: what the control plane has of its log. */
  start(runId: string, logBytes: number): void {
    this.#runId = runId
    this.#logOffset = logBytes
    this.#loop ??= this.#work()
  }

  update(sequence: number, run: Run): void {
    this.#latest = { sequence, state: reportedState(run) }
    this.#wake?.()
  }

  /** Why the last request failed; null when it did not. */
  get lastError(): AppError | null {
    return this.#lastError
  }

  /**
   * Sends what is left.
   * @returns true when the control plane has the last state and the whole log
   */
  async finish(withinMs: number): Promise<boolean> {
    const until = this.#options.clock.monotonicMs() + withinMs
    this.#failures = 0
    this.#wake?.()
    while (this.#runId !== null && !this.#isDelivered() && this.#options.clock.monotonicMs() < until) {
      if (this.#failures > 0 && this.#isRefused()) break
      await delay(10)
    }
    const delivered = this.#runId !== null && this.#isDelivered()
    this.#stop.abort()
    this.#wake?.()
    await this.#loop
    return delivered
  }

  /** Trying again within seconds changes nothing. */
  #isRefused(): boolean {
    const advice = this.#lastError === null ? 'again' : adviceFor(codeOf(this.#lastError))
    return advice !== 'again' && advice !== 'shorter'
  }

  #isDelivered(): boolean {
    const latest = this.#latest?.sequence ?? 0
    return this.#acknowledged >= latest && this.#logOffset >= this.#options.log.sizeBytes
  }

  async #work(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#sendLog()
        await this.#sendState()
        this.#failures = 0
        this.#lastError = null
        if (!this.#isDelivered()) continue
        await this.#sleep(pollMs)
      } catch (error) {
        if (signal.aborted) return
        this.#failures += 1
        this.#lastError = toAppError(error)
        await this.#recover(this.#lastError)
      }
    }
  }

  async #sendState(): Promise<void> {
    const { controlPlane, onAhead, onCancel } = this.#options
    const report = this.#latest
    if (report === null || this.#runId === null) return
    const run = this.#tooLarge ? shortened(report.state) : fitting(report.state)
    const body = { sequence: report.sequence, run }
    const answer = await controlPlane.putState(this.#runId, body, { signal: this.#stop.signal })
    if (answer.cancelRequestedBy !== null) onCancel(answer.cancelRequestedBy)
    if (answer.sequence > report.sequence) await onAhead(answer.sequence)
    else this.#acknowledged = answer.sequence
  }

  async #sendLog(): Promise<void> {
    const { controlPlane, log } = this.#options
    while (this.#runId !== null && this.#logOffset < log.sizeBytes) {
      const chunk = log.read(this.#logOffset, this.#chunkBytes)
      const { sizeBytes } = await controlPlane.putLog(this.#runId, this.#logOffset, chunk, {
        signal: this.#stop.signal,
      })
      // Whatever they have, that is where the next piece begins; more than we have means that our log was lost.
      if (sizeBytes > log.sizeBytes || sizeBytes === this.#logOffset) {
        this.#logOffset = log.sizeBytes
        return
      }
      this.#logOffset = sizeBytes
    }
  }

  async #recover(error: AppError): Promise<void> {
    const advice = adviceFor(codeOf(error))
    this.#options.logger.warn({ code: error.code }, `reporting: ${error.message}`)
    if (advice === 'shorter') {
      this.#tooLarge = true
      this.#chunkBytes = Math.max(4096, this.#chunkBytes >> 2)
    }
    await this.#sleep(backoffMs(this.#failures, Math.random()))
  }

  /** Until something new is to be said, or the time is up. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stop
    if (signal.aborted) return
    const timer = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await Promise.race([woken, delay(ms, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    this.#wake = null
  }
}
