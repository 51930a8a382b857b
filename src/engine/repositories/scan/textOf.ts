/** Bytes as text, or null when they are none. */
export type Decoded = { readonly encoding: Encoding; readonly text: string } | { readonly encoding: null }

/** What bytes are read as. Null: they are no text. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be'

/** So far git looks for a zero byte, too. */
export const lookBytes = 8_000

/** A larger share of zeros, or of other characters that no text has, is not one of a text. */
const mostZeros = 1 / 8
const mostControls = 1 / 500

/**
 * UTF-8 (what is not valid in it becomes a replacement character: secrets are ASCII), and UTF-16 with and without a mark at its
 * start. A few zeros make no text binary: lists are separated by them, and one by mistake must not hide the rest.
 */
export function textOf(bytes: Uint8Array): Decoded {
  const encoding = encodingOf(bytes.subarray(0, lookBytes))
  return encoding === null ? { encoding } : { encoding, text: new TextDecoder(encoding).decode(bytes) }
}

/** @param head the first {@link lookBytes} of a file */
export function encodingOf(head: Uint8Array): Encoding | null {
  if (head[0] === 0xff && head[1] === 0xfe) return wide(head, 'utf-16le')
  if (head[0] === 0xfe && head[1] === 0xff) return wide(head, 'utf-16be')
  if (!head.includes(0)) return 'utf-8'
  const [even, odd] = zeros(head)
  // Text of the first 256 characters has a zero in every other byte; a few others do not make it binary.
  if (odd > head.length / 4 && even < head.length / 50) return wide(head, 'utf-16le')
  if (even > head.length / 4 && odd < head.length / 50) return wide(head, 'utf-16be')
  return isText(head) ? 'utf-8' : null
}

function wide(head: Uint8Array, encoding: Encoding): Encoding | null {
  const text = new TextDecoder(encoding).decode(head)
  return isText(Array.from(text, (character) => character.charCodeAt(0))) ? encoding : null
}

function isText(codes: ArrayLike<number>): boolean {
  let zero = 0
  let control = 0
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0
    if (code === 0) zero += 1
    else if (isControl(code)) control += 1
  }
  return zero <= codes.length * mostZeros && (zero === 0 || control <= codes.length * mostControls)
}

/** Tab, line feed, form feed, carriage return and escape stand in texts. */
const isControl = (code: number): boolean => (code < 32 && ![9, 10, 12, 13, 27].includes(code)) || code === 127

/** How many zero bytes there are at even and at odd places. */
function zeros(bytes: Uint8Array): [number, number] {
  let even = 0
  let odd = 0
  for (const [index, byte] of bytes.entries()) {
    if (byte !== 0) continue
    if (index % 2 === 0) even += 1
    else odd += 1
  }
  return [even, odd]
}
