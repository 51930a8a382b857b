import { AppError } from '../../shared/errors.ts'

interface Work<T> {
  readonly result: Promise<T>
  readonly abort: AbortController
  waiting: number
}

/** Work that is done once for all who want the same at the same time; it is cut only when nobody waits any more. */
export class SharedWork<T> {
  readonly #works = new Map<string, Work<T>>()
  readonly #ending = new Set<Promise<unknown>>()

  /** @throws CANCELED when `signal` is aborted; the work goes on for the others */
  async join(key: string, signal: AbortSignal | undefined, begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (signal?.aborted === true) throw canceled()
    const work = this.#works.get(key) ?? this.#begin(key, begin)
    work.waiting += 1
    let stopWaiting = (): void => undefined
    const aborted = new Promise<never>((_resolve, reject) => {
      const abort = (): void => reject(canceled())
      signal?.addEventListener('abort', abort, { once: true })
      stopWaiting = () => signal?.removeEventListener('abort', abort)
    })
    try {
      return await Promise.race([work.result, aborted])
    } finally {
      stopWaiting()
      work.waiting -= 1
      if (work.waiting === 0) {
        // Who comes now must not join work that is being cut.
        if (this.#works.get(key) === work) this.#works.delete(key)
        work.abort.abort()
      }
    }
  }

  /** Cuts everything and waits for its end. */
  async stop(): Promise<void> {
    for (const { abort } of this.#works.values()) abort.abort()
    await Promise.allSettled(this.#ending)
  }

  #begin(key: string, begin: (signal: AbortSignal) => Promise<T>): Work<T> {
    const abort = new AbortController()
    const result = begin(abort.signal)
    const work: Work<T> = { result, abort, waiting: 0 }
    this.#works.set(key, work)
    this.#ending.add(result)
    const ended = (): void => {
      this.#ending.delete(result)
      if (this.#works.get(key) === work) this.#works.delete(key)
    }
    result.then(ended, ended)
    return work
  }
}

const canceled = (): AppError => new AppError('CANCELED', 'Canceled.')
