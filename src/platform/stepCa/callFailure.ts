import { AppError } from '../../shared/errors.ts'

/** Why a step-ca said no, or would; `data.reason` of AUTHORITY_REFUSED. */
export type RefusalReason =
  | 'not-authorized'
  | 'forbidden'
  | 'not-found'
  | 'not-enabled'
  | 'provisioner-missing'
  | 'provisioner-unsuitable'
  | 'password-wrong'

type UnreachableReason = 'refused' | 'name' | 'timed-out' | 'lost' | 'certificate' | 'unusable-answer'

const tryAgain = { kind: 'after', delayMs: 5_000 } as const
/** Longer messages of a stranger say nothing more. */
const longestQuotedCharacters = 300
const token = /\beyJ[\w-]+(?:\.[\w-]*){1,4}/g
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

/** In OpenSSL's words: the chain does not end at the root that we were given. */
const foreignChain = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
])

const causes: ReadonlyMap<string, { readonly reason: UnreachableReason; readonly cause: string }> = new Map([
  ['ECONNREFUSED', { reason: 'refused', cause: 'the connection was refused. Is it running, and is this its port?' }],
  ['ENOTFOUND', { reason: 'name', cause: 'its name is not known here. Correct the address, or add the name to DNS' }],
  ['EAI_AGAIN', { reason: 'name', cause: 'its name could not be looked up. Is the name server reachable?' }],
  ['EHOSTUNREACH', { reason: 'lost', cause: 'there is no way to it. Check the network or VPN' }],
  ['ENETUNREACH', { reason: 'lost', cause: 'there is no way to it. Check the network or VPN' }],
  ['ETIMEDOUT', { reason: 'timed-out', cause: 'it does not answer. Check the network, its firewall and its port' }],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    { reason: 'certificate', cause: 'its certificate is for other names. Use a name from dnsNames in its ca.json' },
  ],
  [
    'CERT_HAS_EXPIRED',
    { reason: 'certificate', cause: 'its certificate has expired. Compare the clocks, then restart step-ca' },
  ],
  [
    'CERT_NOT_YET_VALID',
    { reason: 'certificate', cause: 'its certificate is not valid yet. Compare the clocks of both machines' },
  ],
])

interface CallCircumstances {
  readonly canceled: boolean
  readonly timedOut: boolean
  readonly timeoutMs: number
}

/** Turns what a connection threw into what a person can act on; an AppError stays as it is. */
export function explainCallFailure(url: string, thrown: unknown, circumstances: CallCircumstances): AppError {
  if (circumstances.canceled) return new AppError('CANCELED', `the request to step-ca at ${url} was canceled`)
  if (thrown instanceof AppError) return thrown
  if (circumstances.timedOut) {
    const seconds = circumstances.timeoutMs / 1000
    return unreachable(url, 'timed-out', `no complete answer within ${seconds} s`, thrown)
  }
  const code = (thrown as NodeJS.ErrnoException | null)?.code ?? ''
  if (foreignChain.has(code)) return foreignCertificate(url, thrown)
  const known = causes.get(code)
  if (known !== undefined) return unreachable(url, known.reason, known.cause, thrown)
  return unreachable(
    url,
    'lost',
    `the connection broke (${code || 'no code'}). Is this the address of a step-ca?`,
    thrown,
  )
}

function foreignCertificate(url: string, cause: unknown): AppError {
  return new AppError(
    'AUTHORITY_ROOT_MISMATCH',
    `what answers at ${url} does not have a certificate from the pinned root: it is not the step-ca you pinned`,
    { data: { url }, cause },
  )
}

function unreachable(url: string, reason: UnreachableReason, why: string, cause?: unknown): AppError {
  return new AppError('AUTHORITY_UNREACHABLE', `step-ca at ${url} cannot be used now: ${why}`, {
    data: { url, reason },
    retry: tryAgain,
    cause,
  })
}

/** It answers, but not as a step-ca does. */
export function unusable(url: string, why: string): AppError {
  return unreachable(url, 'unusable-answer', why)
}

/** `said` comes from the other side: it is quoted in one bounded line, and never with a token of ours. */
export function refused(
  url: string,
  reason: RefusalReason,
  said: string,
  answer?: { readonly status: number; readonly dateMs: number | null },
): AppError {
  const quoted = said.replace(token, '[token]').replace(controlCharacters, ' ').trim().slice(0, longestQuotedCharacters)
  return new AppError('AUTHORITY_REFUSED', `step-ca at ${url} refused: ${quoted || 'it gave no reason'}`, {
    data: { url, reason, ...(answer === undefined ? {} : { status: answer.status, authorityDateMs: answer.dateMs }) },
  })
}
