/** A group as the layout sees it: how many tiles, and whether it is folded to a bar. */
export interface GroupInput {
  readonly key: string
  readonly count: number
  readonly collapsed: boolean
}

/** A placed group. Positions are CSS pixels at zoom 1, from the upper left of the whole map. */
export interface PlacedGroup {
  readonly key: string
  /** Index of its first tile among all tiles. */
  readonly first: number
  readonly count: number
  readonly collapsed: boolean
  readonly x: number
  /** Top of the title; the tiles begin {@link headerPixels} below. */
  readonly y: number
  readonly columns: number
  readonly rows: number
  readonly width: number
  readonly height: number
}

export interface MapLayout {
  readonly groups: readonly PlacedGroup[]
  /** Distance from one tile to the next. */
  readonly pitch: number
  /** Side of a tile; the rest of the pitch is the gap. */
  readonly side: number
  readonly width: number
  readonly height: number
  readonly tileCount: number
}

export interface Viewport {
  readonly width: number
  readonly height: number
}

export const headerPixels = 28
const paddingPixels = 16
const groupGapPixels = 24
const rowGapPixels = 16
/** A title needs this much room, whatever the tiles under it need. */
const minGroupPixels = 132
export const barHeightPixels = 12
const barWidthPixels = 280

/** Tried from the largest: the first at which everything fits into the window is taken. */
const pitches = [
  176, 156, 140, 120, 104, 92, 80, 72, 64, 56, 50, 44, 40, 36, 32, 28, 25, 22, 20, 18, 16, 14, 13, 12, 11, 10, 9, 8, 7,
  6, 5,
] as const

const gapOf = (pitch: number): number => (pitch >= 100 ? 8 : pitch >= 40 ? 5 : pitch >= 18 ? 3 : pitch >= 10 ? 2 : 1)

/** Width to height of a group. The first is the calmest to look at; the others are tried to fill the window better. */
const aspects = [2.4, 1.5, 4, 1, 8, 20] as const

interface Fit {
  readonly pitch: number
  readonly aspect: number
  /** Width within the padding. */
  readonly usable: number
}

/** Never wider than the window. */
function columnsFor(count: number, { pitch, aspect, usable }: Fit): number {
  const most = Math.max(1, Math.floor(usable / pitch))
  const wanted = Math.ceil(Math.sqrt(count * aspect))
  const forTitle = Math.ceil(minGroupPixels / pitch)
  return Math.max(1, Math.min(most, Math.max(wanted, forTitle), Math.max(count, 1)))
}

function sizeOf(group: GroupInput, fit: Fit): Pick<PlacedGroup, 'columns' | 'rows' | 'width' | 'height'> {
  const { pitch, usable } = fit
  if (group.collapsed)
    return { columns: 0, rows: 0, width: Math.min(usable, barWidthPixels), height: headerPixels + barHeightPixels }
  const columns = columnsFor(group.count, fit)
  const rows = Math.ceil(group.count / columns)
  const width = Math.max(columns * pitch - gapOf(pitch), Math.min(usable, minGroupPixels))
  return { columns, rows, width, height: headerPixels + rows * pitch }
}

/** Groups flow from left to right in shelves, in the order given. */
function place(groups: readonly GroupInput[], fit: Fit): MapLayout {
  const { pitch, usable } = fit
  const placed: PlacedGroup[] = []
  let x = 0
  let y = paddingPixels / 2
  let shelfHeight = 0
  let widest = 0
  let first = 0
  for (const group of groups) {
    const size = sizeOf(group, fit)
    if (x > 0 && x + size.width > usable) {
      y += shelfHeight + rowGapPixels
      x = 0
      shelfHeight = 0
    }
    placed.push({ ...group, ...size, first, x: paddingPixels + x, y })
    first += group.count
    x += size.width + groupGapPixels
    shelfHeight = Math.max(shelfHeight, size.height)
    widest = Math.max(widest, x - groupGapPixels)
  }
  return {
    groups: placed,
    pitch,
    side: pitch - gapOf(pitch),
    width: widest + 2 * paddingPixels,
    height: y + shelfHeight + paddingPixels,
    tileCount: first,
  }
}

/** Lays the fleet out as large as it fits into the window; a fleet too large for the smallest tiles grows downwards. */
export function layoutFleet(groups: readonly GroupInput[], viewport: Viewport): MapLayout {
  const fitOf = (pitch: number, aspect: number): Fit => ({
    pitch,
    aspect,
    usable: Math.max(pitch, viewport.width - 2 * paddingPixels),
  })
  for (const pitch of pitches) {
    for (const aspect of aspects) {
      const layout = place(groups, fitOf(pitch, aspect))
      if (layout.height <= viewport.height && layout.width <= viewport.width) return layout
    }
  }
  return place(groups, fitOf(pitches[pitches.length - 1] as number, aspects[0]))
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** Upper left corner of a tile; its group must not be collapsed. */
export function tilePosition(layout: MapLayout, group: PlacedGroup, index: number): Point {
  const within = index - group.first
  return {
    x: group.x + (within % group.columns) * layout.pitch,
    y: group.y + headerPixels + Math.floor(within / group.columns) * layout.pitch,
  }
}

/** The group that holds a tile. */
export function groupOf(layout: MapLayout, index: number): PlacedGroup | undefined {
  let low = 0
  let high = layout.groups.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const group = layout.groups[middle] as PlacedGroup
    if (index < group.first) high = middle - 1
    else if (index >= group.first + group.count) low = middle + 1
    else return group
  }
  return undefined
}
