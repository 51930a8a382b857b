/** Bytes as text, or why they are none. */
export type Decoded =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly reason: string }

/** So far git looks for a zero byte, too. */
const lookBytes = 8_000

const binary: Decoded = { kind: 'binary', reason: 'binary' }

/**
 * UTF-8 (what is not valid in it becomes a replacement character: secrets are ASCII), and UTF-16 with and without a mark at its
 * start. What holds zero bytes besides is binary.
 */
export function textOf(bytes: Uint8Array): Decoded {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return wide(bytes, 'utf-16le')
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return wide(bytes, 'utf-16be')
  const head = bytes.subarray(0, lookBytes)
  if (!head.includes(0)) return { kind: 'text', text: new TextDecoder().decode(bytes) }
  const [even, odd] = zeros(head)
  // Text of the first 256 characters has a zero in every other byte; a few others do not make it binary.
  if (odd > head.length / 4 && even < head.length / 50) return wide(bytes, 'utf-16le')
  if (even > head.length / 4 && odd < head.length / 50) return wide(bytes, 'utf-16be')
  return binary
}

function wide(bytes: Uint8Array, encoding: 'utf-16le' | 'utf-16be'): Decoded {
  const text = new TextDecoder(encoding).decode(bytes)
  return text.slice(0, lookBytes).includes('\0') ? binary : { kind: 'text', text }
}

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
