import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'

const Content = z.object({
  /** Address of the control plane. */
  u: z.url({ protocol: /^https$/ }),
  /** SHA-256 of the DER form of its root. */
  f: z.string().regex(/^[0-9a-f]{64}$/),
  /** Secret of the join token. */
  s: z.string().min(16).max(256),
})

export interface JoinSecret {
  readonly url: string
  readonly rootFingerprint: string
  readonly token: string
}

const prefix = 'lsj1.'

/**
 * Reads the one word that the console shows: address, pin of the root, and a secret that serves once.
 * @throws AppError INVALID_INPUT; the word itself is not quoted
 */
export function readJoinSecret(word: string): JoinSecret {
  const text = word.trim()
  const content = text.startsWith(prefix) ? Content.safeParse(decoded(text.slice(prefix.length))) : null
  if (content?.success !== true) {
    throw new AppError(
      'INVALID_INPUT',
      'That is not a join token: it begins with lsj1. and is one word. Copy it whole.',
    )
  }
  const { u, f, s } = content.data
  return { url: new URL(u).origin, rootFingerprint: f, token: s }
}

function decoded(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'))
  } catch {
    return null
  }
}
