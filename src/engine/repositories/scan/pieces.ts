import { readSync } from 'node:fs'
import { LineCounter } from './lines.ts'
import { type Encoding, encodingOf, lookBytes } from './textOf.ts'

/** A part of a file that is too large to be held, or no text. */
export interface Piece {
  readonly text: string
  /** What begins in here belongs to this piece; the rest of `text` is there for what stands around it. */
  readonly from: number
  readonly to: number
  /** Number of the line that `text` begins in. */
  readonly line: number
}

const stepBytes = 4 * 1024 * 1024
/** In front of a piece: what stands before a token decides whether it is one, and a key has its header there. */
const leadBytes = 1024
/** Behind a piece: a key of PuTTY has up to 80,000 characters, of two bytes in UTF-16. */
const tailBytes = 256 * 1024

/** For all files one after the other; a thread searches one at a time. */
let shared: Buffer | null = null

/**
 * A file in pieces that overlap, so that whatever begins in it is whole in one of them, and is named once. Bytes that are no
 * text become the characters with their numbers.
 */
export function* piecesOf(descriptor: number, sizeBytes: number): Iterable<Piece> {
  shared ??= Buffer.allocUnsafe(leadBytes + stepBytes + tailBytes)
  const encoding = encodingOf(read(descriptor, shared, 0, Math.min(sizeBytes, lookBytes)))
  const unit = encoding === 'utf-16le' || encoding === 'utf-16be' ? 2 : 1
  let line = 1
  for (let at = 0; at < sizeBytes; at += stepBytes) {
    const start = Math.max(0, at - leadBytes)
    const end = Math.min(sizeBytes, at + stepBytes + tailBytes)
    const text = decode(read(descriptor, shared, start, end - start), encoding)
    yield { text, from: (at - start) / unit, to: (at - start + stepBytes) / unit, line }
    line += new LineCounter(text).at((at + stepBytes - leadBytes - start) / unit) - 1
  }
}

/** Less than was asked for when the file has become shorter. */
function read(descriptor: number, buffer: Buffer, position: number, length: number): Buffer {
  let filled = 0
  while (filled < length) {
    const count = readSync(descriptor, buffer, filled, length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}

/** Secrets are ASCII, so UTF-8 need not be decoded, and every byte is one character. A mark at the start is one, too. */
function decode(bytes: Buffer, encoding: Encoding | null): string {
  if (encoding === 'utf-16le' || encoding === 'utf-16be')
    return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes)
  return bytes.toString('latin1')
}
