import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { ErrorBody } from '../../../shared/errors.ts'
import type { JoinToken } from '../../../shared/model/agent.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'

export type TokenStanding = 'open' | 'used' | 'expired' | 'withdrawn'

/** @param nowMs the engine's time */
export function tokenStanding(token: JoinToken, nowMs: number): TokenStanding {
  if (token.usedAt !== null) return 'used'
  if (token.revokedAt !== null) return 'withdrawn'
  return token.expiresAt <= nowMs ? 'expired' : 'open'
}

/** Asked again with every change of a token; the last answer stays in sight meanwhile. */
export function useJoinTokens(): {
  readonly tokens: readonly JoinToken[] | undefined
  readonly error: ErrorBody | null
  readonly retry: () => void
} {
  const { client } = useLink()
  const revision = useRevision('joinTokens')
  const enabled = useReplica((state) => state.loaded)
  const query = useQuery({
    queryKey: ['join tokens', revision],
    queryFn: () => client.agents.joinTokens(),
    placeholderData: keepPreviousData,
    enabled,
  })
  return {
    tokens: query.data,
    error: query.error === null ? null : toErrorBody(query.error),
    retry: () => void query.refetch(),
  }
}
