import { toErrorBody } from '../../api/errors.ts'
import { Button } from '../../components/Button.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, repositoryHash } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import { AddRepository } from './add/AddRepository.tsx'
import { RepositoryList } from './RepositoryList.tsx'
import { pageOf, RepositoryView } from './RepositoryView.tsx'
import { useRepositories } from './repositoryQueries.ts'

const addHash = formatHash({ view: 'repositories', path: ['add'] })

/** `#/repositories`, `#/repositories/add?by=import`, and `#/repositories/<id or name>/targets|commits|findings|settings`. */
export function View({ route }: { readonly route: Route }) {
  const loaded = useReplica((state) => state.loaded)
  const repositories = useRepositories()
  const [reference, page] = route.path
  const all = repositories.data
  useShortcuts([
    { keys: '', label: 'Add a repository', group: 'Repositories', run: () => navigate(addHash) },
    ...(all ?? []).map(({ id, settings }) => ({
      keys: '',
      label: `Repository ${settings.name}`,
      group: 'Repositories',
      run: () => navigate(repositoryHash(id)),
    })),
  ])
  if (reference === 'add') return <AddRepository route={route} />
  if (all === undefined)
    return (
      <>
        <ViewHeader title="Repositories" summary={repositories.error === null ? 'Loading' : undefined} />
        {repositories.error !== null && (
          <div className="p-4">
            <ErrorNote error={toErrorBody(repositories.error)} onRetry={() => void repositories.refetch()} />
          </div>
        )}
      </>
    )
  if (!loaded) return <ViewHeader title="Repositories" summary="Loading" />
  if (reference === undefined) return <RepositoryList repositories={all} />
  const repository = all.find(({ id, settings }) => id === reference || settings.name === reference)
  if (repository !== undefined)
    return <RepositoryView key={repository.id} repository={repository} page={pageOf(page)} route={route} />
  return (
    <EmptyState
      title="There is no such repository"
      actions={<Button onClick={() => navigate(formatHash({ view: 'repositories' }))}>Show all repositories</Button>}
    >
      It was removed, or the link comes from another console.
    </EmptyState>
  )
}
