import type { Clock, Timer } from '../../platform/clock.ts'

/** The part of a connection that says whether its other side is still there. */
export interface Pulse {
  /** Grows with everything the other side sends. */
  readonly bytesReceived: number
  readonly closed: boolean
  /** Asks for an answer of any kind; costs a quarter of a millisecond of our CPU. */
  ping(): void
  /** Nobody answers any more: ends it as lost. */
  giveUp(): void
}

export interface LivenessSettings {
  /** A connection that was quiet for this long is asked; longer with many connections. */
  readonly askAfterMs: number
  /** No byte within this time after the question: it is lost. */
  readonly answerWithinMs: number
  /** Questions a second over all connections at most, so that a large fleet at rest costs next to nothing. */
  readonly mostPerSecond: number
}

const lookEveryMs = 1_000

interface Watched {
  received: number
  /** Monotonic: when the last byte was noticed, or the question was put. */
  sinceMs: number
  asked: boolean
}

/**
 * Notices connections whose other side hangs while the network still delivers: a frozen process or a machine that is out of
 * memory. What the network itself loses is noticed by the kernel, see `keepAlive` in transport.ts, at no cost of ours. One
 * timer for all; it runs while there is something to watch.
 */
export class Liveness {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>
  readonly #settings: LivenessSettings
  readonly #watched = new Map<Pulse, Watched>()
  #timer: Timer | null = null

  constructor(clock: Pick<Clock, 'monotonicMs' | 'setTimer'>, settings: LivenessSettings) {
    this.#clock = clock
    this.#settings = settings
  }

  watch(pulse: Pulse): void {
    this.#watched.set(pulse, { received: pulse.bytesReceived, sinceMs: this.#clock.monotonicMs(), asked: false })
    this.#arm()
  }

  forget(pulse: Pulse): void {
    this.#watched.delete(pulse)
    if (this.#watched.size > 0) return
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    this.#timer ??= this.#clock.setTimer(
      lookEveryMs,
      () => {
        this.#timer = null
        this.#look()
        if (this.#watched.size > 0) this.#arm()
      },
      { unref: true },
    )
  }

  #look(): void {
    const { askAfterMs, answerWithinMs, mostPerSecond } = this.#settings
    const nowMs = this.#clock.monotonicMs()
    const quietMs = Math.max(askAfterMs, (this.#watched.size * 1_000) / mostPerSecond)
    let questions = Math.max(1, Math.ceil((mostPerSecond * lookEveryMs) / 1_000))
    for (const [pulse, watched] of [...this.#watched]) {
      if (pulse.closed) this.#watched.delete(pulse)
      else if (pulse.bytesReceived !== watched.received)
        Object.assign(watched, { received: pulse.bytesReceived, sinceMs: nowMs, asked: false })
      else if (watched.asked) {
        if (nowMs - watched.sinceMs < answerWithinMs) continue
        this.#watched.delete(pulse)
        pulse.giveUp()
      } else if (nowMs - watched.sinceMs >= quietMs && questions > 0) {
        questions -= 1
        Object.assign(watched, { sinceMs: nowMs, asked: true })
        pulse.ping()
      }
    }
  }
}
