import { awsRules } from './awsRules.ts'
import { encodedTexts } from './encoded.ts'
import { kubeconfigRules } from './kubeconfigRules.ts'
import { passwordRules } from './passwordRules.ts'
import { privateKeyRules } from './privateKeyRules.ts'
import type { Range, SecretMatch, SecretRule } from './rule.ts'
import { tokenRules } from './tokenRules.ts'
import { webTokenRules } from './webTokenRules.ts'

/**
 * Of all rules together, and of what decides beside them. Another one makes every tree be searched as a whole again, so that
 * what a new rule finds is found in old files too.
 */
export const rulesVersion = 2

/** Says by itself what it is: also looked for in what is decoded from base64. */
const selfEvident: readonly SecretRule[] = [
  ...kubeconfigRules,
  ...privateKeyRules,
  ...tokenRules,
  ...webTokenRules,
  ...awsRules,
]

/** The earlier one names a place that several of them find. */
export const secretRules: readonly SecretRule[] = [...selfEvident, ...passwordRules]

/**
 * Precise enough for bytes that are no text: a prefix with an exact alphabet and length, or a key with a body. Chance does not
 * make them, not in 200 MiB either.
 */
const evidentRules: readonly SecretRule[] = [...privateKeyRules, ...tokenRules, ...awsRules].filter(({ id }) =>
  [
    'private-key',
    'aws-access-key-id',
    'github-token',
    'gitlab-token',
    'slack-token',
    'slack-webhook',
    'age-secret-key',
  ].includes(id),
)

/** A text with more is made to stop us. It is refused, and so blocks, instead of being searched in part. */
export const mostSecrets = 10_000

/**
 * Secrets in a text, ascending, also those that stand in it in base64 (then the place is that of the base64). Each place is
 * named once.
 *
 * @throws Error for more than {@link mostSecrets}
 */
export function findSecrets(text: string): SecretMatch[] {
  const found = matchesOf(secretRules, text)
  for (const encoded of encodedTexts(text)) {
    for (const { rule, words } of matchesOf(selfEvident, encoded.text)) {
      if (found.length === mostSecrets) throw tooMany()
      found.push({ rule, words: `${words}, in base64`, start: encoded.start, end: encoded.end })
    }
  }
  return withoutRepetitions(found)
}

/**
 * Those that can be told from anything else: for files that are no text, and for pieces of large ones.
 *
 * @throws Error for more than {@link mostSecrets}
 */
export function findEvidentSecrets(text: string): SecretMatch[] {
  return withoutRepetitions(matchesOf(evidentRules, text))
}

function tooMany(): Error {
  return new Error(`more than ${mostSecrets} secrets in one text`)
}

function matchesOf(rules: readonly SecretRule[], text: string): SecretMatch[] {
  const found: SecretMatch[] = []
  for (const { id, words, hints, find } of rules) {
    if (!hints.some((hint) => text.includes(hint))) continue
    for (const { start, end } of find(text)) {
      if (found.length === mostSecrets) throw tooMany()
      found.push({ rule: id, words, start, end })
    }
  }
  return found
}

/**
 * Leaves out what lies within an earlier match, or around one. Both are ranges over the same secret, and one finding is enough
 * to block.
 */
export function withoutRepetitions<T extends Range>(matches: readonly T[]): T[] {
  const kept: T[] = []
  for (const match of matches) if (!kept.some((other) => coversOneAnother(match, other))) kept.push(match)
  return kept.sort((left, right) => left.start - right.start || left.end - right.end)
}

function coversOneAnother(left: Range, right: Range): boolean {
  const within = left.start >= right.start && left.end <= right.end
  return within || (left.start <= right.start && left.end >= right.end)
}
