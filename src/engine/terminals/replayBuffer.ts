/** The newest output of a terminal, bounded: what a window that attaches late is shown first. */
export class ReplayBuffer {
  readonly #capacityBytes: number
  #chunks: Uint8Array[] = []
  #sizeBytes = 0

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  append(bytes: Uint8Array): void {
    const kept = bytes.length > this.#capacityBytes ? bytes.subarray(bytes.length - this.#capacityBytes) : bytes
    this.#chunks.push(kept)
    this.#sizeBytes += kept.length
    this.#trim()
  }

  /** Cut at a line where one is near, so that replay does not begin inside a colour code or a character. */
  snapshot(): Uint8Array {
    const all = Buffer.concat(this.#chunks)
    if (all.length < this.#capacityBytes) return all
    const newline = all.indexOf(0x0a)
    return newline < 0 || newline > all.length / 2 ? all : all.subarray(newline + 1)
  }

  #trim(): void {
    let surplus = this.#sizeBytes - this.#capacityBytes
    while (surplus > 0) {
      const first = this.#chunks[0] as Uint8Array
      if (first.length <= surplus) this.#chunks.shift()
      else this.#chunks[0] = first.subarray(surplus)
      const dropped = Math.min(first.length, surplus)
      this.#sizeBytes -= dropped
      surplus -= dropped
    }
  }
}
