import { configLine, type EffectiveConfig, effectiveValue, tokenPath } from './effective.ts'

/*
 * What makes an sshd let in nobody but holders of certificates (S0.21-S0.24, D4).
 */

/** Where sshd looks up which principals may log in as a user. */
export interface PrincipalsRule {
  /** As written into sshd_config; null: the node has one already that fits, and keeps it. */
  readonly option: string | null
  /** Absolute path of the file for this user. */
  fileOf(user: string): string
  /** The rule that is replaced, when that takes something away from other users. */
  readonly replaces: string | null
}

interface PrincipalsQuestion {
  readonly effective: EffectiveConfig
  /** Absolute directory of sshd_config. */
  readonly directory: string
  /** Content of the file that all users share now; null when there is none, or when it cannot be read. */
  readonly sharedContent: string | null
  readonly principals: readonly string[]
}

/**
 * The node's own rule is kept where we can add to it for one user alone, or need not add at all. Otherwise a directory
 * with one file for each user, so that a principal means one account and no other.
 */
export function principalsRule({
  effective,
  directory,
  sharedContent,
  principals,
}: PrincipalsQuestion): PrincipalsRule {
  const present = presentRule(effective)
  if (present !== null && perUser(present))
    return { option: null, fileOf: (user) => expandTokens(present, user), replaces: null }
  const shared = present !== null && sharedFile(present) !== null && sharedContent !== null
  if (shared && principals.every((principal) => listedPrincipals(sharedContent).includes(principal)))
    return { option: null, fileOf: () => sharedFile(present) ?? present, replaces: null }
  const own = `${tokenPath(directory)}/lockstep_principals/%u`
  return { option: own, fileOf: (user) => expandTokens(own, user), replaces: present }
}

/** The rule in force, or null when a principal has to equal the user. */
export function presentRule(effective: EffectiveConfig): string | null {
  const value = effectiveValue(effective, 'AuthorizedPrincipalsFile')
  return value === '' || value === 'none' ? null : value
}

/** The one file for all users, when the rule names an absolute path without tokens. */
export const sharedFile = (rule: string): string | null =>
  rule.startsWith('/') && !/%[^%]/.test(rule.replaceAll('%%', '')) ? rule.replaceAll('%%', '%') : null

/** Absolute, and with no other token than the user's name: `%h` would need a look into the user database. */
const perUser = (rule: string): boolean => {
  const tokens = rule.replaceAll('%%', '').match(/%./g) ?? []
  return rule.startsWith('/') && tokens.length > 0 && tokens.every((token) => token === '%u')
}

const expandTokens = (rule: string, user: string): string =>
  rule.replaceAll(/%[%u]/g, (token) => (token === '%u' ? user : '%'))

/** Principals of a file as sshd reads it: the last word of each line; options may stand before it. */
export function listedPrincipals(content: string): string[] {
  return content
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/).at(-1) ?? '')
}

/** The file with these principals; every other line stays. */
export function withPrincipals(content: string | null, principals: readonly string[]): string {
  const before = content ?? ''
  const missing = principals.filter((principal) => !listedPrincipals(before).includes(principal))
  if (missing.length === 0) return before
  const joint = before === '' || before.endsWith('\n') ? '' : '\n'
  return `${before}${joint}${missing.join('\n')}\n`
}

/** Our section in sshd_config. */
export function storageLines(trustFile: string, { option }: Pick<PrincipalsRule, 'option'>): string[] {
  return [
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'AuthorizedKeysFile none',
    // The other source of static keys.
    'AuthorizedKeysCommand none',
    configLine('TrustedUserCAKeys', trustFile),
    ...(option === null ? [] : [configLine('AuthorizedPrincipalsFile', option)]),
  ]
}

/** What `sshd -T` must say for the storage user once the change is in force. */
export function storageObligations(
  trustFile: string,
  rule: Pick<PrincipalsRule, 'option'>,
): (readonly [string, string])[] {
  return [
    ['PubkeyAuthentication', 'yes'],
    ['PasswordAuthentication', 'no'],
    ['KbdInteractiveAuthentication', 'no'],
    ['AuthorizedKeysFile', 'none'],
    ['AuthorizedKeysCommand', 'none'],
    ['TrustedUserCAKeys', trustFile],
    ...(rule.option === null ? [] : [['AuthorizedPrincipalsFile', rule.option] as const]),
  ]
}

/** False when AllowUsers or DenyUsers keep the user out; groups cannot be judged from here. */
export function mayLogIn(effective: EffectiveConfig, user: string): boolean {
  const allowed = words(effective, 'allowusers')
  const denied = words(effective, 'denyusers')
  return (
    (allowed.length === 0 || allowed.some((pattern) => matches(pattern, user))) &&
    !denied.some((pattern) => matches(pattern, user))
  )
}

const words = (effective: EffectiveConfig, name: string): string[] =>
  (effective.get(name) ?? []).flatMap((value) => value.split(/\s+/)).filter((word) => word !== '')

/** A pattern for a host besides (`user@host`) is taken for the user alone. */
function matches(pattern: string, user: string): boolean {
  const [name = ''] = pattern.split('@')
  return matchesGlob(name, user)
}

/** `*` and `?` as sshd reads them, without a regular expression: a node could write one that never ends. */
function matchesGlob(pattern: string, text: string): boolean {
  let [at, position] = [0, 0]
  let [starAt, resumeAt] = [-1, 0]
  while (position < text.length) {
    if (pattern[at] === '*') {
      starAt = at
      resumeAt = position
      at += 1
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[position])) {
      at += 1
      position += 1
    } else if (starAt >= 0) {
      // The last star takes one character more; earlier ones need no second try.
      at = starAt + 1
      resumeAt += 1
      position = resumeAt
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
