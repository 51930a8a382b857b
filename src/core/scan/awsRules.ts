import { distinctCharacters, entropyBits, patternRule, type Range, type SecretRule } from './rule.ts'

/** In front of and behind a key id, in characters: where its secret is looked for. */
const nearbyCharacters = 600

/** Four fixed letters and sixteen out of 36, not inside a word: once in 10^11 random texts. */
const keyId = /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9_])/g

const named =
  /secret[_-]?(?:access[_-]?)?key["'`]?[ \t]{0,8}(?:=>|:=|[:=,])[ \t]{0,8}["'`]?(?<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/gi

const lone = /(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])/g

/** AWS's own examples end with EXAMPLE. */
function isKeyId(value: string): boolean {
  return !value.endsWith('EXAMPLE') && distinctCharacters(value.slice(4)) >= 6
}

/** What AWS makes is random: not a hash in hexadecimal, not a path, not a placeholder. */
function isSecretKey(value: string): boolean {
  if (value.endsWith('EXAMPLEKEY')) return false
  return /[a-z]/.test(value) && /[A-Z]/.test(value) && /[0-9]/.test(value) && entropyBits(value) >= 4.2
}

/** Alone 40 characters of base64 can be anything; beside a key id they are its secret. */
function* secretsNearKeyIds(text: string): Iterable<Range> {
  let searchedTo = 0
  for (const id of text.matchAll(keyId)) {
    if (!isKeyId(id[0])) continue
    const start = Math.max(searchedTo, id.index - nearbyCharacters)
    const end = id.index + id[0].length + nearbyCharacters
    for (const match of text.slice(start, end + 41).matchAll(lone)) {
      const from = start + match.index
      if (from < end && isSecretKey(match[0])) yield { start: from, end: from + match[0].length }
    }
    searchedTo = end
  }
}

const idHints = ['AKIA', 'ASIA', 'ABIA', 'ACCA', 'A3T']
const secretWords = 'a secret access key of AWS'

export const awsRules: readonly SecretRule[] = [
  patternRule({
    id: 'aws-access-key-id',
    words: 'an access key id of AWS',
    hints: idHints,
    pattern: keyId,
    accept: isKeyId,
  }),
  patternRule({
    id: 'aws-secret-access-key',
    words: secretWords,
    hints: ['ecret', 'ECRET'],
    pattern: named,
    accept: isSecretKey,
  }),
  { id: 'aws-secret-access-key', words: secretWords, hints: idHints, patterns: [lone], find: secretsNearKeyIds },
]
