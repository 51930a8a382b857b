import { type ReactNode, useMemo } from 'react'
import { type Tile, tileFills } from '../../../core/fleet/health.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { FillMark } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { useNow } from '../../stores/clock.ts'
import { TileCache } from './map/scene.ts'
import { certificateWords } from './tileWords.ts'

interface NodeTableProps {
  readonly nodes: readonly FleetNode[]
  readonly selected: ReadonlySet<NodeId>
  readonly onSelectedChange: (selected: ReadonlySet<NodeId>) => void
  readonly onOpen: (nodeId: NodeId) => void
  readonly onFocusNode: (nodeId: NodeId) => void
  /** Shown instead of rows when there are none. */
  readonly empty: ReactNode
}

interface NodeRow {
  readonly node: FleetNode
  readonly tile: Tile
}

const clockStepMs = 15_000

const columns: readonly Column<NodeRow>[] = [
  {
    id: 'state',
    header: 'State',
    width: '132px',
    cell: ({ tile }) => <FillMark fill={tile.fill} withWord />,
    sortValue: ({ tile }) => tileFills.indexOf(tile.fill),
  },
  {
    id: 'name',
    header: 'Name',
    width: 'minmax(140px, 1.4fr)',
    cell: ({ node }) => node.name,
    sortValue: ({ node }) => node.name,
  },
  {
    id: 'why',
    header: 'Why',
    width: 'minmax(140px, 1.4fr)',
    cell: ({ tile }) => <span className="text-muted">{tile.fill === 'in-step' ? '' : tile.short}</span>,
    sortValue: ({ tile }) => (tile.fill === 'in-step' ? null : tile.short),
  },
  { id: 'kind', header: 'Kind', width: '84px', cell: ({ node }) => node.kind, sortValue: ({ node }) => node.kind },
  {
    id: 'address',
    header: 'Address',
    width: 'minmax(120px, 1fr)',
    cell: ({ node }) => <code className="text-12">{node.address}</code>,
    sortValue: ({ node }) => node.address,
  },
  {
    id: 'verified',
    header: 'Verified',
    width: '112px',
    cell: ({ tile }) => <Time at={tile.verifiedAt} />,
    sortValue: ({ tile }) => tile.verifiedAt,
  },
  {
    id: 'certificate',
    header: 'Certificate',
    width: '108px',
    align: 'right',
    cell: ({ tile }) => <span className={certificateClass(tile)}>{certificateWords(tile)}</span>,
    sortValue: ({ tile }) =>
      tile.certificate.level === 'none' || tile.certificate.level === 'static-key'
        ? null
        : tile.certificate.remainingMs,
  },
  {
    id: 'attempt',
    header: 'Last try',
    width: '112px',
    cell: ({ node }) => <Time at={node.lastAttemptAt} />,
    sortValue: ({ node }) => node.lastAttemptAt,
  },
]

const certificateClass = ({ certificate }: Tile): string =>
  certificate.level === 'ok'
    ? ''
    : certificate.level === 'soon' || certificate.level === 'static-key'
      ? 'text-pending'
      : certificate.level === 'none'
        ? 'text-faint'
        : 'text-error'

/** The map in rows: everything a tile draws, sortable. */
export function NodeTable({ nodes, selected, onSelectedChange, onOpen, onFocusNode, empty }: NodeTableProps) {
  const now = useNow(clockStepMs)
  const rows = useMemo(() => {
    const cache = new TileCache()
    cache.setClock(now)
    return nodes.map((node) => ({ node, tile: cache.get(node) }))
  }, [nodes, now])
  const toggle = ({ node }: NodeRow): void => {
    const next = new Set(selected)
    if (!next.delete(node.id)) next.add(node.id)
    onSelectedChange(next)
  }
  return (
    <DataTable
      label="Nodes"
      rows={rows}
      rowKey={({ node }) => node.id}
      columns={columns}
      defaultSort={{ columnId: 'state', direction: 'ascending' }}
      onOpen={({ node }) => onOpen(node.id)}
      isSelected={({ node }) => selected.has(node.id)}
      onToggleSelected={toggle}
      onFocusRow={({ node }) => onFocusNode(node.id)}
      empty={empty}
    />
  )
}
