import { useMemo } from 'react'
import { classNames } from '../../components/classNames.ts'
import { formatCount, plural } from '../../components/format.ts'
import { Tabs } from '../../components/Tabs.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../stores/route.ts'
import { AuthoritiesPanel } from './authorities/AuthoritiesPanel.tsx'
import { authorityWords } from './authorities/authorityWords.ts'
import { CertificateDrawer } from './CertificateDrawer.tsx'
import { ExpiryCalendar } from './ExpiryCalendar.tsx'
import { overviewOf } from './expiry.ts'
import { IssueLog } from './IssueLog.tsx'
import { countStandings, krlCoverage } from './krl/coverage.ts'
import { KrlPanel } from './krl/KrlPanel.tsx'
import { readLogFilter } from './logQueries.ts'
import { NodeCertificates } from './NodeCertificates.tsx'
import { StepCaPanel } from './stepCa/StepCaPanel.tsx'
import { useAuthorities, useKrl } from './trustQueries.ts'

const tabs = ['nodes', 'issued', 'authorities', 'krl', 'step-ca'] as const
type Tab = (typeof tabs)[number]

/** A certificate lies over the log it comes from. */
function tabOf(route: Route): Tab {
  if (route.path.length > 0) return 'issued'
  return tabs.find((each) => each === route.query.tab) ?? 'nodes'
}

/** `#/certificates?tab=…`, and `#/certificates/<id or serial>` for one of them. */
export function View({ route }: { readonly route: Route }) {
  const loaded = useReplica((state) => state.loaded)
  const tab = tabOf(route)
  const isEmpty = useReplica((state) => state.nodes.size === 0)
  const ends = useMemo(() => readLogFilter(route.query).ends, [route.query])
  const [reference] = route.path
  return (
    <div className="relative flex h-full flex-col">
      <ViewHeader title="Certificates" summary={loaded ? <Summary /> : 'Loading'} />
      {loaded && (tab === 'issued' || (tab === 'nodes' && !isEmpty)) && <ExpiryCalendar ends={ends} />}
      <Tabs
        label="Certificates"
        value={tab}
        onChange={(id) => navigate(formatHash({ view: 'certificates', query: { tab: id } }))}
        items={[
          { id: 'nodes', label: 'By node', content: loaded ? <NodeCertificates /> : null },
          { id: 'issued', label: 'Issue log', content: loaded ? <IssueLog route={route} /> : null },
          { id: 'authorities', label: 'Authorities', content: loaded ? <AuthoritiesPanel /> : null },
          { id: 'krl', label: 'Revocation list', content: loaded ? <KrlPanel /> : null },
          { id: 'step-ca', label: 'step-ca', content: loaded ? <StepCaPanel /> : null },
        ]}
      />
      {loaded && reference !== undefined && (
        <CertificateDrawer
          key={reference}
          reference={reference}
          onClose={() => navigate(formatHash({ view: 'certificates', query: { ...route.query, tab: 'issued' } }))}
        />
      )}
    </div>
  )
}

/** What is not as it should be, worst first; each leads to where it is dealt with. */
function Summary() {
  const now = useNow(30_000)
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const { krl } = useKrl()
  const authorities = useAuthorities()
  const stale = useStale()
  const pushed = useMemo(() => [...nodes.values()].filter((node) => node.transport === 'push'), [nodes])
  const overview = useMemo(() => overviewOf(pushed, now), [pushed, now])
  const coverage = useMemo(
    () => countStandings(krlCoverage(nodes.values(), plans, krl?.version ?? 0)),
    [nodes, plans, krl],
  )
  const rotating = (authorities.data ?? []).filter(({ rotation }) => rotation !== null)
  if (nodes.size === 0) return <span>no nodes yet</span>
  return (
    <div className={classNames('flex min-w-0 flex-wrap items-center gap-x-3', stale && 'stale')}>
      {overview.expired + (overview.byHour[0] ?? 0) + overview.none + rotating.length === 0 && (
        <span>{plural(pushed.length, 'node')}, none without a good certificate</span>
      )}
      <Count count={overview.expired} words="expired" className="text-error" tab="nodes" />
      <Count count={overview.byHour[0] ?? 0} words="end within the hour" className="text-pending" tab="nodes" />
      <Count count={overview.none} words="never issued" tab="nodes" />
      {rotating.map(({ kind }) => (
        <SummaryButton key={kind} tab="authorities" className="text-busy">
          {authorityWords[kind].title} rotates
        </SummaryButton>
      ))}
      {krl !== undefined && krl.revokedCertificates > 0 && (
        <SummaryButton tab="krl" className={coverage.behind + coverage.none > 0 ? 'text-pending' : 'text-muted'}>
          {plural(krl.revokedCertificates, 'revoked', 'revoked')}, refused by {formatCount(coverage.current)} of{' '}
          {plural(coverage.current + coverage.behind + coverage.unproven + coverage.none, 'node')}
        </SummaryButton>
      )}
    </div>
  )
}

interface CountProps {
  readonly count: number
  readonly words: string
  readonly tab: Tab
  readonly className?: string
}

function Count({ count, words, tab, className = 'text-muted' }: CountProps) {
  if (count === 0) return null
  return (
    <SummaryButton tab={tab} className={className}>
      <strong className="font-semibold">{formatCount(count)}</strong> {words}
    </SummaryButton>
  )
}

function SummaryButton({
  tab,
  className,
  children,
}: {
  readonly tab: Tab
  readonly className: string
  readonly children: React.ReactNode
}) {
  return (
    <button
      type="button"
      className={`whitespace-nowrap hover:underline ${className}`}
      onClick={() => updateQuery({ tab })}
    >
      {children}
    </button>
  )
}
