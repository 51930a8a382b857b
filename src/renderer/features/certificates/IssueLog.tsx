import { useCallback, useMemo, useState } from 'react'
import { CertificatePurpose, type IssuedCertificate } from '../../../shared/model/certificate.ts'
import type { CertificateId } from '../../../shared/model/ids.ts'
import { Button } from '../../components/Button.tsx'
import { ChoiceMark } from '../../components/ChoiceMark.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { coarse, formatCount, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { useNow } from '../../stores/clock.ts'
import { usePreference } from '../../stores/preferences.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../stores/route.ts'
import { CertificateMark, purposeWords } from './CertificateMark.tsx'
import { type LogFilter, standingOfCertificate } from './certificateFilter.ts'
import { spanWords } from './ExpiryCalendar.tsx'
import { readLogFilter, useIssueLog } from './logQueries.ts'
import { RevokeDialog, type Revoked } from './RevokeDialog.tsx'
import { trustCli } from './trustCommands.ts'

type Chosen = ReadonlyMap<CertificateId, IssuedCertificate>
const none: Chosen = new Map()
/** More would be no command a person types. */
const mostSerials = 12
const serialsOf = (chosen: Chosen): readonly string[] => [...chosen.values()].map(({ serial }) => serial)

/** Everything that was signed, newest first: for whom, on whose word, until when, and whether it still counts. */
export function IssueLog({ route }: { readonly route: Route }) {
  const filter = useMemo(() => readLogFilter(route.query), [route.query])
  const { rows, pending, outdated, error, more } = useIssueLog(filter)
  const stale = useStale()
  const now = useNow(10_000)
  const [chosen, setChosen] = useState<Chosen>(none)
  const [deciding, setDeciding] = useState(false)
  const [revoked, setRevoked] = useState<Revoked | null>(null)
  const toggle = useCallback((certificate: IssuedCertificate): void => {
    setChosen((before) => {
      const next = new Map(before)
      if (!next.delete(certificate.id)) next.set(certificate.id, certificate)
      return next
    })
  }, [])
  const columns = useColumns(chosen, toggle)
  const live = rows.filter((row) => standingOfCertificate(row, now) === 'live')
  const onEndInSight = more.has && error === null ? more.load : undefined
  if (pending && rows.length === 0 && error === null) return <p className="p-4 text-muted">Reading the issue log…</p>
  return (
    <div className={classNames('flex h-full flex-col', (stale || outdated) && 'stale')}>
      <FilterBar filter={filter} />
      <ChosenBar
        rows={rows.length}
        hasMore={more.has}
        chosen={chosen}
        live={live}
        disabled={stale}
        onChange={setChosen}
        onRevoke={() => setDeciding(true)}
      />
      {revoked !== null && <RevokedNote revoked={revoked} onClose={() => setRevoked(null)} />}
      {error !== null && (
        <div className="border-b p-2">
          <ErrorNote error={error} onRetry={more.load} />
        </div>
      )}
      <div className="min-h-0 flex-1">
        <DataTable
          label="Issue log"
          rows={rows}
          rowKey={(certificate) => certificate.id}
          columns={columns}
          onOpen={(certificate) => navigate(certificateHash(certificate.id, route))}
          onToggleSelected={toggle}
          isSelected={(certificate) => chosen.has(certificate.id)}
          empty={<Empty filter={filter} />}
          {...(onEndInSight === undefined ? {} : { onEndInSight })}
        />
      </div>
      {more.busy && (
        <p role="status" className="border-t px-4 py-1 text-12 text-muted">
          Reading older certificates…
        </p>
      )}
      {deciding && (
        <RevokeDialog
          targets={{ kind: 'certificates', ids: [...chosen.keys()] }}
          commandFor={chosen.size > mostSerials ? null : (reason) => trustCli.revoke(serialsOf(chosen), reason)}
          onClose={() => setDeciding(false)}
          onRevoked={(result) => {
            setDeciding(false)
            setChosen(none)
            setRevoked(result)
          }}
        />
      )}
    </div>
  )
}

