import { CircleAlert, Lock } from 'lucide-react'
import { useMemo } from 'react'
import { computeTile } from '../../../../core/fleet/health.ts'
import { hostName } from '../../../../core/registry/routes.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { Plan } from '../../../../shared/model/plan.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { FillMark, fillWords } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { engineNowMs } from '../../../stores/clock.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { nodeHash } from '../../../stores/route.ts'
import { lists, listWords } from '../draft/entries.ts'
import { useOwners } from '../registryQueries.ts'
import type { GridColumn } from './gridColumn.ts'
import type { TableRow } from './rows.ts'

const value = (row: TableRow, field: string): string => row.entry.values[field] ?? ''

const textColumn = (id: string, header: string, width: string): GridColumn => ({
  id,
  header,
  width,
  edit: { kind: 'text', label: header },
  cell: (row) => value(row, id),
  sortValue: (row) => value(row, id),
})

const nameColumn: GridColumn = {
  ...textColumn('name', 'Name', 'minmax(150px, 1.3fr)'),
  cell: (row) => (
    <span className="inline-flex max-w-full items-center gap-1.5">
      {row.problems.size > 0 && (
        <CircleAlert role="img" aria-label="has mistakes" className="size-3.5 shrink-0 text-error" />
      )}
      <span className={row.entry.name === '' ? 'text-faint italic' : 'truncate font-medium'}>
        {row.entry.name === '' ? 'no name yet' : row.entry.name}
      </span>
    </span>
  ),
}

const stateWords: Readonly<Record<TableRow['state'], string>> = {
  same: '',
  new: 'new',
  changed: 'changed',
  removed: 'removed',
}

const stateColumn: GridColumn = {
  id: 'state',
  header: 'Draft',
  width: '84px',
  edit: null,
  cell: ({ state }) => <span className="inline-block text-12 text-muted no-underline">{stateWords[state]}</span>,
  sortValue: ({ state }) => stateWords[state],
}

const extraColumn: GridColumn = {
  id: 'extra',
  header: 'Also holds',
  width: 'minmax(110px, 1fr)',
  edit: null,
  cell: ({ entry }) => <ExtraKeys extra={entry.extra} />,
}

function ExtraKeys({ extra }: Pick<TableRow['entry'], 'extra'>) {
  return (
    <span className="text-12 text-muted">
      {extra.map(({ key, sensitive }, index) => (
        <span key={key}>
          {index > 0 && ', '}
          {key}
          {sensitive && <Lock role="img" aria-label="sealed" className="ml-0.5 inline size-3 align-[-1px]" />}
        </span>
      ))}
    </span>
  )
}

/** Domains that plans put behind subdomains, in the order of the plans. */
export function domainsOf(plans: Iterable<Plan>): readonly string[] {
  const domains = [...plans].flatMap((plan) =>
    plan.kind === 'routes' ? [plan.spec.routes.domain] : plan.kind === 'hosts' ? [plan.spec.hosts.domain] : [],
  )
  return [...new Set(domains)]
}

/** `demo.example.com`, and how many other names it has. */
export function fullName(subdomain: string, domains: readonly string[]): string {
  const [first, ...others] = domains
  if (first === undefined) return ''
  return `${hostName({ subdomain }, first)}${others.length === 0 ? '' : ` and ${others.length} more`}`
}

/** Where an entry is changed: in the source that owns it, or here. Not there while no source has brought anything. */
function ownerColumns(owners: ReadonlyMap<string, string>): readonly GridColumn[] {
  if (owners.size === 0) return []
  return [
    {
      id: 'owner',
      header: 'Owned by',
      width: 'minmax(100px, 0.8fr)',
      edit: null,
      cell: ({ entry }) => <Owner source={owners.get(entry.name)} />,
      sortValue: ({ entry }) => owners.get(entry.name) ?? '',
    },
  ]
}

function Owner({ source }: { readonly source: string | undefined }) {
  if (source === undefined) return <span className="text-12 text-faint">console</span>
  return (
    <span className="text-12" title={`The source ${source} brought it: change it there.`}>
      {source}
    </span>
  )
}

