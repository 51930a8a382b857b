import { RefreshCw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { assertNever } from '../../../../shared/errors.ts'
import type { RegistrySource } from '../../../../shared/model/registrySource.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Mark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { useSources } from '../registryQueries.ts'
import { registryWords } from '../registryWords.ts'
import { SourceForm } from './SourceForm.tsx'
import { placeWords, sourceCli } from './sourceWords.ts'
import { Webhook } from './Webhook.tsx'

/** Where registries come from, when not from the console. */
export function Sources() {
  const sources = useSources()
  const stale = useStale()
  const [adding, setAdding] = useState(false)
  return (
    <div className="grid h-full min-h-0 grid-cols-[minmax(0,1fr)_380px]">
      <div className="flex min-h-0 flex-col gap-4 overflow-auto p-4">
        <div className="flex items-center gap-3">
          <p className="min-w-0 flex-1 text-muted">
            A source owns the entries it brings. Its changes become revisions by themselves; what cannot be read changes
            nothing.
          </p>
          {!adding && (
            <Button disabled={stale} onClick={() => setAdding(true)}>
              Add a source…
            </Button>
          )}
        </div>
        {adding && <SourceForm onClose={() => setAdding(false)} />}
        {sources.error !== null && (
          <ErrorNote error={toErrorBody(sources.error)} onRetry={() => void sources.refetch()} />
        )}
        {sources.data?.length === 0 && !adding && (
          <div className="rounded-md border border-dashed p-6 text-center text-muted">
            <p className="font-semibold text-text">No sources</p>
            <p className="mx-auto mt-1 max-w-md">
              The registries are written in this console. To keep them in a file or in Kubernetes instead, add a source:
              it is followed, and every change there becomes a revision here.
            </p>
          </div>
        )}
        {sources.data !== undefined && sources.data.length > 0 && (
          <ul aria-label="Sources" className={classNames('flex flex-col gap-3', stale && 'stale')}>
            {sources.data.map((source) => (
              <SourceCard key={source.id} source={source} />
            ))}
          </ul>
        )}
      </div>
      <aside aria-label="Webhook" className="overflow-auto border-l bg-surface p-4">
        <Webhook />
      </aside>
    </div>
  )
}

function SourceCard({ source }: { readonly source: RegistrySource }) {
  const { client } = useLink()
  const stale = useStale()
  const refresh = useCall<RegistrySource>()
  const [removing, setRemoving] = useState(false)
  const [accepting, setAccepting] = useState(false)
  const accept = async (): Promise<void> => {
    setAccepting(false)
    await refresh.run(() => client.sources.refresh({ id: source.id, acceptRemovals: true }))
  }
  return (
    <li className="flex flex-col gap-2 rounded-md border bg-surface p-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h2 className="font-semibold">{source.name}</h2>
        <span className="text-muted">{registryWords[source.registry].title}</span>
        <span className="ml-auto">
          <StateMark state={source.state} />
        </span>
      </div>
      <code className="text-12 break-all text-muted">{placeWords(source.place)}</code>
      {source.place.kind === 'configMap' && source.place.allowUnverifiedTls && (
        <p className="text-12 text-pending">
          The certificate of its cluster need not be checked: anybody on the way could write this registry.
        </p>
      )}
      <StateLine state={source.state} />
      {refresh.error !== null && <ErrorNote error={refresh.error} />}
      <div className="flex gap-2">
        <Button
          size="small"
          busy={refresh.busy}
          disabled={stale}
          icon={<RefreshCw aria-hidden className="size-3.5" />}
          onClick={() => void refresh.run(() => client.sources.refresh({ id: source.id }))}
        >
          Look now
        </Button>
        {source.state.status === 'failing' && source.state.diagnosis.code === 'PRECONDITION_FAILED' && (
          <Button size="small" disabled={stale} onClick={() => setAccepting(true)}>
            Take it anyway…
          </Button>
        )}
        <Button
          size="small"
          disabled={stale}
          icon={<Trash2 aria-hidden className="size-3.5" />}
          onClick={() => setRemoving(true)}
        >
          Remove…
        </Button>
      </div>
      {removing && <RemoveSource source={source} onClose={() => setRemoving(false)} />}
      {accepting && (
        <DecisionDialog
          open
          onClose={() => setAccepting(false)}
          title={`Take what ${source.name} says now?`}
          blastRadius={source.state.status === 'failing' ? source.state.diagnosis.sentence : source.name}
          effect="These entries leave the registry, and with it every node that carries them."
          undo="Return to the revision before, once the source is removed or says it again."
          confirmLabel="Take it anyway"
          danger
          onConfirm={() => void accept()}
        >
          <CliEquivalent command={`lockstep registry sources refresh ${shellQuote(source.name)} --accept-removals`} />
        </DecisionDialog>
      )}
    </li>
  )
}

function StateMark({ state }: Pick<RegistrySource, 'state'>) {
  switch (state.status) {
    case 'starting':
      return (
        <Mark
          withWord
          shape={<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" />}
          word="starting"
          colour="text-muted"
        />
      )
    case 'following':
      return (
        <Mark
          withWord
          shape={<circle cx="6" cy="6" r="4.5" fill="currentColor" />}
          word="followed"
          colour="text-in-step"
        />
      )
    case 'failing':
      return (
        <Mark
          withWord
          shape={
            <rect x="2.25" y="2.25" width="7.5" height="7.5" fill="none" stroke="currentColor" strokeWidth="2.5" />
          }
          word="failing"
          colour="text-error"
        />
      )
    default:
      return assertNever(state)
  }
}

function StateLine({ state }: Pick<RegistrySource, 'state'>) {
  switch (state.status) {
    case 'starting':
      return <p className="text-12 text-muted">Looking at it for the first time.</p>
    case 'following':
      return (
        <p className="text-12 text-muted">
          As we know it: last seen <Time at={state.seenAt} />, version <code>{state.version.slice(0, 16)}</code>.
        </p>
      )
    case 'failing':
      return (
        <div className="flex flex-col gap-1">
          <p className="text-error">{state.diagnosis.sentence}</p>
          <p className="text-12 text-muted">
            Since <Time at={state.since} />, tried again <Time at={state.checkedAt} />.
          </p>
          {state.diagnosis.evidence.length > 0 && (
            <pre className="overflow-auto rounded-md border bg-ground p-2 text-12 whitespace-pre-wrap">
              {state.diagnosis.evidence.join('\n')}
            </pre>
          )}
        </div>
      )
    default:
      return assertNever(state)
  }
}

function RemoveSource({ source, onClose }: { readonly source: RegistrySource; readonly onClose: () => void }) {
  const { client } = useLink()
  const call = useCall<unknown>()
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.sources.remove({ id: source.id }))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={`Stop following ${source.name}?`}
      blastRadius="no node"
      effect="Its changes are no longer taken over. What it has brought stays in the registry, and can be edited here."
      undo="Add it again: it is read at once."
      confirmLabel="Stop following it"
      busy={call.busy}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={sourceCli.remove(source)} />
    </DecisionDialog>
  )
}
