import { useEffect } from 'react'
import type { ErrorBody } from '../../../shared/errors.ts'
import type { RegistryKind } from '../../../shared/model/registry.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { type Draft, draftOf, isChanged } from './draft/draft.ts'
import { draftStore, useDraft } from './draft/draftStore.ts'
import { useNewest, useRevisionText } from './registryQueries.ts'

/** The draft of a registry; begun from what is in force, and kept up with it as long as nothing is changed. */
export function useRegistryDraft(registry: RegistryKind): {
  readonly draft: Draft | null
  readonly error: ErrorBody | null
  readonly retry: () => void
} {
  const loaded = useReplica((state) => state.loaded)
  const newest = useNewest(registry)
  const query = useRevisionText(registry, newest?.number)
  const draft = useDraft(registry)
  const text = query.data?.text
  const number = newest?.number ?? 0
  useEffect(() => {
    if (!loaded || (number > 0 && text === undefined)) return
    const current = draftStore(registry).draft
    if (current !== null && (current.baseNumber === number || isChanged(current))) return
    draftStore(registry).begin(draftOf(registry, text === undefined ? null : { number, text }))
  }, [registry, loaded, number, text])
  return { draft, error: query.error === null ? null : toErrorBody(query.error), retry: () => void query.refetch() }
}
