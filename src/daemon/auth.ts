import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { readJson, writeFileAtomic } from '../platform/atomicFile.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'

const tokenLifetimeMs = 15 * 60_000
const sessionLifetimeMs = 12 * 3_600_000
const maxPendingTokens = 32
const maxSessions = 64
/** Wrong tokens within a minute after which even right ones wait. */
const maxFailures = 10
const failureWindowMs = 60_000

const Sessions = z.strictObject({ sessions: z.array(z.strictObject({ hash: z.string(), expiresAt: z.number() })) })

/** What is random enough needs no slow hash; hashing it makes comparing it safe against timing. */
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
const newSecret = (): string => randomBytes(32).toString('base64url')

export type LoginResult =
  | { readonly status: 'accepted'; readonly session: string; readonly maxAgeSeconds: number }
  | { readonly status: 'refused' }
  | { readonly status: 'too-many-failures' }

/** One-time links and the cookies they are exchanged for. Secrets are kept as hashes only. */
export interface Auth {
  /** Good once, for fifteen minutes. */
  newToken(): string
  login(token: string): LoginResult
  isSession(session: string | undefined): boolean
  /** Resolves when what was given out is on disk, or could not be put there. */
  saved(): Promise<void>
}

export interface AuthOptions {
  /** 0600; sessions survive a restart of the daemon. */
  readonly sessionsFile: string
  readonly clock: Pick<Clock, 'nowMs'>
  readonly logger: Pick<Logger, 'warn'>
}

export async function createAuth({ sessionsFile, clock, logger }: AuthOptions): Promise<Auth> {
  const tokens = new Map<string, number>()
  const sessions = await loadSessions(sessionsFile, logger)
  let failures: number[] = []

  const dropExpired = (entries: Map<string, number>): void => {
    for (const [hash, expiresAt] of entries) if (expiresAt <= clock.nowMs()) entries.delete(hash)
  }
  const add = (entries: Map<string, number>, expiresAt: number, limit: number): string => {
    dropExpired(entries)
    const secret = newSecret()
    entries.set(hashOf(secret), expiresAt)
    for (const hash of entries.keys()) if (entries.size > limit) entries.delete(hash)
    return secret
  }
  let saving: Promise<void> = Promise.resolve()
  const save = (): void => {
    const list = [...sessions].map(([hash, expiresAt]) => ({ hash, expiresAt }))
    // Without the file the session ends with this process, which is safe.
    saving = saving
      .then(() => writeFileAtomic(sessionsFile, JSON.stringify({ sessions: list })))
      .catch((err: unknown) => logger.warn({ err }, 'sessions could not be saved'))
  }
  const isBlocked = (): boolean => {
    failures = failures.filter((at) => at > clock.nowMs() - failureWindowMs)
    return failures.length >= maxFailures
  }

  return {
    newToken: () => add(tokens, clock.nowMs() + tokenLifetimeMs, maxPendingTokens),
    login: (token) => {
      if (isBlocked()) return { status: 'too-many-failures' }
      dropExpired(tokens)
      if (!tokens.delete(hashOf(token))) {
        failures.push(clock.nowMs())
        return { status: 'refused' }
      }
      const session = add(sessions, clock.nowMs() + sessionLifetimeMs, maxSessions)
      save()
      return { status: 'accepted', session, maxAgeSeconds: sessionLifetimeMs / 1000 }
    },
    isSession: (session) => {
      const expiresAt = session === undefined ? undefined : sessions.get(hashOf(session))
      return expiresAt !== undefined && expiresAt > clock.nowMs()
    },
    saved: () => saving,
  }
}

/** A damaged file costs a login, not the daemon. */
async function loadSessions(path: string, logger: Pick<Logger, 'warn'>): Promise<Map<string, number>> {
  const saved = await readJson(path, Sessions).catch((err: unknown) => {
    logger.warn({ err }, 'sessions could not be read')
    return undefined
  })
  return new Map((saved?.sessions ?? []).map(({ hash, expiresAt }) => [hash, expiresAt]))
}
