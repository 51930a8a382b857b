import { randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

/** Makes one new id. */
export type IdSource = () => string

interface IdSourceOptions {
  /** Fills the buffer with unpredictable bytes. Default: the operating system's generator. */
  readonly fillRandom?: (buffer: Uint8Array) => void
}

const randomBytesPerId = 10
const idsPerRefill = 512

function pooledRandom(fill: (buffer: Uint8Array) => void): () => Uint8Array {
  const pool = new Uint8Array(randomBytesPerId * idsPerRefill)
  let offset = pool.length
  return () => {
    if (offset === pool.length) {
      fill(pool)
      offset = 0
    }
    offset += randomBytesPerId
    return pool.subarray(offset - randomBytesPerId, offset)
  }
}

/**
 * UUID version 7 (RFC 9562): sorts by creation time. Strictly increasing within one source even when the clock
 * stands still or steps back: then the last time is kept and a 12-bit counter rises, and on its overflow the time
 * is taken one millisecond ahead.
 */
export function createIdSource(clock: Pick<Clock, 'nowMs'>, options: IdSourceOptions = {}): IdSource {
  const nextRandom = pooledRandom(options.fillRandom ?? ((buffer) => void randomFillSync(buffer)))
  const bytes = Buffer.alloc(16)
  let lastMs = -1
  let counter = 0

  return () => {
    const random = nextRandom()
    const nowMs = clock.nowMs()
    if (nowMs > lastMs) {
      lastMs = nowMs
      // The top bit starts at 0, which leaves at least 2,048 ids per millisecond before the time is borrowed.
      counter = (((random[0] ?? 0) << 8) | (random[1] ?? 0)) & 0x7ff
    } else if (counter < 0xfff) {
      counter += 1
    } else {
      lastMs += 1
      counter = 0
    }
    bytes.writeUIntBE(lastMs, 0, 6)
    bytes.writeUInt16BE(0x7000 | counter, 6)
    bytes.set(random.subarray(2), 8)
    bytes[8] = ((random[2] ?? 0) & 0x3f) | 0x80
    return format(bytes.toString('hex'))
  }
}

function format(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
