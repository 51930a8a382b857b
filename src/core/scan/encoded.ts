import { decodeBase64, isBase64Code } from './base64.ts'
import type { Range } from './rule.ts'

/** A text that stood in base64 in another one, as values of a Secret of Kubernetes do. */
export interface EncodedText extends Range {
  readonly text: string
}

/** `AKIA` and 16 characters need 28. */
const shortest = 24
/** Lines of a wrapped text are one text: `base64` breaks at 76, openssl and PEM at 64. */
const shortestWrappedLine = 60

/**
 * Texts in base64, decoded once. Only what decodes to readable text is returned: pictures, certificates and hashes are not.
 * One pass over `text`, one over what it holds in base64.
 */
export function* encodedTexts(text: string): Iterable<EncodedText> {
  let index = 0
  while (index < text.length) {
    if (!isBase64Code(text.charCodeAt(index))) {
      index += 1
      continue
    }
    const end = endOfRun(text, index)
    if (end - index >= shortest) {
      const decoded = readable(decodeBase64(text.slice(index, end)))
      if (decoded !== null) yield { start: index, end, text: decoded }
    }
    index = end
  }
}

/** Behind the last character, with lines that go on in the next one and padding. */
function endOfRun(text: string, from: number): number {
  let start = from
  for (;;) {
    let end = start
    while (end < text.length && isBase64Code(text.charCodeAt(end))) end += 1
    if (end - start < shortestWrappedLine) return padded(text, end)
    const next = startOfNextLine(text, end)
    if (next === null) return padded(text, end)
    start = next
  }
}

function padded(text: string, end: number): number {
  let behind = end
  while (behind < end + 2 && text[behind] === '=') behind += 1
  return behind
}

/** Where base64 goes on in the line below, indented or not; null when `end` is not the end of its line. */
function startOfNextLine(text: string, end: number): number | null {
  let at = text[end] === '\r' ? end + 1 : end
  if (text[at] !== '\n') return null
  at += 1
  const limit = at + 40
  while (at < limit && (text[at] === ' ' || text[at] === '\t')) at += 1
  return isBase64Code(text.charCodeAt(at)) ? at : null
}

/** As text when every byte of it is printable ASCII or a break; the first other one ends the look. */
function readable(bytes: Uint8Array): string | null {
  for (const byte of bytes) {
    const isText = (byte >= 32 && byte < 127) || byte === 9 || byte === 10 || byte === 13
    if (!isText) return null
  }
  return new TextDecoder('latin1').decode(bytes)
}
