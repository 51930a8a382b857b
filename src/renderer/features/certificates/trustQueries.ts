import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { AuthorityKind, KrlStatus, RotationPhase } from '../../../shared/model/certificate.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'

export function useAuthorities() {
  const { client } = useLink()
  const revision = useRevision('authorities')
  return useQuery({
    queryKey: ['authorities', revision],
    queryFn: () => client.certificates.authorities(),
    placeholderData: keepPreviousData,
  })
}

const progressIntervalMs = 3_000

/** How far the phase is proven; asked again while one looks, because nodes prove it one by one. */
export function useRotationProgress(kind: AuthorityKind, phase: RotationPhase) {
  const { client } = useLink()
  const revision = useRevision('authorities')
  return useQuery({
    queryKey: ['rotation progress', kind, phase, revision],
    queryFn: () => client.certificates.rotationProgress({ kind }),
    placeholderData: keepPreviousData,
    refetchInterval: progressIntervalMs,
  })
}

/** The revocation list as it is now: as the last event said, or as the engine says when it is asked. */
export function useKrl(): {
  readonly krl: KrlStatus | undefined
  readonly error: unknown
  readonly retry: () => void
} {
  const { client } = useLink()
  const revision = useRevision('authorities')
  const live = useReplica((state) => state.krl)
  const query = useQuery({
    queryKey: ['krl', revision],
    queryFn: () => client.certificates.krl(),
    placeholderData: keepPreviousData,
  })
  const asked = query.data
  const krl = live !== null && (asked === undefined || live.version >= asked.version) ? live : asked
  return { krl, error: query.error, retry: () => void query.refetch() }
}

const healthIntervalMs = 30_000

export function useStepCa() {
  const { client } = useLink()
  const revision = useRevision('authorities')
  return useQuery({
    queryKey: ['step-ca', revision],
    queryFn: () => client.stepCa.status(),
    placeholderData: keepPreviousData,
    refetchInterval: healthIntervalMs,
  })
}
