/** Keeps the last `limitBytes` of a stream: what a program says last is what explains its end. */
export class BoundedOutput {
  readonly #limitBytes: number
  #chunks: Buffer[] = []
  #sizeBytes = 0
  #truncated = false

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** True when earlier bytes were dropped. */
  get truncated(): boolean {
    return this.#truncated
  }

  append(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#sizeBytes += chunk.length
    // Compacting at twice the limit keeps the cost of each byte constant.
    if (this.#sizeBytes > 2 * this.#limitBytes) this.#compact()
  }

  bytes(): Buffer {
    if (this.#sizeBytes > this.#limitBytes) this.#compact()
    return Buffer.concat(this.#chunks)
  }

  #compact(): void {
    // `subarray` alone would keep the whole block alive.
    const tail = Buffer.from(Buffer.concat(this.#chunks).subarray(-this.#limitBytes))
    this.#chunks = this.#limitBytes === 0 ? [] : [tail]
    this.#sizeBytes = this.#limitBytes === 0 ? 0 : tail.length
    this.#truncated = true
  }
}
