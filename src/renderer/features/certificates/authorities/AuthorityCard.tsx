import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { Authority, AuthorityKind } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { trustCli } from '../trustCommands.ts'
import { authorityWords } from './authorityWords.ts'
import { ExportForms } from './ExportForms.tsx'
import { RotationTrack } from './RotationTrack.tsx'
import { StartRotation } from './StartRotation.tsx'

interface AuthorityCardProps {
  readonly kind: AuthorityKind
  readonly authority: Authority | undefined
  readonly onCreated: () => void
}

/** One of the three: who it is, what to do with its public half, and its rotation while there is one. */
export function AuthorityCard({ kind, authority, onCreated }: AuthorityCardProps) {
  const { title, what } = authorityWords[kind]
  return (
    <section
      aria-label={title}
      className={classNames(
        'flex min-w-0 flex-col gap-3 rounded-md border bg-surface p-4',
        authority?.rotation != null && 'col-span-full',
      )}
    >
      <header>
        <h2 className="text-15 font-semibold">{title}</h2>
        <p className="text-muted">{what}</p>
      </header>
      {authority === undefined ? (
        <Missing kind={kind} onCreated={onCreated} />
      ) : (
        <Known key={authority.fingerprint} authority={authority} />
      )}
    </section>
  )
}

function Missing({ kind, onCreated }: { readonly kind: AuthorityKind; readonly onCreated: () => void }) {
  const { client } = useLink()
  const stale = useStale()
  const create = useMutation({
    mutationFn: () => client.certificates.createAuthorities({ kinds: [kind] }),
    onSuccess: onCreated,
  })
  return (
    <div className="flex flex-col items-start gap-3">
      <p>
        <span className="text-pending">Not made yet.</span> {authorityWords[kind].missing}
      </p>
      <Button busy={create.isPending} disabled={stale} onClick={() => create.mutate()}>
        Create it
      </Button>
      {create.error !== null && <ErrorNote error={toErrorBody(create.error)} />}
      <div className="w-full">
        <CliEquivalent command={trustCli.createAuthorities} />
      </div>
    </div>
  )
}

function Known({ authority }: { readonly authority: Authority }) {
  const stale = useStale()
  const [view, setView] = useState<'export' | 'rotate' | null>(null)
  const { kind, rotation } = authority
  return (
    <>
      <Facts>
        <Fact name={rotation === null ? 'Fingerprint' : 'Signs now'}>
          <LongText text={authority.fingerprint} what="fingerprint" />
        </Fact>
        <Fact name="Made">
          <Time at={authority.createdAt} />
          {authority.validBefore !== null && (
            <>
              , ends <Time at={authority.validBefore} />
            </>
          )}
        </Fact>
        <Fact name="Sealed by">{authority.sealedBy}</Fact>
      </Facts>
      <div className="flex flex-wrap gap-2">
        <Button
          size="small"
          aria-expanded={view === 'export'}
          onClick={() => setView(view === 'export' ? null : 'export')}
        >
          Export
        </Button>
        {rotation === null && (
          <Button size="small" disabled={stale} onClick={() => setView('rotate')}>
            Rotate…
          </Button>
        )}
      </div>
      {view === 'export' && <ExportForms kind={kind} />}
      {rotation !== null && <RotationTrack kind={kind} rotation={rotation} />}
      {view === 'rotate' && rotation === null && <StartRotation kind={kind} onClose={() => setView(null)} />}
    </>
  )
}
