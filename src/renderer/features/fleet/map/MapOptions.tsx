import { plural } from '../../../components/format.ts'
import { tileSentence } from '../tileWords.ts'
import { groupOf, type MapLayout, tilePosition } from './layout.ts'
import type { FleetGroup, Scene } from './scene.ts'

interface MapOptionProps {
  readonly id: string
  readonly index: number
  readonly scene: Scene
  readonly layout: MapLayout
  readonly selected: boolean
  readonly nowMs: number
}

/** Lies unseen over its tile, so that what a person points at and what a screen reader names are the same thing. */
export function MapOption({ id, index, scene, layout, selected, nowMs }: MapOptionProps) {
  const node = scene.nodes[index]
  const tile = scene.tiles[index]
  const group = groupOf(layout, index)
  if (node === undefined || tile === undefined || group === undefined || group.collapsed) return null
  const at = tilePosition(layout, group, index)
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the listbox keeps the focus and names its active descendant
    <div
      id={id}
      role="option"
      aria-selected={selected}
      aria-setsize={scene.nodes.length}
      aria-posinset={index + 1}
      aria-label={tileSentence(node, tile, nowMs)}
      data-node={node.name}
      data-fill={tile.fill}
      data-busy={tile.busy || undefined}
      className="absolute"
      style={{ left: at.x, top: at.y, width: layout.side, height: layout.side }}
    />
  )
}

/** Titles are painted on the canvas; these carry their clicks and their names. Out of sight but for the focus ring. */
export function GroupButtons({
  groups,
  layout,
  collapsed,
  onToggle,
}: {
  readonly groups: readonly FleetGroup[]
  readonly layout: MapLayout | null
  readonly collapsed: ReadonlySet<string>
  readonly onToggle: (key: string) => void
}) {
  if (layout === null) return null
  return (
    <div className="pointer-events-none absolute inset-0">
      {groups.map((group) => (
        <button
          key={group.key}
          type="button"
          aria-expanded={!collapsed.has(group.key)}
          aria-label={`${group.title}, ${plural(group.nodes.length, 'node')}`}
          onClick={() => onToggle(group.key)}
          className="absolute top-1 left-1 h-6 w-px rounded-md opacity-0 focus-visible:pointer-events-auto focus-visible:w-auto focus-visible:bg-raised focus-visible:px-2 focus-visible:opacity-100"
        >
          {collapsed.has(group.key) ? 'Show' : 'Fold'} {group.title}
        </button>
      ))}
    </div>
  )
}
