import { useMemo, useRef } from 'react'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { RegistryService } from '../../../../shared/model/registry.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatCount } from '../../../components/format.ts'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, nodeHash, type Route, updateQuery } from '../../../stores/route.ts'
import { useShortcuts } from '../../../stores/shortcuts.ts'
import { useServices, useServicesQuery } from '../registryQueries.ts'
import { domainsOf, fullName } from '../table/columns.tsx'
import { CarryMark, TallyBar } from './CarryMark.tsx'
import { type Carrier, type CarryState, carriersFor, carriersOf, carryStates, tallyOf } from './carriers.ts'
import { ServiceDrawer } from './ServiceDrawer.tsx'

export function useCarriers(): readonly Carrier[] {
  const plans = useReplica((state) => state.plans)
  const nodes = useReplica((state) => state.nodes)
  return useMemo(() => carriersOf(plans.values(), nodes.values()), [plans, nodes])
}

/** Which service is where (F9): for a service the nodes that carry it, for a node the services it carries. */
export function Where({ route }: { readonly route: Route }) {
  const services = useServices()
  const query = useServicesQuery()
  const carriers = useCarriers()
  const stale = useStale()
  const byNode = route.query.by === 'node'
  const service = services?.find(({ name }) => name === route.query.service)
  if (services === undefined && query.error !== null)
    return (
      <div className="p-4">
        <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
      </div>
    )
  if (services === undefined) return <EmptyState title="Loading the services" />
  if (carriers.length === 0) return <NoPlans />
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Toolbar query={route.query.q ?? ''} byNode={byNode} />
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        {byNode ? (
          <NodeRows carriers={carriers} services={services} query={route.query.q ?? ''} />
        ) : (
          <ServiceRows carriers={carriers} services={services} query={route.query.q ?? ''} />
        )}
      </div>
      {service !== undefined && (
        <ServiceDrawer
          key={service.name}
          service={service}
          carriers={carriersFor(carriers, service)}
          onClose={() => updateQuery({ service: undefined })}
        />
      )}
    </div>
  )
}

function NoPlans() {
  const openNew = (kind: string): void => navigate(formatHash({ view: 'plans', path: ['new'], query: { kind } }))
  return (
    <EmptyState
      title="No plan delivers the registry yet"
      actions={
        <>
          <Button onClick={() => openNew('routes')}>New plan: routes</Button>
          <Button onClick={() => openNew('hosts')}>New plan: hosts</Button>
        </>
      }
    >
      A plan of kind routes brings the public services to each VPS, one of kind hosts brings all of them to laptops and
      workers. Then this page says who carries what, and whether it was read back.
    </EmptyState>
  )
}

function Toolbar({ query, byNode }: { readonly query: string; readonly byNode: boolean }) {
  const filter = useRef<HTMLInputElement>(null)
  useShortcuts([{ keys: '/', label: 'Filter', group: 'Registry', run: () => filter.current?.focus() }])
  const choices = [
    [false, 'By service'],
    [true, 'By node'],
  ] as const
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-2 border-b px-4 py-1.5">
      <input
        ref={filter}
        type="search"
        aria-label={byNode ? 'Filter nodes' : 'Filter services'}
        placeholder="Filter"
        spellCheck={false}
        value={query}
        onChange={(event) => updateQuery({ q: event.target.value }, { replace: true })}
        className="h-7 w-56 rounded-md border border-line-strong bg-ground px-2 placeholder:text-faint"
      />
      <fieldset aria-label="Rows are" className="flex gap-1">
        {choices.map(([node, label]) => (
          <button
            key={label}
            type="button"
            aria-pressed={byNode === node}
            onClick={() => updateQuery({ by: node ? 'node' : undefined, service: undefined, q: undefined })}
            className={classNames(
              'h-7 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
              byNode === node && 'bg-selection text-text',
            )}
          >
            {label}
          </button>
        ))}
      </fieldset>
    </div>
  )
}

interface RowsProps {
  readonly carriers: readonly Carrier[]
  readonly services: readonly RegistryService[]
  readonly query: string
}

const fits = (query: string, texts: readonly string[]): boolean => {
  const wanted = query.trim().toLowerCase()
  return wanted === '' || texts.some((text) => text.toLowerCase().includes(wanted))
}

function ServiceRows({ carriers, services, query }: RowsProps) {
  const plans = useReplica((state) => state.plans)
  const domains = useMemo(() => domainsOf(plans.values()), [plans])
  const rows = useMemo(
    () =>
      services.filter((service) =>
        fits(query, [service.name, fullName(service.subdomain, domains), service.ip, String(service.port)]),
      ),
    [services, query, domains],
  )
  const columns = useMemo(() => serviceColumns(carriers, domains), [carriers, domains])
  return (
    <DataTable
      label="Services and who carries them"
      rows={rows}
      rowKey={({ name }) => name}
      columns={columns}
      defaultSort={{ columnId: 'name', direction: 'ascending' }}
      onOpen={({ name }) => updateQuery({ service: name })}
      empty={<p className="p-4 text-muted">{services.length === 0 ? 'Nothing is registered yet.' : 'No row fits.'}</p>}
    />
  )
}

