import type { Timer } from '../../platform/clock.ts'
import { toAppError } from '../../shared/errors.ts'
import type { SchedulerDependencies } from './dependencies.ts'
import { probeUnreachable } from './probe.ts'
import { nextDueMs, registerReconcile } from './reconcile.ts'

/** Decides when the fleet is brought in step without anybody asking. */
export interface Scheduler {
  start(): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
  times(): { readonly lastAt: number | null; readonly nextAt: number | null }
  /** One cycle now; calls during a cycle share the one after it. */
  reconcileNow(): Promise<{ runs: number }>
  /** The machine woke up or the vault was opened: look at once what is due. */
  wake(): void
}

/** The wall clock is looked at this often, so that a sleep is noticed soon after it ends. */
const longestTickMs = 30_000
const lastReconcileSetting = 'reconcile.lastAt'

export function createScheduler(dependencies: SchedulerDependencies): Scheduler {
  return new ReconcileLoop(dependencies)
}

/**
 * Level-triggered: timer, start, wake-up and people all lead to the same cycle, and a cycle looks at everything. Missed
 * times are caught up once, however many there were (S1.35-40).
 */
class ReconcileLoop implements Scheduler {
  readonly #dependencies: SchedulerDependencies
  #lastAtMs: number | null = null
  #nextAtMs: number | null = null
  #running: Promise<{ runs: number }> | null = null
  #following: Promise<{ runs: number }> | null = null
  #probing: Promise<void> | null = null
  #timers: Timer[] = []
  #started = false
  readonly #stopping = new AbortController()

  constructor(dependencies: SchedulerDependencies) {
    this.#dependencies = dependencies
  }

  async start(): Promise<void> {
    const { store } = this.#dependencies
    const stored = Number((await store.getSetting(lastReconcileSetting)) ?? Number.NaN)
    this.#lastAtMs = Number.isFinite(stored) ? stored : null
    this.#nextAtMs = (this.#lastAtMs ?? Number.NEGATIVE_INFINITY) + this.#dependencies.config.reconcileIntervalMs
    this.#started = true
    this.#tick()
    this.#probeTick()
  }

  async stop(): Promise<void> {
    this.#started = false
    this.#stopping.abort()
    for (const timer of this.#timers) timer.cancel()
    this.#timers = []
    await Promise.allSettled([this.#running, this.#following, this.#probing])
  }

  times(): { readonly lastAt: number | null; readonly nextAt: number | null } {
    const nextAt = this.#nextAtMs !== null && Number.isFinite(this.#nextAtMs) ? this.#nextAtMs : null
    return { lastAt: this.#lastAtMs, nextAt: this.#started ? nextAt : null }
  }

  /** A cycle under way may have passed what the caller just changed, so it gets the next one. */
  reconcileNow(): Promise<{ runs: number }> {
    if (this.#running === null) return this.#begin()
    this.#following ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#following = null
        return this.#begin()
      })
    return this.#following
  }

  wake(): void {
    if (!this.#started) return
    this.#tick()
    this.#probeTick()
  }

  #begin(): Promise<{ runs: number }> {
    const cycle = this.#cycle().finally(() => {
      this.#running = null
    })
    this.#running = cycle
    return cycle
  }

  async #cycle(): Promise<{ runs: number }> {
    const { clock, store, config } = this.#dependencies
    const startedAtMs = clock.nowMs()
    this.#nextAtMs = startedAtMs + config.reconcileIntervalMs
    const runs = await registerReconcile(this.#dependencies)
    this.#lastAtMs = startedAtMs
    await store.transact((transaction) => transaction.setSetting(lastReconcileSetting, String(startedAtMs)))
    return { runs }
  }

  #tick(): void {
    const { clock, config } = this.#dependencies
    const nowMs = clock.nowMs()
    const dueMs = nextDueMs(this.#nextAtMs ?? nowMs, nowMs, config.reconcileIntervalMs)
    this.#nextAtMs = dueMs
    if (dueMs <= nowMs && this.#running === null) {
      this.#begin().catch((error: unknown) => this.#missed(error))
    }
    const untilDueMs = Math.max(1, (this.#nextAtMs ?? nowMs) - nowMs)
    this.#arm(0, Math.min(longestTickMs, untilDueMs), () => this.#tick())
  }

  /** Nothing was registered, because the vault is shut or the store is busy: soon again, without a storm. */
  #missed(error: unknown): void {
    const { clock, config, logger } = this.#dependencies
    this.#nextAtMs = clock.nowMs() + Math.min(longestTickMs, config.reconcileIntervalMs)
    logger.warn({ err: toAppError(error) }, 'a reconcile cycle could not begin and will be tried again')
  }

  #probeTick(): void {
    const { config, logger } = this.#dependencies
    this.#probing ??= probeUnreachable(this.#dependencies, this.#stopping.signal)
      .catch((error: unknown) => logger.warn({ err: toAppError(error) }, 'unreachable nodes could not be probed'))
      .finally(() => {
        this.#probing = null
      })
    this.#arm(1, config.unreachableProbeIntervalMs, () => this.#probeTick())
  }

  /** One timer for each purpose; arming it again replaces it. */
  #arm(purpose: 0 | 1, delayMs: number, fire: () => void): void {
    this.#timers[purpose]?.cancel()
    if (this.#started) this.#timers[purpose] = this.#dependencies.clock.setTimer(delayMs, fire, { unref: true })
  }
}
