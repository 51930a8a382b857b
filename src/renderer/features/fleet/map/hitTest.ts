import { groupOf, headerPixels, type MapLayout, type PlacedGroup, type Point, tilePosition } from './layout.ts'

/** What lies under a point of the map. */
export type Hit =
  | { readonly kind: 'tile'; readonly index: number }
  | { readonly kind: 'title' | 'bar'; readonly group: PlacedGroup }
  | { readonly kind: 'ground' }

const inside = (value: number, from: number, size: number): boolean => value >= from && value < from + size

function tileOf(layout: MapLayout, group: PlacedGroup, point: Point): number | null {
  const column = Math.floor((point.x - group.x) / layout.pitch)
  const row = Math.floor((point.y - group.y - headerPixels) / layout.pitch)
  if (column < 0 || column >= group.columns || row < 0) return null
  const within = row * group.columns + column
  return within < group.count ? group.first + within : null
}

/** Gaps between tiles belong to the tile at their left and above, so that there are no dead pixels in a dense map. */
export function hitTest(layout: MapLayout, point: Point): Hit {
  for (const group of layout.groups) {
    if (
      !inside(point.x, group.x, Math.max(group.width, group.columns * layout.pitch)) ||
      !inside(point.y, group.y, group.height)
    )
      continue
    if (point.y < group.y + headerPixels) return { kind: 'title', group }
    if (group.collapsed) return { kind: 'bar', group }
    const index = tileOf(layout, group, point)
    return index === null ? { kind: 'ground' } : { kind: 'tile', index }
  }
  return { kind: 'ground' }
}

export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

export const boxOf = (first: Point, second: Point): Box => ({
  left: Math.min(first.x, second.x),
  top: Math.min(first.y, second.y),
  right: Math.max(first.x, second.x),
  bottom: Math.max(first.y, second.y),
})

/** Every tile that the box touches; collapsed groups have none. */
export function tilesIn(layout: MapLayout, box: Box): number[] {
  const found: number[] = []
  for (const group of layout.groups) {
    if (group.collapsed || group.count === 0) continue
    const top = group.y + headerPixels
    const firstColumn = Math.max(0, Math.floor((box.left - group.x - layout.side) / layout.pitch) + 1)
    const lastColumn = Math.min(group.columns - 1, Math.floor((box.right - group.x) / layout.pitch))
    const firstRow = Math.max(0, Math.floor((box.top - top - layout.side) / layout.pitch) + 1)
    const lastRow = Math.min(group.rows - 1, Math.floor((box.bottom - top) / layout.pitch))
    for (let row = firstRow; row <= lastRow; row += 1) {
      const rowStart = row * group.columns
      const end = Math.min(lastColumn, group.count - 1 - rowStart)
      for (let column = firstColumn; column <= end; column += 1) found.push(group.first + rowStart + column)
    }
  }
  return found
}

export type Direction = 'left' | 'right' | 'up' | 'down'

const axes: Readonly<Record<Direction, readonly [number, number]>> = {
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
}

/** The nearest tile in a direction, straight ahead preferred; the same tile when there is none. */
export function neighbour(layout: MapLayout, index: number, direction: Direction): number {
  const own = groupOf(layout, index)
  if (own === undefined || own.collapsed) return firstShown(layout) ?? index
  const from = tilePosition(layout, own, index)
  const [dx, dy] = axes[direction]
  let best = index
  let bestCost = Number.POSITIVE_INFINITY
  for (const group of layout.groups) {
    if (group.collapsed) continue
    for (let other = group.first; other < group.first + group.count; other += 1) {
      const at = tilePosition(layout, group, other)
      const ahead = (at.x - from.x) * dx + (at.y - from.y) * dy
      if (ahead < layout.pitch / 2) continue
      const aside = Math.abs((at.x - from.x) * dy) + Math.abs((at.y - from.y) * dx)
      const cost = ahead + aside * 3
      if (cost < bestCost) {
        best = other
        bestCost = cost
      }
    }
  }
  return best
}

export const firstShown = (layout: MapLayout): number | undefined =>
  layout.groups.find((group) => !group.collapsed && group.count > 0)?.first
