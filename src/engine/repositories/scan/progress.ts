/** Longest name that is kept; of a longer one its start. */
const nameBytes = 8 * 1024
const countAt = 0
const lengthAt = 1
const headerBytes = 8

/**
 * Which file a thread is at, in memory that both threads see. It costs the reader nothing, however many files there are, and
 * is there also when the thread dies in the middle of one.
 */
export class Progress {
  readonly memory: SharedArrayBuffer
  readonly #header: Int32Array
  readonly #name: Uint8Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(headerBytes + nameBytes)) {
    this.memory = memory
    this.#header = new Int32Array(memory, 0, 2)
    this.#name = new Uint8Array(memory, headerBytes)
  }

  begin(file: string): void {
    const bytes = new TextEncoder().encode(file).subarray(0, nameBytes)
    this.#name.set(bytes)
    Atomics.store(this.#header, lengthAt, bytes.length)
    Atomics.add(this.#header, countAt, 1)
  }

  /** How many files were begun. */
  get count(): number {
    return Atomics.load(this.#header, countAt)
  }

  /** The one begun last; null before the first. For when the thread stands still or is gone. */
  get file(): string | null {
    if (this.count === 0) return null
    return new TextDecoder().decode(this.#name.slice(0, Atomics.load(this.#header, lengthAt)))
  }
}
