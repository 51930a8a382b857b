import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { readServiceRegistry } from '../../../core/registry/serviceRegistry.ts'
import type { RegistryKind, RegistryRevision, RegistryService } from '../../../shared/model/registry.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'

/** What is in force; undefined while there is none. */
export const useNewest = (registry: RegistryKind): RegistryRevision | undefined =>
  useReplica((state) => state.registries.get(registry))

/** A revision with its text, in the sources' JSON form. It never changes, so it is asked for once. */
export function useRevisionText(registry: RegistryKind, number: number | undefined) {
  const { client } = useLink()
  return useQuery({
    queryKey: ['registry text', registry, number],
    queryFn: () => client.registry.get({ registry, ...(number === undefined ? {} : { number }) }),
    enabled: number !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  })
}

export const useServicesQuery = () => useRevisionText('services', useNewest('services')?.number)

const noServices: readonly RegistryService[] = []

/** The services in force, for views that look at them; undefined until they are here. Why they are not: {@link useServicesQuery}. */
export function useServices(): readonly RegistryService[] | undefined {
  const newest = useNewest('services')
  const { data } = useServicesQuery()
  return useMemo(() => {
    if (newest === undefined) return noServices
    if (data == null) return undefined
    const read = readServiceRegistry(data.text)
    return read.ok ? read.services : undefined
  }, [newest, data])
}

export function useHistory(registry: RegistryKind) {
  const { client } = useLink()
  const newest = useNewest(registry)
  return useQuery({
    queryKey: ['registry history', registry, newest?.number ?? 0],
    queryFn: () => client.registry.history({ registry, limit: 500 }),
    placeholderData: keepPreviousData,
  })
}

/** @param from 0: before the first */
export function useComparison(registry: RegistryKind, from: number | null, to: number | null) {
  const { client } = useLink()
  return useQuery({
    queryKey: ['registry compare', registry, from, to],
    queryFn: () => client.registry.compare({ registry, from: from ?? 0, to: to ?? 1 }),
    enabled: from !== null && to !== null,
  })
}

export function useSources() {
  const { client } = useLink()
  const revision = useRevision('sources')
  return useQuery({
    queryKey: ['registry sources', revision],
    queryFn: () => client.sources.list(),
    placeholderData: keepPreviousData,
  })
}

const noOwners: ReadonlyMap<string, string> = new Map()

/** The name of the source that owns each entry which has one; empty until it is known. */
export function useOwners(registry: RegistryKind): ReadonlyMap<string, string> {
  const { client } = useLink()
  const newest = useNewest(registry)
  const revision = useRevision('sources')
  const { data } = useQuery({
    queryKey: ['registry owners', registry, newest?.number ?? 0, revision],
    queryFn: () => client.registry.owners({ registry }),
    placeholderData: keepPreviousData,
  })
  return useMemo(() => {
    if (data === undefined) return noOwners
    return new Map(data.flatMap(({ source, entries }) => entries.map((name) => [name, source] as const)))
  }, [data])
}

export function useWebhook() {
  const { client } = useLink()
  const revision = useRevision('sources')
  return useQuery({
    queryKey: ['registry webhook', revision],
    queryFn: () => client.sources.webhook(),
    placeholderData: keepPreviousData,
  })
}
