import type { NodeId } from '../../../../shared/model/ids.ts'
import type { FleetGroup } from './scene.ts'
import type { Fill } from './styles.ts'

export interface FleetMapProps {
  readonly groups: readonly FleetGroup[]
  readonly collapsed: ReadonlySet<string>
  readonly fill: Fill
  readonly selected: ReadonlySet<NodeId>
  readonly onSelectedChange: (selected: ReadonlySet<NodeId>) => void
  /** The node whose drawer is open. */
  readonly openNodeId: NodeId | null
  /** Pixels on the right that the drawer covers. */
  readonly coveredRight: number
  readonly onOpen: (nodeId: NodeId) => void
  readonly onFocusNode: (nodeId: NodeId | null) => void
  readonly onToggleGroup: (key: string) => void
  readonly onCardButton: (kind: 'resync' | 'renew', nodeId: NodeId) => void
}
