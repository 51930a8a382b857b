interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

interface BatchOptions {
  /** Items in one batch. */
  readonly most: number
  /** How long a batch that is not full waits for more, asked each time. Default 0. */
  readonly lingerMs?: () => number
}

/**
 * Does together what was asked for meanwhile: one batch at a time, so that the next one collects while it is under way. One
 * item that cannot be done takes nobody along: then each is done alone.
 */
export class Batcher<Item, Result> {
  readonly #work: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #options: BatchOptions
  #waiting: Waiting<Item, Result>[] = []
  #draining = false
  #full: (() => void) | null = null

  /** @param work gives a result for each item, in order, or rejects having done nothing */
  constructor(work: (items: readonly Item[]) => Promise<readonly Result[]>, options: BatchOptions) {
    this.#work = work
    this.#options = options
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (this.#waiting.length >= this.#options.most) this.#full?.()
      if (!this.#draining) void this.#drain()
    })
  }

  /** Nothing more is expected: what waits for more is done now. */
  hurry(): void {
    this.#full?.()
  }

  async #drain(): Promise<void> {
    this.#draining = true
    // Answers that lie in the sockets already come with this one.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      await this.#linger()
      await this.#do(this.#waiting.splice(0, this.#options.most))
    }
    this.#draining = false
  }

  /** Ends early when the batch is full. */
  async #linger(): Promise<void> {
    const { most, lingerMs } = this.#options
    const waitMs = this.#waiting.length < most ? (lingerMs?.() ?? 0) : 0
    if (waitMs <= 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#full = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#full = null
  }

  async #do(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#work(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result)
      })
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error)
      else for (const one of batch) await this.#do([one])
    }
  }
}
