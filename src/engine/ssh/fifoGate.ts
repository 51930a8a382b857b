import { AppError } from '../../shared/errors.ts'

interface Waiter {
  readonly admit: () => void
}

/** Lets at most `limit` through at a time, the others in the order in which they came. */
export class FifoGate {
  #limit: number
  #inside = 0
  readonly #waiting = new Set<Waiter>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get inside(): number {
    return this.#inside
  }

  get idle(): boolean {
    return this.#inside === 0 && this.#waiting.size === 0
  }

  get full(): boolean {
    return this.#inside >= this.#limit
  }

  /** Whether somebody waits. */
  get awaited(): boolean {
    return this.#waiting.size > 0
  }

  /** For a server that turned out to allow less than we thought. Never below 1. */
  lowerLimit(limit: number): void {
    this.#limit = Math.max(1, Math.min(this.#limit, limit))
  }

  /** @returns the function that leaves; calling it twice leaves once. @throws the reason of the signal's abort */
  enter(signal: AbortSignal): Promise<() => void> {
    if (this.#inside < this.#limit && this.#waiting.size === 0) return Promise.resolve(this.#take())
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        admit: () => {
          signal.removeEventListener('abort', onAbort)
          resolve(this.#take())
        },
      }
      const onAbort = (): void => {
        this.#waiting.delete(waiter)
        reject(new AppError('CANCELED', 'gave up while waiting for a free slot', { cause: signal.reason }))
      }
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(waiter)
    })
  }

  #take(): () => void {
    this.#inside += 1
    let left = false
    return () => {
      if (left) return
      left = true
      this.#inside -= 1
      this.#admitNext()
    }
  }

  #admitNext(): void {
    while (this.#inside < this.#limit) {
      const [next] = this.#waiting
      if (next === undefined) return
      this.#waiting.delete(next)
      next.admit()
    }
  }
}
