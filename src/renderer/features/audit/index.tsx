import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { ShieldCheck, TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import type { AuditEntry, AuditVerification } from '../../../shared/model/audit.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { Drawer } from '../../components/Drawer.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'

const pageSize = 200

/** Who did what, in a chain that shows when a row was changed or taken out afterwards. */
export function View() {
  const { client } = useLink()
  const stale = useStale()
  const list = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ pageParam }) =>
      client.audit.list({ limit: pageSize, ...(pageParam === null ? {} : { beforeSeq: pageParam }) }),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => (page.length < pageSize ? undefined : page.at(-1)?.seq),
    refetchInterval: 15_000,
  })
  const [open, setOpen] = useState<AuditEntry | null>(null)
  const columns = useColumns()
  const verify = useMutation({ mutationFn: () => client.audit.verify() })
  const rows = list.data?.pages.flat() ?? []
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Audit"
        summary={
          verify.data === undefined ? (
            'Each row carries the hash of the row before it.'
          ) : (
            <Verdict result={verify.data} />
          )
        }
        actions={
          <Button
            icon={<ShieldCheck aria-hidden className="size-4" />}
            busy={verify.isPending}
            onClick={() => verify.mutate()}
          >
            Verify the chain
          </Button>
        }
      />
      {verify.error !== null && (
        <div className="p-2">
          <ErrorNote error={toErrorBody(verify.error)} onRetry={() => verify.mutate()} />
        </div>
      )}
      {list.error !== null && (
        <div className="p-2">
          <ErrorNote error={toErrorBody(list.error)} onRetry={() => void list.refetch()} />
        </div>
      )}
      <div className={classNames('min-h-0 flex-1', (stale || list.error !== null) && 'stale')}>
        {list.isSuccess && (
          <DataTable
            onOpen={setOpen}
            label="Audit log"
            rows={rows}
            rowKey={(row) => String(row.seq)}
            columns={columns}
            empty={<NoEntries />}
          />
        )}
      </div>
      {open !== null && <EntryDrawer entry={open} onClose={() => setOpen(null)} />}
      <footer className="flex h-10 shrink-0 items-center gap-3 border-t px-4">
        <span className="text-12 text-faint">{plural(rows.length, 'row')} shown</span>
        {list.hasNextPage && (
          <Button size="small" variant="quiet" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Load older rows
          </Button>
        )}
        <span className="flex-1" />
        <div className="w-72">
          <CliEquivalent command="lockstep audit verify" />
        </div>
      </footer>
    </div>
  )
}

function NoEntries() {
  return (
    <EmptyState title="Nothing to account for yet">
      Signed certificates, pushes, changed nodes and plans, lifted safety stops and terminals are written down here.
    </EmptyState>
  )
}

function Verdict({ result }: { readonly result: AuditVerification }) {
  if (!result.intact) {
    return (
      <span role="status" className="flex items-center gap-2 text-error">
        <TriangleAlert aria-hidden className="size-4" />
        Broken at row {formatCount(result.firstBrokenSeq ?? 0)}: it, or a row before it, was changed after it was
        written. Keep a copy of this data directory before doing anything else.
      </span>
    )
  }
  return (
    <span role="status" className="flex min-w-0 items-center gap-2 text-text">
      <ShieldCheck aria-hidden className="size-4 shrink-0 text-in-step" />
      Intact: {plural(result.entries, 'row')}.
      <code className="truncate text-12 text-faint" title={result.headHash}>
        head {result.headHash.slice(0, 16)}
      </code>
    </span>
  )
}

/** Ids of nodes are shown as names where the node is still known. */
function useSubject(): (subject: string) => string {
  const nodes = useReplica((state) => state.nodes)
  return (subject) => nodes.get(subject as NodeId)?.name ?? subject
}

function useColumns(): readonly Column<AuditEntry>[] {
  const subjectOf = useSubject()
  return [
    {
      id: 'seq',
      header: 'Row',
      width: '80px',
      align: 'right',
      cell: (row) => formatCount(row.seq),
      sortValue: (row) => row.seq,
    },
    {
      id: 'at',
      header: 'When',
      width: '240px',
      cell: (row) => <Time at={row.at} absolute />,
      sortValue: (row) => row.at,
    },
    {
      id: 'actor',
      header: 'Who',
      width: 'minmax(100px, 0.8fr)',
      cell: (row) => row.actor,
      sortValue: (row) => row.actor,
    },
    {
      id: 'action',
      header: 'What',
      width: 'minmax(130px, 1fr)',
      cell: (row) => row.action,
      sortValue: (row) => row.action,
    },
    {
      id: 'subject',
      header: 'On',
      width: 'minmax(130px, 1.2fr)',
      cell: (row) => subjectOf(row.subject),
      sortValue: (row) => subjectOf(row.subject),
    },
    { id: 'detail', header: 'Detail', width: 'minmax(140px, 2fr)', cell: (row) => <Detail detail={row.detail} /> },
    {
      id: 'hash',
      header: 'Hash',
      width: '110px',
      cell: (row) => (
        <code className="text-12 text-faint" title={row.hash}>
          {row.hash.slice(0, 10)}
        </code>
      ),
    },
  ]
}

/** One row in full: everything its hash covers. */
function EntryDrawer({ entry, onClose }: { readonly entry: AuditEntry; readonly onClose: () => void }) {
  const subjectOf = useSubject()
  const name = subjectOf(entry.subject)
  return (
    <Drawer
      label={`Row ${entry.seq}`}
      paneName="audit-drawer"
      onClose={onClose}
      header={
        <>
          <h2 className="text-15 font-semibold">
            {entry.action} on {name}
          </h2>
          <p className="text-muted">
            row {formatCount(entry.seq)}, {entry.actor}, <Time at={entry.at} />
          </p>
        </>
      }
    >
      <dl className="flex flex-col gap-3 p-4">
        {name !== entry.subject && <EntryFact name="Subject" value={entry.subject} />}
        {Object.entries(entry.detail).map(([key, value]) => (
          <EntryFact key={key} name={key} value={typeof value === 'string' ? value : JSON.stringify(value, null, 2)} />
        ))}
        <EntryFact name="Hash of the row before" value={entry.previousHash} />
        <EntryFact name="Hash of this row" value={entry.hash} />
      </dl>
    </Drawer>
  )
}

function EntryFact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt className="text-12 text-faint">{name}</dt>
      <dd>
        <code className="text-12 break-all whitespace-pre-wrap">{value}</code>
      </dd>
    </div>
  )
}

function Detail({ detail }: { readonly detail: AuditEntry['detail'] }) {
  const text = Object.entries(detail)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
  return (
    <span className="text-muted" title={text}>
      {text}
    </span>
  )
}
