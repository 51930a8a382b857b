import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { RevocationPreview, RevocationTargets } from '../../../shared/contract/certificates.ts'
import type { EngineClient } from '../../../shared/contract/index.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { Field } from '../../components/Field.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'

/** What the engine says it did. */
export type Revoked = Awaited<ReturnType<EngineClient['certificates']['revoke']>>

interface RevokeDialogProps {
  readonly targets: RevocationTargets
  /** What does the same on the command line for this reason; null when it would be too long to type. */
  readonly commandFor: ((reason: string) => string) | null
  readonly onClose: () => void
  readonly onRevoked: (revoked: Revoked) => void
}

/** Says whom a revocation cuts off, where it takes hold and where it does not, before anything is revoked. */
export function RevokeDialog({ targets, commandFor, onClose, onRevoked }: RevokeDialogProps) {
  const { client } = useLink()
  const [reason, setReason] = useState('')
  const preview = useQuery({
    queryKey: ['revocation preview', targets],
    queryFn: () => client.certificates.previewRevocation({ targets }),
    staleTime: 0,
  })
  const revoke = useMutation({
    mutationFn: () => client.certificates.revoke({ targets, reason: reason.trim() }),
    onSuccess: onRevoked,
  })
  const { data } = preview
  const count = data?.certificates.length ?? 0
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={data === undefined ? 'Revoke certificates?' : `Revoke ${plural(count, 'certificate')}?`}
      blastRadius={data === undefined ? 'Looking at what it would cut off…' : <Reach preview={data} />}
      effect={data === undefined ? '…' : <Effect preview={data} />}
      undo="None: a revoked certificate never counts again. Whoever should get in needs a new one, which Renew gives."
      confirmLabel={count === 0 ? 'Revoke' : `Revoke ${plural(count, 'certificate')}`}
      incomplete={data === undefined || count === 0 || reason.trim() === ''}
      busy={revoke.isPending}
      error={revoke.error === null ? null : toErrorBody(revoke.error)}
      onConfirm={() => revoke.mutate()}
    >
      {preview.error !== null && (
        <ErrorNote error={toErrorBody(preview.error)} onRetry={() => void preview.refetch()} />
      )}
      {data !== undefined && data.skipped > 0 && (
        <p className="text-muted">
          {plural(data.skipped, 'other is', 'others are')} left alone: revoked already, or over.
        </p>
      )}
      <Field
        label="Why"
        placeholder="e.g. laptop lost on the train"
        hint="Kept in the issue log and in the audit log."
        value={reason}
        maxLength={500}
        onChange={(event) => setReason(event.target.value)}
      />
      {commandFor !== null && <CliEquivalent command={commandFor(reason.trim() === '' ? 'why' : reason.trim())} />}
    </DecisionDialog>
  )
}

const shownNames = 8

function Reach({ preview }: { readonly preview: RevocationPreview }) {
  const nodes = useReplica((state) => state.nodes)
  const names = preview.nodes.slice(0, shownNames).map((id) => nodes.get(id)?.name ?? id)
  const more = preview.nodes.length - names.length
  const open = [
    ...(preview.openTerminals > 0 ? [plural(preview.openTerminals, 'open terminal')] : []),
    ...(preview.openRuns > 0 ? [plural(preview.openRuns, 'run')] : []),
  ]
  if (preview.certificates.length === 0) return <p>Nothing: no live certificate is among them.</p>
  return (
    <>
      <p className="font-medium">
        {plural(preview.certificates.length, 'certificate')} of {plural(preview.nodes.length, 'node')}
      </p>
      {names.length > 0 && (
        <p className="text-muted">
          {names.join(', ')}
          {more > 0 && ` and ${formatCount(more)} more`}
        </p>
      )}
      {open.length > 0 && (
        <p className="text-pending">
          {open.join(' and ')} {preview.openTerminals + preview.openRuns === 1 ? 'uses' : 'use'} them now. Sessions that
          are open stay open; no new one begins.
        </p>
      )}
    </>
  )
}

function Effect({ preview }: { readonly preview: RevocationPreview }) {
  const { coveredNodes, uncoveredNodes, staticKeyNodes } = preview
  const names = uncoveredNodes.slice(0, shownNames)
  const more = uncoveredNodes.length - names.length
  return (
    <>
      <p>
        {coveredNodes === 0
          ? 'They are marked as revoked here, and nothing of ours uses them any more.'
          : `A new version of the revocation list is delivered to ${plural(coveredNodes, 'node')}, and each proves that it refuses them.`}
      </p>
      {uncoveredNodes.length > 0 && (
        <p className="mt-1 text-pending">
          {plural(uncoveredNodes.length, 'node gets', 'nodes get')} no revocation list: there a revoked certificate
          keeps working until it ends. {names.join(', ')}
          {more > 0 && ` and ${formatCount(more)} more`}.
        </p>
      )}
      {staticKeyNodes.length > 0 && (
        <p className="mt-1 text-pending">
          {plural(staticKeyNodes.length, 'node is', 'nodes are')} logged in to with a static key, which this does not
          stop.
        </p>
      )}
    </>
  )
}