function serviceColumns(carriers: readonly Carrier[], domains: readonly string[]): readonly Column<RegistryService>[] {
  // Equal for all public services, and for all others: counted once, not once a row.
  const ofKind = (kind: 'routes' | 'hosts') => tallyOf(carriers.filter(({ plan }) => plan.kind === kind))
  const [routes, hosts, none] = [ofKind('routes'), ofKind('hosts'), { wanted: 0, proven: 0 }]
  return [
    {
      id: 'name',
      header: 'Service',
      width: 'minmax(140px, 1fr)',
      cell: ({ name }) => <span className="font-medium">{name}</span>,
      sortValue: ({ name }) => name,
    },
    {
      id: 'host',
      header: 'Full name',
      width: 'minmax(180px, 1.4fr)',
      cell: ({ subdomain }) => <span className="text-muted">{fullName(subdomain, domains)}</span>,
      sortValue: ({ subdomain }) => subdomain,
    },
    {
      id: 'at',
      header: 'Leads to',
      width: 'minmax(150px, 1fr)',
      cell: ({ ip, port }) => (
        <code className="text-12 text-muted">
          {ip.includes(':') ? `[${ip}]` : ip}:{port}
        </code>
      ),
      sortValue: ({ ip }) => ip,
    },
    {
      id: 'routes',
      header: 'Routes proven',
      width: '190px',
      cell: (service) =>
        service.public ? <TallyBar tally={routes} /> : <span className="text-faint">not public</span>,
      sortValue: (service) => (service.public ? (tallyShare(routes) ?? null) : null),
    },
    {
      id: 'hosts',
      header: 'Hosts files proven',
      width: '190px',
      cell: () => <TallyBar tally={hosts.wanted === 0 ? none : hosts} />,
    },
  ]
}

const tallyShare = ({ wanted, proven }: { readonly wanted: number; readonly proven: number }): number | null =>
  wanted === 0 ? null : proven / wanted

interface NodeRow {
  readonly node: FleetNode
  readonly carried: readonly { readonly carrier: Carrier; readonly state: CarryState }[]
  /** How many services its texts hold. */
  readonly count: number
}

function NodeRows({ carriers, services, query }: RowsProps) {
  const nodes = useReplica((state) => state.nodes)
  const rows = useMemo(() => {
    const publicCount = services.filter((service) => service.public).length
    return [...nodes.values()].flatMap((node): NodeRow[] => {
      if (!fits(query, [node.name, node.kind, node.address])) return []
      const carried = carriers.flatMap((carrier) => {
        const state = carrier.nodes.get(node.id)
        return state === undefined ? [] : [{ carrier, state }]
      })
      if (carried.length === 0) return []
      const all = carried.some(({ carrier }) => carrier.plan.kind === 'hosts')
      return [{ node, carried, count: all ? services.length : publicCount }]
    })
  }, [nodes, carriers, services, query])
  return (
    <DataTable
      label="Nodes and the services they carry"
      rows={rows}
      rowKey={({ node }) => node.id}
      columns={nodeColumns}
      defaultSort={{ columnId: 'name', direction: 'ascending' }}
      onOpen={({ node }) => navigate(nodeHash(node.id))}
      empty={<p className="p-4 text-muted">No row fits.</p>}
    />
  )
}

const worst = ({ carried }: NodeRow): number => Math.max(...carried.map(({ state }) => carryStates.indexOf(state)))

const nodeColumns: readonly Column<NodeRow>[] = [
  {
    id: 'name',
    header: 'Node',
    width: 'minmax(140px, 1fr)',
    cell: ({ node }) => <span className="font-medium">{node.name}</span>,
    sortValue: ({ node }) => node.name,
  },
  {
    id: 'kind',
    header: 'Kind',
    width: '96px',
    cell: ({ node }) => <span className="text-muted">{node.kind}</span>,
    sortValue: ({ node }) => node.kind,
  },
  {
    id: 'count',
    header: 'Services',
    width: '96px',
    align: 'right',
    cell: ({ count }) => formatCount(count),
    sortValue: ({ count }) => count,
  },
  {
    id: 'state',
    header: 'Read back',
    width: 'minmax(240px, 2fr)',
    cell: ({ carried }) => (
      <span className="flex gap-4">
        {carried.map(({ carrier, state }) => (
          <span key={carrier.plan.id} className="inline-flex min-w-0 items-center gap-2">
            <span className="truncate text-muted">{carrier.plan.name}</span>
            <CarryMark state={state} />
          </span>
        ))}
      </span>
    ),
    sortValue: worst,
  },
]
