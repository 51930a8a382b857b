import type { Repository } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { ViewHeader } from '../../../components/ViewHeader.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, repositoryHash, updateQuery } from '../../../stores/route.ts'
import { emptyRepositoryForm } from '../settings/formValues.ts'
import { RepositoryForm } from '../settings/RepositoryForm.tsx'
import { useRepositoryForm } from '../settings/useRepositoryForm.ts'
import { ImportConfiguration } from './ImportConfiguration.tsx'

const ways = [
  { id: undefined, label: 'By hand' },
  { id: 'import', label: 'From a configuration' },
] as const

/** A new source of truth: field by field, or taken over from the file that described it until now. */
export function AddRepository({ route }: { readonly route: Route }) {
  const byImport = route.query.by === 'import'
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title={
          <>
            <a className="text-faint hover:text-text" href={formatHash({ view: 'repositories' })}>
              Repositories
            </a>
            <span className="text-faint">/</span>
            Add one
          </>
        }
        actions={
          <fieldset aria-label="How it is added" className="flex gap-1">
            {ways.map(({ id, label }) => (
              <button
                key={label}
                type="button"
                aria-pressed={byImport === (id === 'import')}
                onClick={() => updateQuery({ by: id }, { replace: true })}
                className={classNames(
                  'h-8 rounded-md px-3 text-muted hover:bg-hover hover:text-text',
                  byImport === (id === 'import') && 'bg-selection text-text',
                )}
              >
                {label}
              </button>
            ))}
          </fieldset>
        }
      />
      {byImport ? <ImportConfiguration /> : <ByHand />}
    </div>
  )
}

function ByHand() {
  const { client } = useLink()
  const stale = useStale()
  const form = useRepositoryForm(emptyRepositoryForm, true)
  const call = useCall<Repository>()
  const fetching = useCall<Repository>()
  const add = async (): Promise<void> => {
    form.showAll()
    if (form.input === null) return
    const repository = form.input
    const token = repository.login.kind === 'token' ? { token: form.token } : {}
    const added = await call.run(() => client.repositories.add({ repository, ...token }))
    if (added === null) return
    // What comes of the first fetch is shown in the repository itself.
    void fetching.run(() => client.repositories.refresh({ repository: added.id, force: false }))
    navigate(repositoryHash(added.id))
  }
  return (
    <div className="min-h-0 flex-1 overflow-auto">
      <form
        aria-label="Add a repository"
        className="flex max-w-2xl flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault()
          void add()
        }}
      >
        <p className="text-muted">
          It is fetched once it is added, and nothing is sent: a plan says to which nodes it goes.
        </p>
        <RepositoryForm {...form} hasToken={false} />
        {call.error !== null && <ErrorNote error={call.error} />}
        <div className="sticky bottom-0 -mx-4 -mb-4 flex justify-end gap-2 border-t bg-ground px-4 py-3">
          <Button onClick={() => navigate(formatHash({ view: 'repositories' }))}>Cancel</Button>
          <Button type="submit" variant="primary" busy={call.busy} disabled={stale}>
            Add and fetch it
          </Button>
        </div>
      </form>
    </div>
  )
}
