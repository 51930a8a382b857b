/**
 * Characters that move a terminal's cursor, change its colours or turn the direction of text around. They come from
 * names, paths and remote programs, and must not be able to make a screen say something else.
 */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const escaped = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}}`

/** Several lines for a terminal: line breaks and tabs stay, other control characters are shown. */
export const printable = (text: string): string => text.replace(unsafe, escaped)

/** One line for a terminal, whatever it holds. */
export const printableLine = (text: string): string => printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')

/** JSON that says the same and moves no cursor: what a terminal would obey is written as JSON escapes it. */
export const printableJson = (json: string): string =>
  json.replace(unsafe, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
