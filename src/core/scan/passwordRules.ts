import { distinctCharacters, entropyBits, type Range, type SecretRule } from './rule.ts'

/**
 * Passwords have no form of their own, and a finding that is none blocks somebody's work. So all of this has to be true:
 * 1. The name ends with a word for a secret (`passwordHash`, `tokenCount` and `secretName` do not).
 * 2. The value is a literal: in quotes, or alone to the end of a line of a settings file. No call, variable, template, path,
 *    address or UUID.
 * 3. The value is random to the eye: 16 characters or more, three classes of characters, digits in two places or more,
 *    3.5 bits of entropy for each character; or 32 digits or more in hexadecimal, which nobody chooses by hand.
 * Words that a person thought of are not found by this. That is the price.
 */
const name =
  '(?:password|passwd|passphrase|secret|secret[_-]?key|api[_-]?key|access[_-]?key|private[_-]?key|(?:auth|access|api|bot|bearer)[_-]?token|credential)'

const quoted = new RegExp(
  `${name}["'\`]?[ \\t]{0,8}(?:=>|:=|[:=])[ \\t]{0,8}(?<quote>["'\`])(?<value>[^\\s"'\`]{16,200})\\k<quote>`,
  'gi',
)
const settings = new RegExp(
  `${name}[ \\t]{0,8}[:=][ \\t]{0,8}(?<value>[^\\s"'\`]{16,200})[ \\t\\r]{0,8}(?=\\n|$)`,
  'gi',
)
/** Between the start of the line and the word: nothing but the rest of a name. */
const lineStart = /(?:^|\n)[ \t-]{0,40}(?:export |set )?[A-Za-z0-9_.-]{0,60}$/

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const hexadecimal = /^[0-9a-f]{32,128}$/i
/** Templates, variables, calls, paths, addresses, hashes of passwords (`$2y$`, `{SSHA}`), sealed values (`ENC[`, `!vault`). */
const notLiteral =
  /[${}()<>[\]]|:\/\/|^[./~%@&*!]|^(?:sha\d{1,3}|md5|enc|vault|ssm|op|env|file)[:-]|\.(?:ts|js|py|ya?ml|json|pem|key|txt|conf)$/i
const placeholder =
  /example|sample|placeholder|change.?me|your|dummy|redacted|secret|passw|not.?real|fake|test|1234567|abcdef/i

function isRandom(value: string): boolean {
  if (uuid.test(value) || notLiteral.test(value) || placeholder.test(value)) return false
  if (hexadecimal.test(value)) return distinctCharacters(value) >= 8 && entropyBits(value) >= 3
  const classes = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((pattern) => pattern.test(value)).length
  const digitGroups = value.match(/[0-9]{1,200}/g)?.length ?? 0
  return classes >= 3 && digitGroups >= 2 && entropyBits(value) >= 3.5 && !isWords(value)
}

/** `login-form_Password2.field3`: parts of words and numbers, not a random row. Half of the letters in runs of five or more. */
function isWords(value: string): boolean {
  const inWords = value.match(/[A-Z]?[a-z]{4,200}/g)?.join('').length ?? 0
  return inWords * 2 >= value.length
}

function* passwords(text: string): Iterable<Range> {
  for (const pattern of [quoted, settings]) {
    for (const match of text.matchAll(pattern)) {
      const value = match.groups?.value ?? ''
      const start = match.index + match[0].lastIndexOf(value)
      const before = text.slice(Math.max(0, match.index - 120), match.index)
      if (pattern === settings && !lineStart.test(before)) continue
      if (isRandom(value)) yield { start, end: start + value.length }
    }
  }
}

export const passwordRules: readonly SecretRule[] = [
  {
    id: 'password',
    words: 'a password or key that is written out',
    hints: ['ass', 'ASS', 'ecret', 'ECRET', 'ey', 'EY', 'oken', 'OKEN', 'redential', 'REDENTIAL'],
    patterns: [quoted, settings, lineStart, uuid, hexadecimal, notLiteral, placeholder],
    find: passwords,
  },
]
