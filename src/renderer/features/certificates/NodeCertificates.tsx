import { useMutation } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { computeTile } from '../../../core/fleet/health.ts'
import type { EngineClient } from '../../../shared/contract/index.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { formatCount, formatDuration, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { engineNowMs, useNow } from '../../stores/clock.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { type CertificateStanding, standingOf } from './expiry.ts'

const standingWords: Readonly<Record<CertificateStanding, string>> = {
  none: 'never issued',
  issued: 'issued, not accepted yet',
  accepted: 'accepted',
  expired: 'expired',
}

/** The certificate each node accepted last, and renewing those that are chosen. */
export function NodeCertificates() {
  const nodes = useReplica((state) => state.nodes)
  const [selected, setSelected] = useState<ReadonlySet<NodeId>>(new Set())
  const [deciding, setDeciding] = useState(false)
  const [results, setResults] = useState<RenewResults | null>(null)
  const rows = useMemo(() => [...nodes.values()], [nodes])
  const columns = useColumns(selected)
  const chosen = rows.filter((node) => selected.has(node.id))
  const toggle = (node: FleetNode): void =>
    setSelected((before) => {
      const next = new Set(before)
      if (!next.delete(node.id)) next.add(node.id)
      return next
    })
  const onRenewed = (renewed: RenewResults): void => {
    setDeciding(false)
    setResults(renewed)
    setSelected(new Set(renewed.filter((result) => !result.accepted).map((result) => result.node.id)))
  }
  const chooseUrgent = (): void => {
    const nowMs = engineNowMs()
    setSelected(
      new Set(
        rows
          .filter((node) => !['ok', 'none'].includes(computeTile(node, nowMs).certificate.level))
          .map((node) => node.id),
      ),
    )
  }
  if (rows.length === 0)
    return (
      <EmptyState title="No nodes yet">
        Each node gets a short-lived certificate of its own with its first login. Add a node on the map.
      </EmptyState>
    )
  return (
    <div className="flex h-full flex-col">
      <div className="flex h-10 shrink-0 items-center gap-2 border-b px-4">
        <Button size="small" variant="quiet" onClick={() => setSelected(new Set(rows.map((node) => node.id)))}>
          Choose all
        </Button>
        <Button size="small" variant="quiet" onClick={chooseUrgent}>
          Choose those under one hour
        </Button>
        {selected.size > 0 && (
          <Button size="small" variant="quiet" onClick={() => setSelected(new Set())}>
            Choose none
          </Button>
        )}
        <span className="flex-1" />
        <span className="text-muted">
          {selected.size > 0 && `${formatCount(chosen.length)} of ${plural(rows.length, 'node')} chosen`}
        </span>
        <Button size="small" disabled={chosen.length === 0} onClick={() => setDeciding(true)}>
          Renew{chosen.length > 0 ? ` (${formatCount(chosen.length)})` : ''}…
        </Button>
      </div>
      {results !== null && <RenewOutcome results={results} onClose={() => setResults(null)} />}
      <div className="min-h-0 flex-1">
        <DataTable
          label="Certificates by node"
          rows={rows}
          rowKey={(node) => node.id}
          columns={columns}
          defaultSort={{ columnId: 'left', direction: 'ascending' }}
          onOpen={toggle}
          onToggleSelected={toggle}
          isSelected={(node) => selected.has(node.id)}
        />
      </div>
      {deciding && (
        <RenewDialog chosen={chosen} total={rows.length} onClose={() => setDeciding(false)} onRenewed={onRenewed} />
      )}
    </div>
  )
}

function useColumns(selected: ReadonlySet<NodeId>): readonly Column<FleetNode>[] {
  return useMemo(
    () => [
      {
        id: 'chosen',
        header: '',
        width: '40px',
        cell: (node) => (
          <span
            aria-hidden
            className={classNames(
              'block size-3.5 rounded-sm border',
              selected.has(node.id) ? 'border-accent bg-accent' : 'border-line-strong',
            )}
          />
        ),
      },
      {
        id: 'node',
        header: 'Node',
        width: 'minmax(140px, 1.4fr)',
        cell: (node) => node.name,
        sortValue: (node) => node.name,
      },
      {
        id: 'left',
        header: 'Time left',
        width: 'minmax(170px, 1fr)',
        cell: (node) => <TimeLeft node={node} />,
        sortValue: (node) => node.certificate?.validBefore ?? null,
      },
      { id: 'standing', header: 'State', width: 'minmax(170px, 1.2fr)', cell: (node) => <Standing node={node} /> },
      {
        id: 'serial',
        header: 'Serial',
        width: '110px',
        align: 'right',
        cell: (node) => <code className="text-12">{node.certificate?.serial ?? ''}</code>,
        sortValue: (node) => (node.certificate === null ? null : Number(node.certificate.serial)),
      },
      {
        id: 'login',
        header: 'Logs in as',
        width: 'minmax(140px, 1fr)',
        cell: (node) => (
          <span className="text-muted">
            {node.principal === node.user ? node.user : `${node.principal} as ${node.user}`}
          </span>
        ),
        sortValue: (node) => node.principal,
      },
      {
        id: 'accepted',
        header: 'Last accepted',
        width: '130px',
        align: 'right',
        cell: (node) => <Time at={node.certificate?.acceptedAt ?? null} className="text-muted" />,
        sortValue: (node) => node.certificate?.acceptedAt ?? null,
      },
    ],
    [selected],
  )
}

