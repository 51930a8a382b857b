import type { Clock, Timer } from '../../platform/clock.ts'
import type { RunProgress } from '../../shared/model/run.ts'

const spacingMs = 250

/** At most four values a second, the first at once and the last always. */
export class ProgressFeed {
  readonly #clock: Clock
  readonly #publish: (progress: RunProgress) => void
  #latest: RunProgress | null = null
  #timer: Timer | null = null
  #publishedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, publish: (progress: RunProgress) => void) {
    this.#clock = clock
    this.#publish = publish
  }

  offer(progress: RunProgress): void {
    this.#latest = progress
    if (this.#timer !== null) return
    const dueMs = this.#publishedAtMs + spacingMs - this.#clock.monotonicMs()
    if (dueMs <= 0) this.flush()
    else this.#timer = this.#clock.setTimer(dueMs, () => this.flush())
  }

  /** Publishes what is still held back. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#latest === null) return
    this.#publishedAtMs = this.#clock.monotonicMs()
    const progress = this.#latest
    this.#latest = null
    this.#publish(progress)
  }
}
