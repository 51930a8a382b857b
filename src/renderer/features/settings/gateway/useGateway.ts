import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { ErrorBody } from '../../../../shared/errors.ts'
import type { GatewayStatus } from '../../../../shared/model/agent.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useReplica, useRevision } from '../../../stores/ReplicaContext.tsx'

/** Connections come and go without an event. */
const connectionsIntervalMs = 15_000

export interface LoadedGateway {
  /** Undefined before the first answer. */
  readonly gateway: GatewayStatus | undefined
  readonly error: ErrorBody | null
  readonly retry: () => void
}

/** Asked again with every change of the gateway; the last answer stays in sight meanwhile. */
export function useGateway(): LoadedGateway {
  const { client } = useLink()
  const revision = useRevision('gateway')
  const enabled = useReplica((state) => state.loaded)
  const query = useQuery({
    queryKey: ['gateway', revision],
    queryFn: () => client.gateway.status(),
    placeholderData: keepPreviousData,
    refetchInterval: connectionsIntervalMs,
    enabled,
  })
  return {
    gateway: query.data,
    error: query.error === null ? null : toErrorBody(query.error),
    retry: () => void query.refetch(),
  }
}
