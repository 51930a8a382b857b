import { isUtf8 } from 'node:buffer'

/**
 * The SSH wire encoding (RFC 4251 section 5). It lives in platform because both the signing side and the
 * connection side need it, and those two do not import each other.
 */

/** Thrown by {@link WireReader} when the bytes end early or mean nothing, by {@link WireWriter} for text it cannot write. */
export class WireError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WireError'
  }
}

const initialBytes = 1024

/** Appends into one growing buffer: a certificate costs one allocation instead of some forty small ones. */
export class WireWriter {
  #buffer = Buffer.allocUnsafeSlow(initialBytes)
  #length = 0

  u8(value: number): this {
    this.#reserve(1)
    this.#length = this.#buffer.writeUInt8(value, this.#length)
    return this
  }

  u32(value: number): this {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32BE(value, this.#length)
    return this
  }

  u64(value: bigint): this {
    this.#reserve(8)
    this.#length = this.#buffer.writeBigUInt64BE(value, this.#length)
    return this
  }

  /** Bytes as they are, without a length in front. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /**
   * Length-prefixed bytes, text as UTF-8. Throws {@link WireError} for text with a NUL, where OpenSSH would stop
   * reading, and for half a surrogate pair, which would silently become another name.
   */
  string(value: string | Uint8Array): this {
    if (typeof value !== 'string') return this.u32(value.length).raw(value)
    if (value.includes('\0') || !value.isWellFormed())
      throw new WireError(`not writable as text: ${JSON.stringify(value)}`)
    const mark = this.beginString()
    this.#reserve(value.length * 3)
    this.#length += this.#buffer.write(value, this.#length, 'utf8')
    return this.endString(mark)
  }

  /** Opens a nested string whose length is not known yet; pass the mark to {@link endString}. */
  beginString(): number {
    const mark = this.#length
    this.u32(0)
    return mark
  }

  endString(mark: number): this {
    this.#buffer.writeUInt32BE(this.#length - mark - 4, mark)
    return this
  }

  /** What was written so far, as a view: valid until the next write or {@link reset}. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** What was written so far, as bytes of their own. */
  bytes(): Buffer {
    return Buffer.from(this.view())
  }

  reset(): this {
    this.#length = 0
    return this
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.view())
    this.#buffer = grown
  }
}

/** Reads in order and refuses to read past the end. Returned bytes are views into the input. */
export class WireReader {
  readonly #buffer: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get done(): boolean {
    return this.#offset === this.#buffer.length
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1))
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4))
  }

  u64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8))
  }

  /** Bytes without a length in front. */
  raw(length: number): Buffer {
    const start = this.#take(length)
    return this.#buffer.subarray(start, start + length)
  }

  bytes(): Buffer {
    return this.raw(this.u32())
  }

  /** Throws {@link WireError} unless it is UTF-8 without a NUL: two different names must never read as one. */
  text(): string {
    const bytes = this.bytes()
    if (!isUtf8(bytes) || bytes.includes(0)) throw new WireError('a text is not UTF-8 or holds a NUL')
    return bytes.toString('utf8')
  }

  /** The digits of a number above zero, without the leading zero that only says "positive" (RFC 4251 section 5). */
  positiveMpint(): Buffer {
    const bytes = this.bytes()
    const digits = bytes[0] === 0 ? bytes.subarray(1) : bytes
    const [first = 0, padded] = [digits[0], digits.length < bytes.length]
    if (first === 0 || first >= 0x80 !== padded) throw new WireError('not a number above zero in its shortest form')
    return digits
  }

  /** Everything that was not read yet. */
  rest(): Buffer {
    return this.raw(this.#buffer.length - this.#offset)
  }

  /** Everything read up to now, from the first byte. */
  consumed(): Buffer {
    return this.#buffer.subarray(0, this.#offset)
  }

  /** Throws unless every byte was read: trailing bytes mean that we did not understand the message. */
  end(): void {
    if (!this.done) throw new WireError(`${this.#buffer.length - this.#offset} unexpected bytes at the end`)
  }

  #take(length: number): number {
    const start = this.#offset
    if (start + length > this.#buffer.length)
      throw new WireError(`needs ${length} bytes at ${start}, has ${this.#buffer.length - start}`)
    this.#offset = start + length
    return start
  }
}