/** Revoked here is not yet refused there: that is proven node by node. */
function RevokedNote({ revoked, onClose }: { readonly revoked: Revoked; readonly onClose: () => void }) {
  return (
    <section
      role="status"
      aria-label="Result of the revocation"
      className="flex shrink-0 items-center gap-3 border-b bg-raised px-4 py-1.5"
    >
      <p className="min-w-0 flex-1">
        {plural(revoked.revoked.length, 'certificate')} revoked.{' '}
        {revoked.runs > 0
          ? `Version ${revoked.krl.version} of the list is on its way in ${plural(revoked.runs, 'run')}.`
          : `Version ${revoked.krl.version} of the list is made; no run brings it to a node now.`}
      </p>
      <a className="text-accent hover:underline" href={formatHash({ view: 'certificates', query: { tab: 'krl' } })}>
        See which nodes refuse them
      </a>
      <Button size="small" variant="quiet" onClick={onClose}>
        Close
      </Button>
    </section>
  )
}

/** The drawer of one certificate over the log as it is filtered now. */
const certificateHash = (id: CertificateId, route: Route): string =>
  formatHash({ view: 'certificates', path: [id], query: { ...route.query, tab: 'issued' } })

function Empty({ filter }: { readonly filter: LogFilter }) {
  const { search, purposes, standing, node, ends } = filter
  if (search === '' && purposes.length === 0 && standing === 'all' && node === '' && ends === null)
    return (
      <EmptyState title="Nothing was signed yet">
        Every certificate an authority signs is listed here, with who asked and why.
      </EmptyState>
    )
  return (
    <div className="flex flex-col items-center gap-3 p-8 text-muted">
      No certificate matches this filter.
      <Button size="small" onClick={clearFilter}>
        Clear the filter
      </Button>
    </div>
  )
}

const clearFilter = (): void =>
  updateQuery({
    search: undefined,
    purpose: undefined,
    standing: undefined,
    node: undefined,
    from: undefined,
    before: undefined,
  })

const fieldClass = 'h-7 rounded-md border border-line-strong bg-ground px-2 text-13 text-text'

function FilterBar({ filter }: { readonly filter: LogFilter }) {
  const nodes = useReplica((state) => state.nodes)
  const utc = usePreference((state) => state.utc)
  const node = [...nodes.values()].find(({ id, name }) => id === filter.node || name === filter.node)
  return (
    <search aria-label="Filter the issue log" className="flex shrink-0 flex-wrap items-center gap-2 border-b px-4 py-2">
      <input
        type="search"
        aria-label="Search"
        placeholder="Key id, serial, node, who, why"
        className={classNames(fieldClass, 'w-64')}
        value={filter.search}
        maxLength={200}
        onChange={(event) => updateQuery({ search: event.target.value }, { replace: true })}
      />
      <select
        aria-label="Standing"
        className={fieldClass}
        value={filter.standing}
        onChange={(event) => updateQuery({ standing: event.target.value === 'all' ? undefined : event.target.value })}
      >
        <option value="all">live or not</option>
        <option value="live">live</option>
        <option value="expired">expired</option>
        <option value="revoked">revoked</option>
      </select>
      <select
        aria-label="Purpose"
        className={fieldClass}
        value={filter.purposes[0] ?? ''}
        onChange={(event) => updateQuery({ purpose: event.target.value })}
      >
        <option value="">for everything</option>
        {CertificatePurpose.options.map((purpose) => (
          <option key={purpose} value={purpose}>
            for {purposeWords[purpose]}
          </option>
        ))}
      </select>
      {filter.node !== '' && (
        <Chip onRemove={() => updateQuery({ node: undefined })}>of {node?.name ?? filter.node}</Chip>
      )}
      {filter.ends !== null && (
        <Chip onRemove={() => updateQuery({ from: undefined, before: undefined })}>
          ends {spanWords(filter.ends, utc)}
        </Chip>
      )}
      <span className="flex-1" />
      <div className="w-64">
        <CliEquivalent command={trustCli.issueLog(filter)} />
      </div>
    </search>
  )
}

function Chip({ onRemove, children }: { readonly onRemove: () => void; readonly children: React.ReactNode }) {
  return (
    <button
      type="button"
      onClick={onRemove}
      className="inline-flex h-7 items-center gap-2 rounded-md bg-selection px-2 text-text hover:brightness-110"
    >
      <span>{children}</span>
      <span aria-hidden>×</span>
      <span className="sr-only">remove this condition</span>
    </button>
  )
}

