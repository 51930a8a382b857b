import { ScanSearch } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { AllowedFinding, Finding, Repository, ScanReport } from '../../../../shared/model/repository.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { useAllowed, useFindings } from '../repositoryQueries.ts'
import { AllowDialog } from './AllowDialog.tsx'
import { FindingDrawer } from './FindingDrawer.tsx'
import { ScanFacts } from './ScanFacts.tsx'

/** What the newest scan found, and what a person has taken the blame for. Never a value. */
export function Findings({ repository }: { readonly repository: Repository }) {
  const { client } = useLink()
  const stale = useStale()
  const report = useFindings(repository)
  const allowed = useAllowed(repository)
  const scan = useCall<ScanReport>()
  const [opened, setOpened] = useState<string | null>(null)
  const [allowing, setAllowing] = useState<Finding | null>(null)
  const scanNow = (): void => void scan.run(() => client.repositories.scan({ repository: repository.id, commit: null }))
  const rows = useRows(report.data ?? null, allowed.data ?? [])
  const columns = useColumns(stale, setAllowing)
  const button = (
    <Button
      size="small"
      busy={scan.busy}
      disabled={stale || repository.state.fetchedAt === null}
      icon={<ScanSearch aria-hidden className="size-3.5" />}
      onClick={scanNow}
    >
      Scan now
    </Button>
  )
  const failed = scan.error ?? (report.error === null ? null : toErrorBody(report.error))
  if (report.data === undefined && failed === null) return null
  const row = rows.find(({ finding }) => finding.hash === opened)
  return (
    <div className="flex h-full min-h-0">
      <div className="flex min-w-0 flex-1 flex-col">
        {failed !== null && (
          <div className="shrink-0 p-4">
            <ErrorNote error={failed} onRetry={scan.error === null ? () => void report.refetch() : scanNow} />
          </div>
        )}
        {report.data === null && (
          <EmptyState title="Never scanned" actions={button}>
            Every commit is searched for secrets before it is sent; nothing was sent yet.
            {repository.state.fetchedAt === null && ' Fetch the repository first.'}
          </EmptyState>
        )}
        {report.data != null && (
          <div className="min-h-0 flex-1">
            <DataTable
              label="Findings"
              rows={rows}
              rowKey={({ finding }) => finding.hash}
              columns={columns}
              defaultSort={{ columnId: 'standing', direction: 'ascending' }}
              onOpen={({ finding }) => setOpened(finding.hash)}
              isSelected={({ finding }) => finding.hash === opened}
              empty={<Nothing report={report.data} />}
            />
          </div>
        )}
        {report.data != null && report.data.findingsTotal > report.data.findings.length && (
          <p className="shrink-0 border-t px-4 py-1.5 text-pending">
            The first {formatCount(report.data.findings.length)} of {formatCount(report.data.findingsTotal)}. Allow or
            remove these, and scan again to see the rest.
          </p>
        )}
      </div>
      {report.data != null && (
        <aside aria-label="The scan" className="w-[320px] shrink-0 overflow-auto border-l bg-surface p-4">
          <ScanFacts repository={repository} report={report.data} allowed={allowed.data ?? []} action={button} />
        </aside>
      )}
      {row !== undefined && (
        <FindingDrawer
          repository={repository}
          finding={row.finding}
          entry={row.entry}
          commit={report.data?.commit ?? null}
          onClose={() => setOpened(null)}
          onAllow={() => setAllowing(row.finding)}
        />
      )}
      {allowing !== null && (
        <AllowDialog repository={repository} finding={allowing} onClose={() => setAllowing(null)} />
      )}
    </div>
  )
}

interface Row {
  readonly finding: Finding
  /** In force or not any more. */
  readonly entry: AllowedFinding | null
}

function useRows(report: ScanReport | null, allowed: readonly AllowedFinding[]): readonly Row[] {
  return useMemo(() => {
    const byHash = new Map(allowed.map((entry) => [entry.hash, entry]))
    return (report?.findings ?? []).map((finding) => ({ finding, entry: byHash.get(finding.hash) ?? null }))
  }, [report, allowed])
}

function Nothing({ report }: { readonly report: ScanReport }) {
  if (report.status === 'failed')
    return (
      <EmptyState title="The scan failed">
        {report.diagnosis?.sentence ?? 'Nothing is known of this commit.'} Nothing is sent until a scan succeeds.
      </EmptyState>
    )
  if (report.status === 'off')
    return (
      <EmptyState title="Not scanned">
        The settings of this repository switch the scan off: commits are sent without a look for secrets.
      </EmptyState>
    )
  return (
    <EmptyState title="Nothing found">
      {formatCount(report.filesScanned)} files were searched, and nothing in them looks like a secret.
    </EmptyState>
  )
}

function useColumns(stale: boolean, onAllow: (finding: Finding) => void): readonly Column<Row>[] {
  return useMemo(
    () => [
      {
        id: 'standing',
        header: 'Standing',
        width: 'minmax(206px, 1fr)',
        cell: (row) => <StandingWords row={row} />,
        sortValue: ({ finding: { allowed, file, line } }) =>
          `${allowed ? 1 : 0} ${file} ${String(line).padStart(9, '0')}`,
      },
      {
        id: 'rule',
        header: 'Rule',
        width: 'minmax(132px, 0.7fr)',
        cell: ({ finding }) => <code className="text-12">{finding.rule}</code>,
        sortValue: ({ finding }) => finding.rule,
      },
      {
        id: 'file',
        header: 'File and line',
        width: 'minmax(180px, 1.6fr)',
        cell: ({ finding: { file, line } }) => (
          <code className="text-12" title={`${file}:${line}`}>
            {file}
            <span className="text-muted">:{line}</span>
          </code>
        ),
        sortValue: ({ finding }) => finding.file,
      },
      {
        id: 'message',
        header: 'What it looks like',
        width: 'minmax(150px, 1.4fr)',
        cell: ({ finding }) => <span className="text-muted">{finding.message}</span>,
        sortValue: ({ finding }) => finding.message,
      },
      {
        id: 'action',
        header: '',
        width: '88px',
        align: 'right',
        cell: ({ finding }) =>
          !finding.allowed && (
            <Button
              size="small"
              disabled={stale}
              onClick={(event) => {
                event.stopPropagation()
                onAllow(finding)
              }}
              onKeyDown={(event) => event.stopPropagation()}
            >
              Allow…
            </Button>
          ),
      },
    ],
    [stale, onAllow],
  )
}

function StandingWords({ row: { finding, entry } }: { readonly row: Row }) {
  if (!finding.allowed)
    return (
      <span className="text-halted">
        open{entry !== null && <span className="text-muted">, was allowed until it expired</span>}
      </span>
    )
  if (entry === null) return <span className="text-muted">allowed</span>
  return (
    <span className="text-muted">
      by {entry.owner},{' '}
      {entry.expiresAt === null ? (
        'for good'
      ) : (
        <>
          ends <Time at={entry.expiresAt} />
        </>
      )}
    </span>
  )
}
