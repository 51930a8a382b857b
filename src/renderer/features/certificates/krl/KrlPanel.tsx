import { useMutation } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useMemo, useState } from 'react'
import { computeTile } from '../../../../core/fleet/health.ts'
import type { KrlStatus } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { LongText } from '../../../components/Facts.tsx'
import { formatBytes, formatCount, plural } from '../../../components/format.ts'
import { FillMark } from '../../../components/StatusMark.tsx'
import { saveBlob } from '../../../components/saveBlob.ts'
import { Time } from '../../../components/Time.tsx'
import { engineNowMs } from '../../../stores/clock.ts'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { navigate, nodeHash } from '../../../stores/route.ts'
import { trustCli } from '../trustCommands.ts'
import { useKrl } from '../trustQueries.ts'
import { CreateKrlPlan } from './CreateKrlPlan.tsx'
import { countStandings, type KrlCoverage, type KrlStanding, krlCoverage, krlStandings } from './coverage.ts'
import { DeliverKrl, Delivery } from './DeliverKrl.tsx'
import { krlCountWords, krlMarks, krlWords } from './krlWords.ts'

/** The revocation list as it is now, and every node that obeys it, is behind, or gets none. */
export function KrlPanel() {
  const { krl, error, retry } = useKrl()
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const stale = useStale()
  const rows = useMemo(() => krlCoverage(nodes.values(), plans, krl?.version ?? 0), [nodes, plans, krl])
  const hasPlan = [...plans.values()].some((plan) => plan.kind === 'krl')
  if (krl === undefined) {
    return (
      <div className="p-4">
        {error === null ? (
          <p className="text-muted">Asking for the list…</p>
        ) : (
          <ErrorNote error={toErrorBody(error)} onRetry={retry} />
        )}
      </div>
    )
  }
  return (
    <div className={classNames('flex h-full flex-col', stale && 'stale')}>
      <ListFacts krl={krl} />
      {hasPlan ? <Coverage rows={rows} krl={krl} /> : <CreateKrlPlan krl={krl} />}
    </div>
  )
}

function ListFacts({ krl }: { readonly krl: KrlStatus }) {
  const { client } = useLink()
  const save = useMutation({
    mutationFn: () => client.certificates.krlFile(),
    onSuccess: ({ base64 }) =>
      saveBlob(new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))]), 'lockstep.krl'),
  })
  return (
    <section
      aria-label="Revocation list"
      className="flex shrink-0 flex-wrap items-center gap-x-6 gap-y-2 border-b px-4 py-3"
    >
      <p>
        <strong className="text-15 font-semibold">Version {krl.version}</strong>
        <span className="text-muted">
          , {plural(krl.revokedCertificates, 'revoked certificate')}, {formatBytes(krl.sizeBytes)}, changed{' '}
          <Time at={krl.updatedAt} />
        </span>
      </p>
      <span className="flex max-w-72 min-w-0 items-center gap-2 text-muted">
        digest <LongText text={krl.digest} what="digest" />
      </span>
      <span className="flex-1" />
      <div className="w-52">
        <CliEquivalent command={trustCli.krl} />
      </div>
      <Button
        size="small"
        busy={save.isPending}
        icon={<Download aria-hidden className="size-3.5" />}
        onClick={() => save.mutate()}
      >
        Save the list
      </Button>
      {save.error !== null && <ErrorNote error={toErrorBody(save.error)} />}
    </section>
  )
}