interface ChosenBarProps {
  readonly rows: number
  readonly hasMore: boolean
  readonly chosen: Chosen
  readonly live: readonly IssuedCertificate[]
  readonly disabled: boolean
  readonly onChange: (chosen: Chosen) => void
  readonly onRevoke: () => void
}

function ChosenBar({ rows, hasMore, chosen, live, disabled, onChange, onRevoke }: ChosenBarProps) {
  return (
    <div className="flex h-9 shrink-0 items-center gap-2 border-b px-4 text-muted">
      <span role="status">
        {chosen.size > 0
          ? `${plural(chosen.size, 'certificate')} chosen`
          : `${hasMore ? 'The newest ' : ''}${plural(rows, 'certificate')}, ${formatCount(live.length)} live`}
      </span>
      <span className="flex-1" />
      {chosen.size === 0 && <span className="text-12 text-faint">Space or Shift+click chooses, Enter opens</span>}
      {chosen.size > 0 && (
        <Button size="small" variant="quiet" onClick={() => onChange(none)}>
          Choose none
        </Button>
      )}
      <Button
        size="small"
        variant="quiet"
        disabled={live.length === 0}
        onClick={() => onChange(new Map(live.map((certificate) => [certificate.id, certificate])))}
      >
        Choose all live shown
      </Button>
      <Button size="small" disabled={disabled || chosen.size === 0} onClick={onRevoke}>
        Revoke{chosen.size > 0 ? ` (${formatCount(chosen.size)})` : ''}…
      </Button>
    </div>
  )
}

/** Newest first and no other order: only a part of the log is here, so another would sort that part alone. */
function useColumns(
  chosen: Chosen,
  toggle: (certificate: IssuedCertificate) => void,
): readonly Column<IssuedCertificate>[] {
  return useMemo(
    () => [
      {
        id: 'chosen',
        header: '',
        width: '36px',
        cell: (row) => <ChoiceMark chosen={chosen.has(row.id)} onToggle={() => toggle(row)} />,
      },
      { id: 'standing', header: 'Standing', width: '96px', cell: (row) => <StandingCell certificate={row} /> },
      {
        id: 'serial',
        header: 'Serial',
        width: '88px',
        align: 'right',
        cell: (row) => <code className="text-12">{row.serial}</code>,
      },
      {
        id: 'keyId',
        header: 'Key id',
        width: 'minmax(150px, 1.5fr)',
        cell: (row) => <span title={row.keyId}>{row.keyId}</span>,
      },
      { id: 'purpose', header: 'For', width: '98px', cell: (row) => purposeWords[row.purpose] },
      {
        id: 'principals',
        header: 'Principals',
        width: 'minmax(96px, 0.9fr)',
        cell: (row) => <span title={row.principals.join(', ')}>{row.principals.join(', ')}</span>,
      },
      {
        id: 'node',
        header: 'Node',
        width: 'minmax(100px, 1fr)',
        cell: (row) => row.nodeName ?? <span className="text-faint">none</span>,
      },
      { id: 'who', header: 'Asked by', width: 'minmax(84px, 0.7fr)', cell: (row) => row.requestedBy },
      {
        id: 'why',
        header: 'Why',
        width: 'minmax(100px, 1.4fr)',
        cell: (row) => (
          <span className="text-muted" title={row.revocation?.reason ?? row.reason}>
            {row.revocation === null ? row.reason : `revoked: ${row.revocation.reason}`}
          </span>
        ),
      },
      {
        id: 'issued',
        header: 'Issued',
        width: '100px',
        align: 'right',
        cell: (row) => <Time at={row.issuedAt} className="text-muted" />,
      },
      {
        id: 'left',
        header: 'Left',
        width: '76px',
        align: 'right',
        cell: (row) => <Left certificate={row} />,
      },
    ],
    [chosen, toggle],
  )
}

function StandingCell({ certificate }: { readonly certificate: IssuedCertificate }) {
  return <CertificateMark certificate={certificate} nowMs={useNow(10_000)} />
}

function Left({ certificate }: { readonly certificate: IssuedCertificate }) {
  const now = useNow()
  if (standingOfCertificate(certificate, now) !== 'live') return <span className="text-faint">none</span>
  return coarse(certificate.validBefore - now)
}
