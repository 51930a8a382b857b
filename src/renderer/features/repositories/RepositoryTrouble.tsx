import { useState } from 'react'
import type { Repository, ScanReport } from '../../../shared/model/repository.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { FillMark } from '../../components/StatusMark.tsx'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { repositoryHash } from '../../stores/route.ts'
import { FetchDialog } from './FetchDialog.tsx'
import { remedyOf, scanWords } from './repositoryWords.ts'

interface TroubleProps {
  readonly repository: Repository
  readonly report: ScanReport | null
  readonly page: string
}

/** What is wrong, or worth knowing, each with its one next step. Nothing while nothing is. */
export function RepositoryTrouble({ repository, report, page }: TroubleProps) {
  const { diagnosis, warnings } = repository.state
  // The page of the findings says it itself.
  const isHeld = page !== 'findings' && (report?.status === 'blocked' || report?.status === 'failed')
  if (diagnosis === null && warnings.length === 0 && !isHeld) return null
  return (
    <div className="flex shrink-0 flex-col gap-1.5 border-b bg-surface px-4 py-2">
      {diagnosis !== null && <Failure repository={repository} />}
      {isHeld && (
        <p className="flex items-center gap-2">
          <FillMark fill="halted" />
          {scanWords(report)}.
          <a className="text-accent underline" href={repositoryHash(repository.id, 'findings')}>
            See the findings
          </a>
        </p>
      )}
      {warnings.map((warning) => (
        <p key={warning} className="flex items-start gap-2 text-pending">
          <span aria-hidden className="mt-1.5 size-2 shrink-0 rotate-45 bg-pending" />
          {warning}
        </p>
      ))}
    </div>
  )
}

function Failure({ repository }: { readonly repository: Repository }) {
  const { client } = useLink()
  const stale = useStale()
  const call = useCall<Repository>()
  const [forcing, setForcing] = useState(false)
  const { diagnosis } = repository.state
  if (diagnosis === null) return null
  const { kind, label } = remedyOf(diagnosis)
  return (
    <section aria-label="Why it could not be fetched" className="flex flex-col gap-1.5">
      <div className="flex items-start gap-2">
        <FillMark fill="error" className="mt-1" />
        <div className="min-w-0 flex-1">
          <p>{diagnosis.sentence}</p>
          <p className="text-12 text-muted">
            {diagnosis.code}
            {repository.state.fetchedAt !== null && ' · what was fetched before stays in force'}
          </p>
        </div>
        {kind === 'force' ? (
          <Button size="small" disabled={stale} onClick={() => setForcing(true)}>
            {label}…
          </Button>
        ) : kind === 'settings' ? (
          <a
            className="inline-flex h-6 shrink-0 items-center rounded-md border border-line-strong px-2 text-12 font-medium"
            href={repositoryHash(repository.id, 'settings')}
          >
            {label}
          </a>
        ) : (
          <Button
            size="small"
            busy={call.busy}
            disabled={stale}
            onClick={() =>
              void call.run(() => client.repositories.refresh({ repository: repository.id, force: false }))
            }
          >
            {label}
          </Button>
        )}
      </div>
      {diagnosis.evidence.length > 0 && (
        <pre className="max-h-32 overflow-auto rounded-md border bg-ground p-2 text-12 whitespace-pre-wrap text-muted">
          {diagnosis.evidence.join('\n')}
        </pre>
      )}
      {call.error !== null && <ErrorNote error={call.error} />}
      {forcing && <FetchDialog repository={repository} onClose={() => setForcing(false)} />}
    </section>
  )
}
