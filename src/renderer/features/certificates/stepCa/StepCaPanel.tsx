import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { StepCaStatus } from '../../../../shared/model/stepCa.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { CopyButton } from '../../../components/CopyButton.tsx'
import { classNames } from '../../../components/classNames.ts'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { FillMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { trustCli } from '../trustCommands.ts'
import { useStepCa } from '../trustQueries.ts'
import { Guide } from './Guide.tsx'
import { StepCaSetup } from './StepCaSetup.tsx'
import { UseIssuer } from './UseIssuer.tsx'

/** A step-ca behind the same interface: whether it is well, what it allows, and whether it signs for us. */
export function StepCaPanel() {
  const query = useStepCa()
  const stale = useStale()
  const [editing, setEditing] = useState(false)
  if (query.data === undefined) {
    return (
      <div className="p-4">
        {query.error === null ? (
          <p className="text-muted">Asking step-ca…</p>
        ) : (
          <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
        )}
      </div>
    )
  }
  const status = query.data
  const refresh = (): void => {
    setEditing(false)
    void query.refetch()
  }
  return (
    <div className={classNames('flex max-w-5xl flex-col gap-6 p-4', stale && 'stale')}>
      {status.settings === null || editing ? (
        <StepCaSetup
          settings={status.settings}
          onSaved={refresh}
          {...(editing ? { onCancel: () => setEditing(false) } : {})}
        />
      ) : (
        <Known status={status} checking={query.isFetching} onCheck={refresh} onEdit={() => setEditing(true)} />
      )}
      <Guide settings={status.settings} open={status.settings === null} />
    </div>
  )
}

interface KnownProps {
  readonly status: StepCaStatus
  readonly checking: boolean
  readonly onCheck: () => void
  readonly onEdit: () => void
}

function Known({ status, checking, onCheck, onEdit }: KnownProps) {
  const stale = useStale()
  const [deciding, setDeciding] = useState<'use' | 'remove' | null>(null)
  const { settings } = status
  if (settings === null) return null
  const done = (): void => {
    setDeciding(null)
    onCheck()
  }
  return (
    <>
      <section aria-label="step-ca" className="flex flex-col gap-3 rounded-md border bg-surface p-4">
        <header className="flex flex-wrap items-center gap-3">
          <h2 className="text-15 font-semibold">step-ca</h2>
          <Health status={status} />
          <span className="flex-1" />
          <Button size="small" busy={checking} onClick={onCheck}>
            Ask again
          </Button>
          <Button size="small" onClick={onEdit}>
            Change
          </Button>
          <Button size="small" disabled={stale || status.active} onClick={() => setDeciding('remove')}>
            Remove…
          </Button>
        </header>
        {status.diagnosis !== null && <Problem diagnosis={status.diagnosis} />}
        <Facts nameWidth="120px">
          <Fact name="Address">{settings.url}</Fact>
          <Fact name="Root pinned">
            <LongText text={settings.rootFingerprint} what="root fingerprint" />
          </Fact>
          <Fact name="Provisioner">{settings.provisioner}</Fact>
          <Fact name="Signs for us">
            {status.active ? 'every user certificate' : 'nothing: the embedded authority signs'}{' '}
            <Button size="small" disabled={stale} className="ml-2" onClick={() => setDeciding('use')}>
              {status.active ? 'Let the embedded one sign…' : 'Let step-ca sign…'}
            </Button>
          </Fact>
        </Facts>
        <CliEquivalent command={trustCli.stepStatus} />
      </section>
      <Provisioners status={status} />
      <Roots status={status} />
      {deciding === 'use' && <UseIssuer status={status} onClose={() => setDeciding(null)} onDone={done} />}
      {deciding === 'remove' && <RemoveStepCa onClose={() => setDeciding(null)} onRemoved={done} />}
    </>
  )
}

function Health({ status }: { readonly status: StepCaStatus }) {
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden className="inline-flex">
        <FillMark fill={status.healthy ? 'in-step' : 'error'} />
      </span>
      <span>
        {status.healthy ? 'answers' : (status.diagnosis?.short ?? 'does not answer')}
        <span className="text-muted">
          , asked <Time at={status.checkedAt} />
        </span>
      </span>
    </span>
  )
}

function Problem({ diagnosis }: { readonly diagnosis: NonNullable<StepCaStatus['diagnosis']> }) {
  return (
    <div role="alert" className="flex flex-col gap-1 rounded-md border border-error px-3 py-2">
      <p>{diagnosis.sentence}</p>
      {diagnosis.evidence.length > 0 && (
        <pre className="overflow-auto text-12 whitespace-pre-wrap text-muted">{diagnosis.evidence.join('\n')}</pre>
      )}
    </div>
  )
}

/** Which operation each provisioner allows: the wrong one is what makes a renewal fail without a reason (U6). */
function Provisioners({ status }: { readonly status: StepCaStatus }) {
  if (status.provisioners.length === 0) return null
  return (
    <section aria-label="Provisioners" className="flex flex-col gap-2">
      <h3 className="font-semibold">Provisioners, and what each allows</h3>
      <ul className="flex flex-col gap-1">
        {status.provisioners.map(({ name, type, allows }) => (
          <li key={`${name} ${type}`} className="grid grid-cols-[minmax(140px,1fr)_96px_3fr] gap-3 border-b py-1">
            <span className="truncate font-medium">
              {name}
              {name === status.settings?.provisioner && <span className="font-normal text-muted"> (ours)</span>}
            </span>
            <span className="text-muted">{type}</span>
            <span>{allows.length === 0 ? <span className="text-muted">nothing for SSH</span> : allows.join(', ')}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Roots({ status }: { readonly status: StepCaStatus }) {
  if (status.userAuthorities.length === 0) return null
  return (
    <section aria-label="SSH user authorities of step-ca" className="flex flex-col gap-2">
      <h3 className="font-semibold">Its SSH user authorities</h3>
      <p className="text-muted">
        Nodes have to trust these before step-ca may sign: the plan of kind trust brings them.
      </p>
      <ul className="flex flex-col gap-1">
        {status.userAuthorities.map(({ fingerprint, publicKey }) => (
          <li key={fingerprint} className="flex min-w-0 items-center gap-2">
            <code className="min-w-0 truncate text-12" title={publicKey}>
              {fingerprint}
            </code>
            <CopyButton text={publicKey} what="public key" />
          </li>
        ))}
      </ul>
    </section>
  )
}

function RemoveStepCa({ onClose, onRemoved }: { readonly onClose: () => void; readonly onRemoved: () => void }) {
  const { client } = useLink()
  const remove = useMutation({ mutationFn: () => client.stepCa.remove(), onSuccess: onRemoved })
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title="Forget this step-ca?"
      blastRadius="this console only; step-ca itself is not touched"
      effect="Address, pin and the sealed password are removed. It signs nothing for us now, so nothing stops working."
      undo="Set it up again, with its password."
      confirmLabel="Forget it"
      busy={remove.isPending}
      error={remove.error === null ? null : toErrorBody(remove.error)}
      onConfirm={() => remove.mutate()}
    >
      <CliEquivalent command={trustCli.stepRemove} />
    </DecisionDialog>
  )
}
