/*
 * What may be signed. Enforced by us before every signature, whatever else an authority would allow (D2).
 */

/** What a provisioner may ask for. */
export interface SigningPolicy {
  readonly name: string
  readonly certificateType: 'user' | 'host'
  /** Regular expression that every principal must match from its first to its last character, e.g. `^sync-agent$`. */
  readonly principalPattern: string
  readonly maxLifetimeSeconds: number
  readonly allowedExtensions: readonly string[]
  readonly allowedCriticalOptions: readonly string[]
}

/** What is asked for, in the form the policy judges. */
export interface CertificateRequest {
  readonly keyId: string
  readonly principals: readonly string[]
  readonly lifetimeSeconds: number
  readonly extensions: readonly string[]
  readonly criticalOptions: Readonly<Record<string, string>>
}

export interface PolicyViolation {
  readonly field: 'keyId' | 'principals' | 'lifetimeSeconds' | 'extensions' | 'criticalOptions'
  /** What is wrong and what would be right. */
  readonly message: string
}

/** Longest life of an automation certificate (S0.33, decision D3). */
export const maxAutomationLifetimeSeconds = 16 * 3600

/** `sync-agent` and nothing else may be certified by default (S0.19, S0.20). */
export const syncAgentPrincipalPattern = '^sync-agent$'

const minimumLifetimeSeconds = 60
const longestKeyIdBytes = 256
const mostPrincipals = 16
const longestOptionCharacters = 1024

/** Every violation at once, so that a person corrects a request in one go. Empty means: may be signed. */
export function checkCertificateRequest(request: CertificateRequest, policy: SigningPolicy): PolicyViolation[] {
  return [
    ...checkKeyId(request.keyId),
    ...checkPrincipals(request.principals, policy),
    ...checkLifetime(request.lifetimeSeconds, policy),
    ...checkExtensions(request.extensions, policy),
    ...checkCriticalOptions(request.criticalOptions, policy),
  ]
}

function checkKeyId(keyId: string): PolicyViolation[] {
  if (keyId === '') return [{ field: 'keyId', message: 'the key id is empty; name who or what the certificate is for' }]
  if (new TextEncoder().encode(keyId).length > longestKeyIdBytes)
    return [{ field: 'keyId', message: `the key id has more than ${longestKeyIdBytes} bytes` }]
  if (hasControlCharacter(keyId))
    return [
      { field: 'keyId', message: 'the key id holds a line break or control character, which would forge log lines' },
    ]
  return []
}

function checkPrincipals(principals: readonly string[], policy: SigningPolicy): PolicyViolation[] {
  const violation = (message: string): PolicyViolation => ({ field: 'principals', message })
  if (principals.length === 0) return [violation('no principal: a certificate without principals logs in as anybody')]
  if (principals.length > mostPrincipals)
    return [violation(`${principals.length} principals; at most ${mostPrincipals} are allowed`)]
  if (new Set(principals).size !== principals.length) return [violation('a principal is listed twice')]
  const allowed = anchoredPattern(policy.principalPattern)
  if (allowed === null)
    return [
      violation(
        `the policy "${policy.name}" has no valid anchored principal pattern (^...$), so nothing may be signed`,
      ),
    ]
  return principals.flatMap((principal) => {
    const flaw = principalFlaw(principal)
    if (flaw !== null) return [violation(`principal ${JSON.stringify(principal)} ${flaw}`)]
    return allowed.test(principal)
      ? []
      : [violation(`principal "${principal}" does not match ${policy.principalPattern} of the policy "${policy.name}"`)]
  })
}

/** Holds for every policy: such a principal would be read as none, as any, or as several. */
function principalFlaw(principal: string): string | null {
  if (principal === '') return 'is empty'
  if (/[*?!]/.test(principal)) return 'holds a wildcard'
  if (principal.includes(',')) return 'holds a comma, which separates principals'
  if (/\s/.test(principal) || hasControlCharacter(principal)) return 'holds a space or control character'
  if (principal.length > 255) return 'has more than 255 characters'
  return null
}

/** A pattern that is not anchored on both sides would let `not-sync-agent-either` pass (S0.20). */
function anchoredPattern(pattern: string): RegExp | null {
  if (!pattern.startsWith('^') || !pattern.endsWith('$') || pattern.length < 2) return null
  try {
    // The group keeps `^a|b$` from matching anything that merely begins with a.
    return new RegExp(`^(?:${pattern.slice(1, -1)})$`, 'u')
  } catch {
    return null
  }
}

function checkLifetime(lifetimeSeconds: number, policy: SigningPolicy): PolicyViolation[] {
  const violation = (message: string): PolicyViolation[] => [{ field: 'lifetimeSeconds', message }]
  if (!Number.isInteger(lifetimeSeconds)) return violation('the lifetime must be a whole number of seconds')
  if (lifetimeSeconds < minimumLifetimeSeconds)
    return violation(
      `the lifetime is ${lifetimeSeconds} s; at least ${minimumLifetimeSeconds} s is needed to be of use`,
    )
  if (lifetimeSeconds > policy.maxLifetimeSeconds)
    return violation(
      `the lifetime is ${lifetimeSeconds} s; the policy "${policy.name}" allows at most ${policy.maxLifetimeSeconds} s`,
    )
  return []
}

function checkExtensions(extensions: readonly string[], policy: SigningPolicy): PolicyViolation[] {
  return extensions
    .filter((name) => !policy.allowedExtensions.includes(name))
    .map((name) => ({
      field: 'extensions',
      message: `the extension ${JSON.stringify(name)} is not allowed by the policy "${policy.name}"`,
    }))
}

function checkCriticalOptions(options: Readonly<Record<string, string>>, policy: SigningPolicy): PolicyViolation[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flaw = criticalOptionFlaw(name, value, policy)
    return flaw === null
      ? []
      : [{ field: 'criticalOptions' as const, message: `the critical option ${JSON.stringify(name)} ${flaw}` }]
  })
}

function criticalOptionFlaw(name: string, value: string, policy: SigningPolicy): string | null {
  if (!policy.allowedCriticalOptions.includes(name)) return `is not allowed by the policy "${policy.name}"`
  if (value === '') return 'has no value'
  if (value.length > longestOptionCharacters) return `has more than ${longestOptionCharacters} characters`
  if (hasControlCharacter(value)) return 'holds a line break or control character'
  if (name === 'source-address' && !value.split(',').every(isAddressRange))
    return 'must be a comma-separated list of addresses or CIDR ranges'
  return null
}

/** Plain shape check; sshd refuses what is well-formed but impossible, which then fails closed. */
function isAddressRange(text: string): boolean {
  const ipv4 = /^(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?:\/(?:3[0-2]|[12]?\d))?$/
  const ipv6 = /^(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]+(?:\/(?:12[0-8]|1[01]\d|\d?\d))?$/
  return ipv4.test(text) || ipv6.test(text)
}

function hasControlCharacter(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)
}
