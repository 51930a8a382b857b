import { decodeBase64 } from './base64.ts'
import { patternRule, type SecretRule } from './rule.ts'

const jwt =
  /(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{4,12000}\.[A-Za-z0-9_-]{16,2000}(?![A-Za-z0-9_-])/g

function jsonOf(part: string | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decodeBase64(part ?? '')))
  } catch {
    return undefined
  }
}

/** Three dotted parts are not enough: the header has to be JSON that names a signature, the claims an object. */
function isSigned(token: string): boolean {
  const [head, claims] = token.split('.')
  const header = jsonOf(head)
  if (typeof header !== 'object' || header === null || !('alg' in header)) return false
  if (typeof header.alg !== 'string' || header.alg === '' || header.alg.toLowerCase() === 'none') return false
  const body = jsonOf(claims)
  return typeof body === 'object' && body !== null && !Array.isArray(body)
}

export const webTokenRules: readonly SecretRule[] = [
  patternRule({ id: 'jwt', words: 'a signed web token (JWT)', hints: ['eyJ'], pattern: jwt, accept: isSigned }),
]