function Coverage({ rows, krl }: { readonly rows: readonly KrlCoverage[]; readonly krl: KrlStatus }) {
  const stale = useStale()
  const [only, setOnly] = useState<KrlStanding | null>(null)
  const [deciding, setDeciding] = useState(false)
  const [batchId, setBatchId] = useState<string | null>(null)
  const counts = countStandings(rows)
  const shown = only === null ? rows : rows.filter((row) => row.standing === only)
  const late = rows.filter((row) => row.standing === 'behind' || row.standing === 'unproven')
  return (
    <>
      <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-1 border-b px-4 py-1">
        <span className="mr-2">
          Obeyed by <strong className="font-semibold">{formatCount(counts.current)}</strong> of{' '}
          {plural(rows.length, 'node')}
        </span>
        {krlStandings.map((standing) => (
          <StandingCount
            key={standing}
            standing={standing}
            count={counts[standing]}
            active={only === standing}
            onPress={() => setOnly(only === standing ? null : standing)}
          />
        ))}
        <span className="flex-1" />
        <Button size="small" disabled={stale || late.length === 0} onClick={() => setDeciding(true)}>
          Deliver now{late.length > 0 ? ` (${formatCount(late.length)})` : ''}…
        </Button>
      </div>
      {batchId !== null && <Delivery batchId={batchId} version={krl.version} onClose={() => setBatchId(null)} />}
      <div className="min-h-0 flex-1">
        <DataTable
          label="Nodes and their revocation list"
          rows={shown}
          rowKey={({ node }) => node.id}
          columns={columns}
          defaultSort={{ columnId: 'standing', direction: 'ascending' }}
          onOpen={({ node }) => navigate(nodeHash(node.id))}
          empty={<p className="p-8 text-center text-muted">No node is like that.</p>}
        />
      </div>
      {deciding && (
        <DeliverKrl
          late={late}
          version={krl.version}
          onClose={() => setDeciding(false)}
          onStarted={(id) => {
            setDeciding(false)
            setBatchId(id)
          }}
        />
      )}
    </>
  )
}

interface StandingCountProps {
  readonly standing: KrlStanding
  readonly count: number
  readonly active: boolean
  readonly onPress: () => void
}

function StandingCount({ standing, count, active, onPress }: StandingCountProps) {
  if (count === 0 && !active) return null
  return (
    <button
      type="button"
      aria-pressed={active}
      onClick={onPress}
      className={classNames(
        'inline-flex h-7 items-center gap-1.5 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
        active && 'bg-selection text-text',
      )}
    >
      <span aria-hidden className="inline-flex">
        <FillMark fill={krlMarks[standing]} />
      </span>
      <strong className="font-semibold text-text">{formatCount(count)}</strong> {krlCountWords[standing]}
    </button>
  )
}

/** Why a node is not up to date, when that can be said. */
function whyNot({ node, standing }: KrlCoverage): string {
  if (standing === 'current') return ''
  if (standing === 'none') return 'no plan of kind revocation list selects it'
  if (node.reachability.status === 'unreachable') return node.reachability.diagnosis.short
  if (node.activeRunId !== null) return 'a run works on it'
  if (node.maintenance) return 'in maintenance'
  return computeTile(node, engineNowMs()).diagnosis?.short ?? 'waits for its run'
}

const columns: readonly Column<KrlCoverage>[] = [
  {
    id: 'node',
    header: 'Node',
    width: 'minmax(140px, 1.2fr)',
    cell: ({ node }) => node.name,
    sortValue: ({ node }) => node.name,
  },
  {
    id: 'standing',
    header: 'State',
    width: 'minmax(150px, 1fr)',
    cell: ({ standing }) => (
      <span className="inline-flex items-center gap-1.5">
        <span aria-hidden className="inline-flex">
          <FillMark fill={krlMarks[standing]} />
        </span>
        {krlWords[standing]}
      </span>
    ),
    sortValue: ({ standing }) => krlStandings.indexOf(standing),
  },
  {
    id: 'version',
    header: 'Version proven',
    width: '130px',
    align: 'right',
    cell: ({ node }) => node.krl?.version ?? <span className="text-faint">none</span>,
    sortValue: ({ node }) => node.krl?.version ?? null,
  },
  {
    id: 'verified',
    header: 'Proven',
    width: '120px',
    align: 'right',
    cell: ({ node }) => <Time at={node.krl?.verifiedAt ?? null} className="text-muted" />,
    sortValue: ({ node }) => node.krl?.verifiedAt ?? null,
  },
  {
    id: 'why',
    header: 'Why not',
    width: 'minmax(180px, 2fr)',
    cell: (row) => <span className="text-muted">{whyNot(row)}</span>,
  },
]
