import { useCallback, useMemo, useState } from 'react'
import { computeTile } from '../../../core/fleet/health.ts'
import type { ErrorBody } from '../../../shared/errors.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../api/randomKey.ts'
import { Button } from '../../components/Button.tsx'
import { ChoiceMark } from '../../components/ChoiceMark.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, formatDuration, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { engineNowMs, useNow } from '../../stores/clock.ts'
import { isRenewed, type RenewOperation, startRenew } from '../../stores/operations.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { cli } from '../fleet/cliCommands.ts'
import { type CertificateStanding, standingOf } from './expiry.ts'
import { trustCli } from './trustCommands.ts'

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
  const [operation, setOperation] = useState<RenewOperation | null>(null)
  const [retryError, setRetryError] = useState<ErrorBody | null>(null)
  const link = useLink()
  const stale = useStale()
  const rows = useMemo(() => [...nodes.values()].filter((node) => node.transport === 'push'), [nodes])
  // A static key has nothing to renew; its node stays in the list, marked.
  const chosen = rows.filter((node) => selected.has(node.id) && node.login.kind === 'certificate')
  const toggle = useCallback(
    (node: FleetNode): void =>
      setSelected((before) => {
        const next = new Set(before)
        if (!next.delete(node.id)) next.add(node.id)
        return next
      }),
    [],
  )
  const columns = useColumns(selected, toggle)
  const onRenewed = (renewed: RenewOperation): void => {
    setDeciding(false)
    setOperation(renewed)
    const outcomes = renewed.outcomes ?? new Map()
    setSelected(new Set(renewed.nodeIds.filter((id) => outcomes.get(id)?.accepted !== true)))
  }
  const retry = async (nodeIds: readonly NodeId[]): Promise<void> => {
    if (operation === null) return
    const again = await startRenew(link, { nodeIds, key: operation.key })
    if (again.error === null) onRenewed(again)
    else setRetryError(again.error)
  }
  const chooseUrgent = (): void => {
    const nowMs = engineNowMs()
    setSelected(
      new Set(
        rows
          .filter((node) => !['ok', 'none', 'static-key'].includes(computeTile(node, nowMs).certificate.level))
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
    <div className={classNames('flex h-full flex-col', stale && 'stale')}>
      <div className="flex h-10 shrink-0 items-center gap-2 border-b px-4">
        <Button
          size="small"
          variant="quiet"
          onClick={() =>
            setSelected(new Set(rows.filter(({ login }) => login.kind === 'certificate').map(({ id }) => id)))
          }
        >
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
        <Button size="small" disabled={stale || chosen.length === 0} onClick={() => setDeciding(true)}>
          Renew{chosen.length > 0 ? ` (${formatCount(chosen.length)})` : ''}…
        </Button>
      </div>
      {operation !== null && (
        <RenewOutcome operation={operation} onRetry={(ids) => void retry(ids)} onClose={() => setOperation(null)} />
      )}
      {retryError !== null && (
        <div className="border-b p-2">
          <ErrorNote error={retryError} />
        </div>
      )}
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

function useColumns(selected: ReadonlySet<NodeId>, toggle: (node: FleetNode) => void): readonly Column<FleetNode>[] {
  return useMemo(
    () => [
      {
        id: 'chosen',
        header: '',
        width: '40px',
        cell: (node) => <ChoiceMark chosen={selected.has(node.id)} onToggle={() => toggle(node)} />,
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
    [selected, toggle],
  )
}

const levelClass = {
  none: 'bg-line-strong',
  'static-key': 'bg-pending',
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
          level === 'critical' || level === 'expired'
            ? 'text-error'
            : level === 'soon' || level === 'static-key'
              ? 'text-pending'
              : 'text-text',
        )}
      >
        {level === 'none'
          ? 'none'
          : level === 'expired'
            ? 'expired'
            : level === 'static-key'
              ? 'static key'
              : formatDuration(Math.floor(remainingMs / 1000) * 1000)}
      </span>
    </span>
  )
}

function Standing({ node }: { readonly node: FleetNode }) {
  const now = useNow(10_000)
  if (node.login.kind === 'static-key') return <span className="text-pending">not used</span>
  const standing = standingOf(node, now)
  return (
    <span className={standing === 'issued' ? 'text-pending' : standing === 'expired' ? 'text-error' : 'text-muted'}>
      {standingWords[standing]}
    </span>
  )
}

/** What came of it: done is only what a node has accepted; the others by name, with why. */
function RenewOutcome({
  operation,
  onRetry,
  onClose,
}: {
  readonly operation: RenewOperation
  readonly onRetry: (nodeIds: readonly NodeId[]) => void
  readonly onClose: () => void
}) {
  const nodes = useReplica((state) => state.nodes)
  const open = operation.nodeIds.filter((id) => !isRenewed(operation, id, nodes.get(id)?.certificate ?? null))
  return (
    <section
      role="status"
      aria-label="Result of the renewal"
      className={classNames('flex shrink-0 items-start gap-3 border-b px-4 py-2', open.length > 0 && 'border-pending')}
    >
      <div className="min-w-0 flex-1">
        <p>
          {formatCount(operation.nodeIds.length - open.length)} of {plural(operation.nodeIds.length, 'new certificate')}{' '}
          accepted.
        </p>
        {open.length > 0 && (
          <ul aria-label="Not accepted" className="max-h-28 overflow-auto text-pending">
            {open.slice(0, namedFailures).map((id) => (
              <li key={id}>{failureWords(operation, nodes.get(id), id)}</li>
            ))}
            {open.length > namedFailures && (
              <li>and {formatCount(open.length - namedFailures)} more, below by “State”</li>
            )}
          </ul>
        )}
      </div>
      {open.length > 0 && (
        <Button size="small" onClick={() => onRetry(open)}>
          Try the {plural(open.length, 'other')} again
        </Button>
      )}
      <Button size="small" variant="quiet" onClick={onClose}>
        Close
      </Button>
    </section>
  )
}

const namedFailures = 200

function failureWords(operation: RenewOperation, node: FleetNode | undefined, id: NodeId): string {
  const name = node?.name ?? id
  const outcome = operation.outcomes?.get(id)
  const why = node === undefined ? undefined : computeTile(node, engineNowMs()).diagnosis?.short
  if (outcome === undefined) return `${name} got no new certificate${why === undefined ? '' : `: ${why}`}`
  return `${name} has not accepted serial ${outcome.serial}: ${why ?? 'no login succeeded with it'}`
}

interface RenewDialogProps {
  readonly chosen: readonly FleetNode[]
  readonly total: number
  readonly onClose: () => void
  readonly onRenewed: (operation: RenewOperation) => void
}

const mostNames = 12

function RenewDialog({ chosen, total, onClose, onRenewed }: RenewDialogProps) {
  const link = useLink()
  // Made once for this question: pressing again after an error leaves alone what was accepted.
  const [key] = useState(newIdempotencyKey)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ErrorBody | null>(null)
  const confirm = async (): Promise<void> => {
    setBusy(true)
    const operation = await startRenew(link, { nodeIds: chosen.map((node) => node.id), key })
    setBusy(false)
    setError(operation.error)
    if (operation.error === null) onRenewed(operation)
  }
  const away = chosen.filter((node) => node.reachability.status === 'unreachable').length
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Renew the certificates of ${plural(chosen.length, 'node')}?`}
      blastRadius={
        <>
          <p>
            {formatCount(chosen.length)} of {plural(total, 'node')}
          </p>
          {away > 0 && (
            <p className="text-pending">{plural(away, 'does', 'do')} not answer now: issued there is not accepted.</p>
          )}
        </>
      }
      effect="Signs a new certificate over a new key for each, then logs in with it. It counts as renewed only where the node took it."
      undo="None needed: the old certificates stay valid until they run out."
      confirmLabel={`Renew ${plural(chosen.length, 'certificate')}`}
      busy={busy}
      error={error}
      onConfirm={() => void confirm()}
    >
      {chosen.length === total ? (
        <CliEquivalent command={trustCli.renewAll} />
      ) : (
        chosen.length <= mostNames && <CliEquivalent command={cli.renew(chosen.map((node) => node.name))} />
      )}
    </DecisionDialog>
  )
}