function serviceColumns(domains: readonly string[], owners: ReadonlyMap<string, string>): readonly GridColumn[] {
  return [
    nameColumn,
    textColumn('subdomain', 'Subdomain', 'minmax(110px, 1fr)'),
    {
      id: 'host',
      header: 'Full name',
      width: 'minmax(170px, 1.5fr)',
      edit: null,
      cell: (row) => (
        <span className={domains.length === 0 ? 'text-faint' : 'text-muted'}>
          {domains.length === 0 ? 'no plan names a domain' : fullName(value(row, 'subdomain'), domains)}
        </span>
      ),
    },
    textColumn('ip', 'Address', 'minmax(120px, 1fr)'),
    {
      ...textColumn('port', 'Port', '84px'),
      align: 'right',
      sortValue: (row) => Number(value(row, 'port')) || 0,
    },
    {
      id: 'public',
      header: 'Public',
      width: '84px',
      edit: { kind: 'toggle' },
      cell: (row) => <PublicMark text={value(row, 'public')} />,
      sortValue: (row) => value(row, 'public'),
    },
    ...ownerColumns(owners),
    extraColumn,
    stateColumn,
  ]
}

function PublicMark({ text }: { readonly text: string }) {
  if (text !== 'true') return <span className="text-faint">{text === 'false' ? 'no' : text}</span>
  return <span className="text-accent">yes</span>
}

function nodeColumns(
  byName: ReadonlyMap<string, FleetNode>,
  owners: ReadonlyMap<string, string>,
): readonly GridColumn[] {
  const nodeOf = (row: TableRow): FleetNode | undefined => byName.get(row.entry.name)
  return [
    nameColumn,
    {
      id: 'list',
      header: 'List',
      width: '110px',
      edit: { kind: 'choice', options: lists.map((list) => ({ value: list, label: listWords[list] })) },
      cell: ({ entry }) => (entry.place.list === null ? '' : listWords[entry.place.list]),
      sortValue: ({ entry }) => (entry.place.list === null ? '' : lists.indexOf(entry.place.list)),
    },
    textColumn('ip', 'Address', 'minmax(120px, 1fr)'),
    textColumn('ssh_user', 'Login user', 'minmax(100px, 0.8fr)'),
    {
      id: 'live',
      header: 'Now',
      width: '150px',
      edit: null,
      cell: (row) => <LiveState node={nodeOf(row)} />,
      sortValue: (row) => {
        const node = nodeOf(row)
        return node === undefined ? 'missing' : fillWords[computeTile(node, engineNowMs()).fill]
      },
    },
    {
      id: 'verified',
      header: 'Last in step',
      width: '120px',
      edit: null,
      cell: (row) => <Time at={nodeOf(row)?.lastSyncAt ?? null} className="text-muted" />,
      sortValue: (row) => nodeOf(row)?.lastSyncAt ?? 0,
    },
    ...ownerColumns(owners),
    extraColumn,
    stateColumn,
  ]
}

function LiveState({ node }: { readonly node: FleetNode | undefined }) {
  if (node === undefined) return <span className="text-pending">not in the fleet</span>
  return (
    <a href={nodeHash(node.id)} tabIndex={-1} className="hover:underline">
      <FillMark fill={computeTile(node, engineNowMs()).fill} withWord />
    </a>
  )
}

/** The columns of a registry's table; those that can be edited are called like their field. */
export function useColumns(registry: RegistryKind): readonly GridColumn[] {
  const plans = useReplica((state) => state.plans)
  const nodes = useReplica((state) => state.nodes)
  const owners = useOwners(registry)
  return useMemo(() => {
    if (registry === 'services') return serviceColumns(domainsOf(plans.values()), owners)
    return nodeColumns(new Map([...nodes.values()].map((node) => [node.name, node])), owners)
  }, [registry, plans, nodes, owners])
}

/** What a filter looks for in a row. */
export const textsOf = ({ entry }: TableRow): readonly string[] => Object.values(entry.values)
