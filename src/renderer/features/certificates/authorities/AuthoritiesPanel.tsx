import { authorityKinds } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { classNames } from '../../../components/classNames.ts'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { useAuthorities } from '../trustQueries.ts'
import { AuthorityCard } from './AuthorityCard.tsx'

/** Three authorities, kept apart: none can sign what another is trusted for. */
export function AuthoritiesPanel() {
  const query = useAuthorities()
  const stale = useStale()
  if (query.data === undefined) {
    return (
      <div className="p-4">
        {query.error === null ? (
          <p className="text-muted">Asking who signs…</p>
        ) : (
          <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
        )}
      </div>
    )
  }
  const { data } = query
  return (
    <div
      className={classNames(
        'grid grid-cols-[repeat(auto-fit,minmax(340px,1fr))] items-start gap-4 p-4',
        stale && 'stale',
      )}
    >
      {authorityKinds.map((kind) => (
        <AuthorityCard
          key={kind}
          kind={kind}
          authority={data.find((each) => each.kind === kind)}
          onCreated={() => void query.refetch()}
        />
      ))}
    </div>
  )
}
