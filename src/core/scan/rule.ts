/** Where a value stands in a text; `end` is behind its last character. */
export interface Range {
  readonly start: number
  readonly end: number
}

export interface SecretMatch extends Range {
  readonly rule: string
  /** What it looks like, for a person. Never a part of the value. */
  readonly words: string
}

/** One kind of secret. */
export interface SecretRule {
  readonly id: string
  readonly words: string
  /** A text that holds none of them has no secret of this kind: most texts are passed over for the price of a search. */
  readonly hints: readonly string[]
  /**
   * Without quantifiers that are not bounded, and in front of each a place where a value can begin: so the steps for each
   * character of a text have a bound, whatever the text is.
   */
  readonly patterns: readonly RegExp[]
  /** All values in `text`. Takes a number of steps that grows with the length of the text, not faster. */
  find(text: string): Iterable<Range>
}

interface PatternRule {
  readonly id: string
  readonly words: string
  readonly hints: readonly string[]
  /** Global; the group `value` is the value, without one all of it. */
  readonly pattern: RegExp
  readonly accept?: (value: string, match: { readonly text: string; readonly start: number }) => boolean
}

/** A rule that is one pattern and, where needed, a second look at what it found. */
export function patternRule({ id, words, hints, pattern, accept }: PatternRule): SecretRule {
  return {
    id,
    words,
    hints,
    patterns: [pattern],
    *find(text) {
      for (const match of text.matchAll(pattern)) {
        const value = match.groups?.value ?? match[0]
        const start = match.index + match[0].lastIndexOf(value)
        if (accept === undefined || accept(value, { text, start })) yield { start, end: start + value.length }
      }
    },
  }
}

export function distinctCharacters(text: string): number {
  return new Set(text).size
}

/** Shannon's measure, in bits for each character. */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

/**
 * Not a placeholder: `xxxxxxxxxxxxxxxx`, `0000000000000000` and `your-token-goes-here` are none that a server would take.
 * A random value of 20 characters out of 62 has eight different ones and a digit or a capital, but for one in millions.
 */
export function isVaried(value: string): boolean {
  return distinctCharacters(value) >= 8 && /[0-9A-Z]/.test(value)
}
