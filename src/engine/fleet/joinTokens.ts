import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import { AppError } from '../../shared/errors.ts'
import type { GatewayStatus, JoinToken, NewJoinToken } from '../../shared/model/agent.ts'
import { JoinTokenId } from '../../shared/model/ids.ts'
import { DisplayName } from '../../shared/model/text.ts'
import type { Gateway, Store, StoredJoinToken, StoreReader } from '../ports.ts'

const secretBytes = 32

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

interface JoinTokenDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly gateway: Pick<Gateway, 'status'>
}

export interface NewTokenOptions {
  readonly nodeName: string | null
  readonly lifetimeSeconds: number
}

/**
 * Makes a permission to enroll one agent. The secret leaves here once; what is stored is its hash.
 * @throws PRECONDITION_FAILED while nobody could use it
 */
export async function createJoinToken(
  { store, clock, ids, gateway }: JoinTokenDependencies,
  { nodeName, lifetimeSeconds }: NewTokenOptions,
  operator: string,
): Promise<NewJoinToken> {
  const { url, rootFingerprint } = addressOf(await gateway.status())
  const secret = randomBytes(secretBytes).toString('base64url')
  const nowMs = clock.nowMs()
  const token: JoinToken = {
    id: JoinTokenId.parse(ids()),
    nodeName: nodeName === null ? null : DisplayName.parse(nodeName),
    createdAt: nowMs,
    createdBy: operator,
    expiresAt: nowMs + lifetimeSeconds * 1000,
    usedAt: null,
    usedBy: null,
    revokedAt: null,
  }
  await store.transact(async (transaction) => {
    await transaction.saveJoinToken({ token, secretHash: hashOf(secret) })
    const detail = { nodeName: token.nodeName, expiresAt: token.expiresAt }
    await transaction.appendAudit([
      { at: nowMs, actor: operator, action: 'agent.join-token', subject: token.id, detail },
    ])
  })
  const content = JSON.stringify({ u: url, f: rootFingerprint, s: secret })
  const word = `lsj1.${Buffer.from(content).toString('base64url')}`
  return { token, secret: word, command: enrollCommand(word) }
}

/** For the host. `printf` is part of the shell: the word shows in no list of processes. */
const enrollCommand = (word: string): string => `printf %s '${word}' | sudo lockstep-agent enroll --join-file -`

function addressOf({ listening, url, rootFingerprint, problem }: GatewayStatus): {
  readonly url: string
  readonly rootFingerprint: string
} {
  if (listening && url !== null && rootFingerprint !== null) return { url, rootFingerprint }
  const why = problem === null ? 'The gateway is switched off' : `The gateway does not listen (${problem})`
  throw new AppError(
    'PRECONDITION_FAILED',
    `${why}, so no agent could use a join token. Switch the gateway on first.`,
    {
      retry: { kind: 'action', action: 'gateway.enable', label: 'Switch the gateway on' },
    },
  )
}

/** Why a token does not count; null when it does. In words for the audit log, not for who tried. */
export function tokenFlaw(token: JoinToken, nowMs: number): string | null {
  if (token.usedAt !== null) return 'used'
  if (token.revokedAt !== null) return 'revoked'
  return nowMs >= token.expiresAt ? 'expired' : null
}

/** The token of this secret, whatever became of it; null when there is none. */
export async function findToken(store: StoreReader, secret: string): Promise<StoredJoinToken | null> {
  const hash = hashOf(secret)
  const found = await store.findJoinToken(hash)
  if (found === null) return null
  return timingSafeEqual(Buffer.from(found.secretHash, 'hex'), Buffer.from(hash, 'hex')) ? found : null
}

/** @throws NOT_FOUND, PRECONDITION_FAILED for one that was used: its agent is what can be revoked */
export function revokeJoinToken(
  { store, clock }: Pick<JoinTokenDependencies, 'store' | 'clock'>,
  id: JoinTokenId,
  operator: string,
): Promise<JoinToken> {
  return store.transact(async (transaction) => {
    const stored = await transaction.getJoinToken(id)
    if (stored === null) throw new AppError('NOT_FOUND', `There is no join token ${id}.`, { data: { token: id } })
    const { token } = stored
    if (token.usedAt !== null)
      throw new AppError('PRECONDITION_FAILED', `Join token ${id} was used already. Revoke the agent it made.`, {
        data: { token: id, agent: token.usedBy },
      })
    if (token.revokedAt !== null) return token
    const at = clock.nowMs()
    const revoked: JoinToken = { ...token, revokedAt: at }
    await transaction.saveJoinToken({ ...stored, token: revoked })
    await transaction.appendAudit([
      { at, actor: operator, action: 'agent.join-token-revoke', subject: id, detail: { nodeName: token.nodeName } },
    ])
    return revoked
  })
}
