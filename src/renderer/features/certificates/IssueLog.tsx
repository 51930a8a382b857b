import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { IssuedCertificate } from '../../../shared/model/certificate.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { coarse } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'

const shown = 1000

/** Everything the authority has signed, newest first: for whom, on whose word, until when. */
export function IssueLog() {
  const { client } = useLink()
  const stale = useStale()
  const live = useReplica((state) => state.certificates)
  const query = useQuery({ queryKey: ['certificates'], queryFn: () => client.certificates.list({ limit: shown }) })
  const rows = useMemo(() => {
    const byId = new Map((query.data ?? []).map((certificate) => [certificate.id, certificate]))
    for (const [id, certificate] of live) byId.set(id, certificate)
    return [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1))
  }, [live, query.data])
  if (query.error !== null && rows.length === 0) {
    return (
      <div className="p-4">
        <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
      </div>
    )
  }
  if (query.isPending && rows.length === 0) return null
  if (rows.length === 0)
    return (
      <EmptyState title="Nothing was signed yet">
        Every certificate the authority signs is listed here, with who asked and why.
      </EmptyState>
    )
  return (
    <div className={classNames('flex h-full flex-col', stale && 'stale')}>
      <div className="min-h-0 flex-1">
        <DataTable label="Issue log" rows={rows} rowKey={(certificate) => certificate.id} columns={columns} />
      </div>
      {rows.length >= shown && (
        <p className="border-t px-4 py-2 text-12 text-faint">
          The newest {rows.length}. Older ones: lockstep certificates list --limit 10000
        </p>
      )}
    </div>
  )
}

const columns: readonly Column<IssuedCertificate>[] = [
  {
    id: 'serial',
    header: 'Serial',
    width: '90px',
    align: 'right',
    cell: (row) => <code className="text-12">{row.serial}</code>,
    sortValue: (row) => Number(row.serial),
  },
  {
    id: 'keyId',
    header: 'Key id',
    width: 'minmax(150px, 1.5fr)',
    cell: (row) => <span title={row.keyId}>{row.keyId}</span>,
    sortValue: (row) => row.keyId,
  },
  { id: 'principals', header: 'Principals', width: 'minmax(100px, 1fr)', cell: (row) => row.principals.join(', ') },
  { id: 'purpose', header: 'For', width: '100px', cell: (row) => row.purpose, sortValue: (row) => row.purpose },
  {
    id: 'node',
    header: 'Node',
    width: 'minmax(110px, 1fr)',
    cell: (row) => row.nodeName ?? <span className="text-faint">none</span>,
    sortValue: (row) => row.nodeName,
  },
  {
    id: 'who',
    header: 'Asked by',
    width: 'minmax(90px, 0.8fr)',
    cell: (row) => row.requestedBy,
    sortValue: (row) => row.requestedBy,
  },
  {
    id: 'why',
    header: 'Why',
    width: 'minmax(110px, 1.4fr)',
    cell: (row) => (
      <span className="text-muted" title={row.reason}>
        {row.reason}
      </span>
    ),
  },
  {
    id: 'issued',
    header: 'Issued',
    width: '104px',
    align: 'right',
    cell: (row) => <Time at={row.issuedAt} className="text-muted" />,
    sortValue: (row) => row.issuedAt,
  },
  {
    id: 'left',
    header: 'Valid for',
    width: '96px',
    align: 'right',
    cell: (row) => <Left validBefore={row.validBefore} />,
    sortValue: (row) => row.validBefore,
  },
]

function Left({ validBefore }: { readonly validBefore: number }) {
  const now = useNow()
  return validBefore <= now ? <span className="text-faint">expired</span> : coarse(validBefore - now)
}
