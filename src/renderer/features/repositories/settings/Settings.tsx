import { useState } from 'react'
import type { Repository } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../../stores/route.ts'
import { useRepositoryPlans } from '../repositoryQueries.ts'
import { cli } from '../repositoryWords.ts'
import { formOf } from './formValues.ts'
import { RepositoryForm } from './RepositoryForm.tsx'
import { useRepositoryForm } from './useRepositoryForm.ts'

/** What an operator says about a repository, to be changed; and the way to remove it. */
export function Settings({ repository }: { readonly repository: Repository }) {
  const { client } = useLink()
  const stale = useStale()
  const call = useCall<Repository>()
  const [base, setBase] = useState(() => formOf(repository.settings))
  const form = useRepositoryForm(base, !repository.hasToken)
  const isChanged = JSON.stringify(form.values) !== JSON.stringify(base) || form.token !== ''
  const movedOn = JSON.stringify(formOf(repository.settings)) !== JSON.stringify(base)
  const take = (settings: Repository['settings']): void => {
    setBase(formOf(settings))
    form.reset(formOf(settings))
  }
  const save = async (): Promise<void> => {
    form.showAll()
    if (form.input === null) return
    const settings = form.input
    const token = settings.login.kind === 'token' && form.token !== '' ? { token: form.token } : {}
    const saved = await call.run(() => client.repositories.change({ repository: repository.id, settings, ...token }))
    if (saved !== null) take(saved.settings)
  }
  return (
    <div className="flex h-full min-h-0">
      <div className="min-w-0 flex-1 overflow-auto">
        <form
          aria-label="Settings of the repository"
          className="flex max-w-2xl flex-col gap-4 p-4"
          onSubmit={(event) => {
            event.preventDefault()
            void save()
          }}
        >
          {movedOn && !call.busy && (
            <div role="status" className="flex items-center gap-3 rounded-md border border-pending px-3 py-2">
              <span className="flex-1">These settings were changed elsewhere meanwhile.</span>
              <Button size="small" onClick={() => take(repository.settings)}>
                Load them
              </Button>
            </div>
          )}
          <RepositoryForm {...form} hasToken={repository.hasToken} />
          {call.error !== null && <ErrorNote error={call.error} />}
          <div className="sticky bottom-0 -mx-4 -mb-4 flex items-center justify-end gap-2 border-t bg-ground px-4 py-3">
            {call.answer !== null && !isChanged && (
              <p role="status" className="mr-auto text-muted">
                Saved. The next fetch goes by it.
              </p>
            )}
            <Button disabled={!isChanged} onClick={() => form.reset(base)}>
              Discard
            </Button>
            <Button type="submit" variant="primary" busy={call.busy} disabled={stale || !isChanged}>
              Save
            </Button>
          </div>
        </form>
      </div>
      <aside aria-label="About this repository" className="w-[320px] shrink-0 overflow-auto border-l bg-surface p-4">
        <About repository={repository} />
      </aside>
    </div>
  )
}

function About({ repository }: { readonly repository: Repository }) {
  const stale = useStale()
  const plans = useRepositoryPlans(repository.settings.name)
  const { client } = useLink()
  const taking = useCall<Repository>()
  const [removing, setRemoving] = useState(false)
  const { settings } = repository
  return (
    <div className="flex flex-col gap-5">
      <Facts>
        <Fact name="Added">
          <Time at={repository.createdAt} />
        </Fact>
        <Fact name="Changed">
          <Time at={repository.updatedAt} />
        </Fact>
        <Fact name="Id">
          <LongText text={repository.id} what="id" />
        </Fact>
        <Fact name="Token">
          {repository.hasToken ? 'one lies in the vault' : <span className="text-muted">none</span>}
        </Fact>
      </Facts>
      {repository.hasToken && settings.login.kind !== 'token' && (
        <div className="flex flex-col gap-2">
          <p className="text-12 text-muted">It is not used any more.</p>
          <div>
            <Button
              size="small"
              busy={taking.busy}
              disabled={stale}
              onClick={() =>
                void taking.run(() => client.repositories.change({ repository: repository.id, settings, token: null }))
              }
            >
              Take it out of the vault
            </Button>
          </div>
          {taking.error !== null && <ErrorNote error={taking.error} />}
        </div>
      )}
      <section aria-label="Plans" className="flex flex-col gap-1">
        <h2 className="text-12 font-semibold text-faint">Plans that deliver from it</h2>
        {plans.length === 0 && <p className="text-muted">None.</p>}
        {plans.map(({ id, name }) => (
          <a key={id} className="text-accent underline" href={formatHash({ view: 'plans', path: [id] })}>
            {name}
          </a>
        ))}
        <p>
          <a
            className="text-accent underline"
            href={formatHash({
              view: 'plans',
              path: ['new'],
              query: { kind: 'repository', repository: settings.name },
            })}
          >
            Write another one
          </a>
        </p>
      </section>
      <div className="flex flex-col gap-1.5">
        <div>
          <Button disabled={stale || plans.length > 0} onClick={() => setRemoving(true)}>
            Remove…
          </Button>
        </div>
        {plans.length > 0 && <p className="text-12 text-muted">Remove its plans first.</p>}
      </div>
      {removing && <RemoveRepository repository={repository} onClose={() => setRemoving(false)} />}
    </div>
  )
}

function RemoveRepository({ repository, onClose }: { readonly repository: Repository; readonly onClose: () => void }) {
  const { client } = useLink()
  const call = useCall<unknown>()
  const { name, checkout } = repository.settings
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.repositories.remove({ repository: repository.id }))) === null) return
    navigate(formatHash({ view: 'repositories' }))
  }
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={`Remove ${name}?`}
      blastRadius="no node"
      effect={`The mirror, its reports and what was allowed in it go${repository.hasToken ? ', and its token' : ''}.${checkout.kind === 'none' ? '' : ' The working copy stays as it is.'} What was delivered stays on the nodes.`}
      undo="Add it again. What was allowed has to be allowed again."
      confirmLabel="Remove it"
      busy={call.busy}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={cli.remove(name)} />
    </DecisionDialog>
  )
}