const levelClass = {
  none: 'bg-line-strong',
  ok: 'bg-accent',
  soon: 'bg-pending',
  critical: 'bg-error',
  expired: 'bg-error',
} as const

function TimeLeft({ node }: { readonly node: FleetNode }) {
  const isLastHour = node.certificate !== null && node.certificate.validBefore - engineNowMs() < 3_600_000
  const now = useNow(isLastHour ? 1000 : 30_000)
  const { level, shareLeft, remainingMs } = computeTile(node, now).certificate
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-1 w-16 overflow-hidden rounded-full bg-line">
        <span className={classNames('block h-full', levelClass[level])} style={{ width: `${shareLeft * 100}%` }} />
      </span>
      <span
        className={classNames(
          level === 'critical' || level === 'expired' ? 'text-error' : level === 'soon' ? 'text-pending' : 'text-text',
        )}
      >
        {level === 'none'
          ? 'none'
          : level === 'expired'
            ? 'expired'
            : formatDuration(Math.floor(remainingMs / 1000) * 1000)}
      </span>
    </span>
  )
}

function Standing({ node }: { readonly node: FleetNode }) {
  const now = useNow(10_000)
  const standing = standingOf(node, now)
  return (
    <span className={standing === 'issued' ? 'text-pending' : standing === 'expired' ? 'text-error' : 'text-muted'}>
      {standingWords[standing]}
    </span>
  )
}

type RenewResults = Awaited<ReturnType<EngineClient['certificates']['renew']>>

/** What came of it: done is only what a node has accepted. */
function RenewOutcome({ results, onClose }: { readonly results: RenewResults; readonly onClose: () => void }) {
  const refused = results.filter((result) => !result.accepted)
  return (
    <section
      role="status"
      aria-label="Result of the renewal"
      className={classNames(
        'flex shrink-0 items-start gap-3 border-b px-4 py-2',
        refused.length > 0 && 'border-pending',
      )}
    >
      <div className="min-w-0 flex-1">
        <p>
          {formatCount(results.length - refused.length)} of {plural(results.length, 'new certificate')} accepted.
        </p>
        {refused.length > 0 && (
          <ul aria-label="Issued, but not accepted" className="max-h-28 overflow-auto text-pending">
            {refused.map(({ node, serial }) => (
              <li key={node.id}>
                {node.name} has not accepted serial {serial}:{' '}
                {computeTile(node, engineNowMs()).diagnosis?.short ?? 'no login succeeded with it'}
              </li>
            ))}
          </ul>
        )}
      </div>
      <Button size="small" variant="quiet" onClick={onClose}>
        Close
      </Button>
    </section>
  )
}

interface RenewDialogProps {
  readonly chosen: readonly FleetNode[]
  readonly total: number
  readonly onClose: () => void
  readonly onRenewed: (results: RenewResults) => void
}

function RenewDialog({ chosen, total, onClose, onRenewed }: RenewDialogProps) {
  const { client } = useLink()
  const renew = useMutation({
    mutationFn: () => client.certificates.renew({ targets: { kind: 'nodes', nodes: chosen.map((node) => node.id) } }),
    onSuccess: onRenewed,
  })
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Renew the certificates of ${plural(chosen.length, 'node')}?`}
      blastRadius={`${formatCount(chosen.length)} of ${plural(total, 'node')}`}
      effect="Signs a new certificate over a new key for each, then logs in with it. It counts as renewed only where the node took it."
      undo="None needed: the old certificates stay valid until they run out."
      confirmLabel={`Renew ${plural(chosen.length, 'certificate')}`}
      busy={renew.isPending}
      error={renew.error === null ? null : toErrorBody(renew.error)}
      onConfirm={() => renew.mutate()}
    >
      <CliEquivalent command={`lockstep certificates renew ${chosen.map((node) => shellQuote(node.name)).join(' ')}`} />
    </DecisionDialog>
  )
}
