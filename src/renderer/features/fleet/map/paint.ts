import { certificateWords } from '../tileWords.ts'
import { type Camera, toMap } from './camera.ts'
import { tilesIn } from './hitTest.ts'
import {
  barHeightPixels,
  groupOf,
  headerPixels,
  type MapLayout,
  type PlacedGroup,
  type Point,
  tilePosition,
  type Viewport,
} from './layout.ts'
import { cardButtons, labelSide, levelOf } from './level.ts'
import { type Scene, tileFlags } from './scene.ts'
import { beginShape } from './shapes.ts'
import { styles } from './styles.ts'

/** Colours of the theme shown now; read once, not for every tile. */
export interface MapTheme {
  readonly ground: string
  readonly surface: string
  readonly line: string
  readonly lineStrong: string
  readonly text: string
  readonly muted: string
  readonly faint: string
  readonly accent: string
  readonly busy: string
  readonly pending: string
  readonly error: string
  readonly onAccent: string
  /** By index of {@link styles}. */
  readonly styleColours: readonly string[]
}

export interface Frame {
  readonly context: CanvasRenderingContext2D
  readonly theme: MapTheme
  readonly layout: MapLayout
  readonly scene: Scene
  readonly camera: Camera
  readonly viewport: Viewport
  /** Clock of the animations, ms. */
  readonly timeMs: number
  readonly reducedMotion: boolean
  /** Words under the name of a card, e.g. `verified 4 min ago`. */
  readonly verifiedWords: (index: number) => string
  /** How grown a tile is that just turned green, 0 to 1; 1 for all others. */
  readonly settled: (index: number) => number
}

interface Cell {
  readonly index: number
  /** Upper left corner on screen. */
  readonly x: number
  readonly y: number
  readonly side: number
}

const interfaceFont = '"Inter Variable", system-ui, sans-serif'
const travelMs = 1400

/** Groups by style, so that each style is one path. */
function byStyle(scene: Scene, cells: readonly Cell[]): readonly (readonly Cell[])[] {
  const buckets: Cell[][] = styles.map(() => [])
  for (const cell of cells) buckets[scene.style[cell.index] ?? 0]?.push(cell)
  return buckets
}

/** A part of the screen, in CSS pixels. */
interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

function tilesInArea(layout: MapLayout, camera: Camera, area: Area): number[] {
  const from = toMap(camera, area)
  const to = toMap(camera, { x: area.x + area.width, y: area.y + area.height })
  return tilesIn(layout, { left: from.x, top: from.y, right: to.x, bottom: to.y })
}

export const visibleTiles = ({ layout, camera, viewport }: Pick<Frame, 'layout' | 'camera' | 'viewport'>): number[] =>
  tilesInArea(layout, camera, { x: 0, y: 0, ...viewport })

/** Cells on whole pixels, so that edges stay sharp at any zoom. */
function cellsOf({ layout, camera }: Frame, indices: readonly number[]): Cell[] {
  const side = Math.max(1, Math.round(layout.side * camera.zoom))
  const cells: Cell[] = []
  let group: PlacedGroup | undefined
  for (const index of indices) {
    if (group === undefined || index < group.first || index >= group.first + group.count) group = groupOf(layout, index)
    if (group === undefined || group.collapsed) continue
    const at = tilePosition(layout, group, index)
    cells.push({
      index,
      x: Math.round(at.x * camera.zoom + camera.x),
      y: Math.round(at.y * camera.zoom + camera.y),
      side,
    })
  }
  return cells
}

/** Where the fill goes: room is left for the busy edge above, the certificate below and the name. */
interface Body {
  readonly top: number
  readonly bottom: number
}

const stripOf = (side: number): number => (side >= 40 ? 3 : 2)

function bodyOf(side: number, busy: boolean): Body {
  const strip = stripOf(side)
  const label = side >= labelSide && levelOf(side) === 'tile' ? 18 : 0
  return { top: busy ? strip + 1 : 0, bottom: strip + 1 + label }
}

function paintDots(frame: Frame, cells: readonly Cell[]): void {
  const side = cells[0]?.side ?? 1
  byStyle(frame.scene, cells).forEach((bucket, style) => {
    if (bucket.length === 0) return
    const shape = beginShape(
      frame.context,
      styles[style]?.shape ?? 'solid',
      side,
      frame.theme.styleColours[style] ?? '',
    )
    for (const cell of bucket) shape.add(frame.context, cell.x, cell.y, side, side)
    shape.end()
  })
}

function paintFills(frame: Frame, cells: readonly Cell[]): void {
  const side = cells[0]?.side ?? 1
  byStyle(frame.scene, cells).forEach((bucket, style) => {
    if (bucket.length === 0) return
    const shape = beginShape(
      frame.context,
      styles[style]?.shape ?? 'solid',
      side,
      frame.theme.styleColours[style] ?? '',
    )
    for (const cell of bucket) {
      const body = bodyOf(side, ((frame.scene.flags[cell.index] ?? 0) & tileFlags.busy) !== 0)
      const height = side - body.top - body.bottom
      const inset = (1 - frame.settled(cell.index)) * side * 0.15
      shape.add(frame.context, cell.x + inset, cell.y + body.top + inset, side - 2 * inset, height - 2 * inset)
    }
    shape.end()
  })
}

function paintCertificates({ context, theme, scene }: Frame, cells: readonly Cell[]): void {
  const colours = [theme.lineStrong, theme.faint, theme.pending, theme.error]
  colours.forEach((colour, level) => {
    if (level === 0) return
    context.fillStyle = colour
    context.beginPath()
    for (const cell of cells) {
      if (scene.certificateLevel[cell.index] !== level) continue
      const strip = stripOf(cell.side)
      const label = bodyOf(cell.side, false).bottom - strip - 1
      const width = Math.max(2, Math.round((scene.certificateShare[cell.index] ?? 0) * cell.side))
      context.rect(cell.x, cell.y + cell.side - label - strip, width, strip)
    }
    context.fill()
  })
}

/** Notch in the upper right corner, dot in the lower left: cut out of the tile, so they show on any fill. */
function paintMarks({ context, theme, scene }: Frame, cells: readonly Cell[]): void {
  context.fillStyle = theme.ground
  context.beginPath()
  for (const { index, x, y, side } of cells) {
    if (((scene.flags[index] ?? 0) & tileFlags.drift) === 0) continue
    const notch = Math.max(5, Math.min(16, side * 0.38))
    context.moveTo(x + side - notch, y - 1)
    context.lineTo(x + side + 1, y - 1)
    context.lineTo(x + side + 1, y + notch)
    context.closePath()
  }
  context.fill()
  for (const { index, x, y, side } of cells) {
    if (((scene.flags[index] ?? 0) & tileFlags.locked) === 0) continue
    const radius = Math.max(2, Math.min(5, side * 0.12))
    const bottom = y + side - bodyOf(side, false).bottom
    context.beginPath()
    context.arc(x + radius + 2, bottom - radius - 2, radius + 1.5, 0, Math.PI * 2)
    context.fillStyle = theme.ground
    context.fill()
    context.beginPath()
    context.arc(x + radius + 2, bottom - radius - 2, radius, 0, Math.PI * 2)
    context.fillStyle = theme.text
    context.fill()
  }
}

function paintBusy({ context, theme, scene, timeMs, reducedMotion }: Frame, cells: readonly Cell[]): void {
  context.fillStyle = theme.busy
  context.beginPath()
  for (const { index, x, y, side } of cells) {
    if (((scene.flags[index] ?? 0) & tileFlags.busy) === 0) continue
    const strip = stripOf(side)
    if (reducedMotion) chevrons(context, x, y, side, strip)
    else {
      const length = side * 0.45
      const start = ((timeMs % travelMs) / travelMs) * (side + length) - length
      const from = Math.max(0, start)
      context.rect(x + from, y, Math.max(0, Math.min(side, start + length) - from), strip)
    }
  }
  context.fill()
}

/** Two arrow heads that say "going on" without moving. */
function chevrons(context: CanvasRenderingContext2D, x: number, y: number, side: number, strip: number): void {
  const width = Math.max(3, side * 0.3)
  for (const at of [0.1, 0.5]) {
    const left = x + side * at
    context.moveTo(left, y)
    context.lineTo(left + width, y)
    context.lineTo(left + width - strip, y + strip)
    context.lineTo(left - strip / 2, y + strip)
    context.closePath()
  }
}

function ellipsize(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let length = Math.floor(text.length * (width / context.measureText(text).width))
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1
  return `${text.slice(0, Math.max(1, length))}…`
}

function paintLabels({ context, theme, scene }: Frame, cells: readonly Cell[]): void {
  context.font = `12px ${interfaceFont}`
  context.textBaseline = 'alphabetic'
  context.fillStyle = theme.muted
  for (const { index, x, y, side } of cells)
    context.fillText(ellipsize(context, scene.nodes[index]?.name ?? '', side), x, y + side - 3)
}

function paintCard(frame: Frame, cell: Cell): void {
  const { context, theme, scene } = frame
  const { index, x, y, side } = cell
  const style = scene.style[index] ?? 0
  const colour = theme.styleColours[style] ?? theme.text
  context.fillStyle = theme.surface
  context.fillRect(x, y, side, side)
  context.strokeStyle = theme.lineStrong
  context.lineWidth = 1
  context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1)
  const mark = beginShape(context, styles[style]?.shape ?? 'solid', 14, colour)
  const inset = (1 - frame.settled(index)) * 4
  mark.add(context, x + 10 + inset, y + 11 + inset, 14 - 2 * inset, 14 - 2 * inset)
  mark.end()
  context.textBaseline = 'alphabetic'
  context.fillStyle = theme.text
  context.font = `600 13px ${interfaceFont}`
  context.fillText(ellipsize(context, scene.nodes[index]?.name ?? '', side - 42), x + 30, y + 23)
  context.font = `12px ${interfaceFont}`
  context.fillStyle = colour
  context.fillText(ellipsize(context, scene.tiles[index]?.short ?? '', side - 20), x + 10, y + 46)
  context.fillStyle = theme.faint
  context.fillText(ellipsize(context, frame.verifiedWords(index), side - 20), x + 10, y + 64)
  if (side >= roomyCard) paintCertificateWords(frame, cell)
  paintCardButtons(frame, cell)
}

/** From here on a card has room for what the hairline says. */
const roomyCard = 136

function paintCertificateWords({ context, theme, scene }: Frame, { index, x, y, side }: Cell): void {
  const tile = scene.tiles[index]
  if (tile === undefined) return
  context.fillStyle =
    tile.certificate.level === 'soon'
      ? theme.pending
      : tile.certificate.level === 'ok' || tile.certificate.level === 'none'
        ? theme.faint
        : theme.error
  context.fillText(ellipsize(context, `certificate ${certificateWords(tile)}`, side - 20), x + 10, y + 82)
}

function paintCardButtons({ context, theme }: Frame, { x, y, side }: Cell): void {
  context.font = `500 12px ${interfaceFont}`
  context.textAlign = 'center'
  for (const button of cardButtons(side)) {
    context.strokeStyle = theme.lineStrong
    context.beginPath()
    context.roundRect(x + button.x + 0.5, y + button.y + 0.5, button.width - 1, button.height - 1, 5)
    context.stroke()
    context.fillStyle = theme.text
    context.fillText(button.label, x + button.x + button.width / 2, y + button.y + 16)
  }
  context.textAlign = 'left'
}

/** Paints these tiles over whatever is there; the caller has cleared their cells. */
export function paintTiles(frame: Frame, indices: readonly number[]): void {
  const cells = cellsOf(frame, indices)
  const side = cells[0]?.side
  if (side === undefined) return
  const level = levelOf(side)
  if (level === 'dot') {
    paintDots(frame, cells)
    return
  }
  if (level === 'card') for (const cell of cells) paintCard(frame, cell)
  else {
    paintFills(frame, cells)
    if (side >= labelSide) paintLabels(frame, cells)
  }
  paintMarks(frame, cells)
  paintCertificates(frame, cells)
  paintBusy(frame, cells)
}

/** Clears and paints single tiles: what a change or an animation costs. */
export function repaintTiles(frame: Frame, indices: readonly number[]): void {
  frame.context.fillStyle = frame.theme.ground
  const cells = cellsOf(frame, indices)
  for (const { x, y, side } of cells) frame.context.fillRect(x - 1, y - 1, side + 2, side + 2)
  paintTiles(frame, indices)
}

export interface GroupCounts {
  readonly title: string
  readonly byStyle: readonly number[]
}

function paintTitle(frame: Frame, group: PlacedGroup, counts: GroupCounts): void {
  const { context, theme, camera } = frame
  const x = group.x * camera.zoom + camera.x
  const baseline = (group.y + headerPixels) * camera.zoom + camera.y - 9
  const room = Math.max(group.width * camera.zoom, 60)
  const countRoom = String(group.count).length * 8
  context.textBaseline = 'alphabetic'
  context.font = `600 13px ${interfaceFont}`
  context.fillStyle = theme.text
  const title = ellipsize(context, `${group.collapsed ? '▸' : '▾'} ${counts.title}`, room - 8 - countRoom)
  context.fillText(title, x, baseline)
  let at = x + context.measureText(title).width + 8
  context.font = `12px ${interfaceFont}`
  const parts: (readonly [string, string])[] = [[String(group.count), theme.faint]]
  counts.byStyle.forEach((count, style) => {
    const token = styles[style]?.token
    if (count > 0 && token !== 'in-step')
      parts.push([`${count} ${styles[style]?.word}`, theme.styleColours[style] ?? theme.faint])
  })
  for (const [text, colour] of parts) {
    const width = context.measureText(text).width
    if (at + width > x + room) break
    context.fillStyle = colour
    context.fillText(text, at, baseline)
    at += width + 8
  }
}

/** A collapsed group: one bar, a part for each style, at least two pixels so that one error of 10,000 is still seen. */
function paintBar(frame: Frame, group: PlacedGroup, counts: GroupCounts): void {
  const { context, camera, theme } = frame
  const top = Math.round((group.y + headerPixels) * camera.zoom + camera.y)
  const height = Math.max(4, Math.round(barHeightPixels * camera.zoom))
  let left = group.x * camera.zoom + camera.x
  const width = group.width * camera.zoom
  counts.byStyle.forEach((count, style) => {
    if (count === 0) return
    const part = Math.max(2, (count / Math.max(1, group.count)) * width)
    const shape = beginShape(context, 'solid', height, theme.styleColours[style] ?? '')
    shape.add(context, left, top, Math.max(1, part - 1), height)
    shape.end()
    left += part
  })
}

function paintArea(frame: Frame, groups: readonly GroupCounts[], area: Area): void {
  const { context, theme, layout, camera } = frame
  context.fillStyle = theme.ground
  context.fillRect(area.x, area.y, area.width, area.height)
  paintTiles(frame, tilesInArea(layout, camera, area))
  layout.groups.forEach((group, index) => {
    const counts = groups[index]
    if (counts === undefined) return
    paintTitle(frame, group, counts)
    if (group.collapsed) paintBar(frame, group, counts)
  })
}

/** The whole map. */
export const paintMap = (frame: Frame, groups: readonly GroupCounts[]): void =>
  paintArea(frame, groups, { x: 0, y: 0, ...frame.viewport })

/** Room for what sticks out of a cell. */
const stripMargin = 4

/** The map after a pan by whole device pixels: what is painted already is moved, and only the strips that came into sight are new. */
export function shiftMap(frame: Frame, groups: readonly GroupCounts[], shift: Point): void {
  const { context, viewport } = frame
  const { canvas } = context
  context.save()
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.drawImage(
    canvas,
    Math.round((shift.x * canvas.width) / viewport.width),
    Math.round((shift.y * canvas.height) / viewport.height),
  )
  context.restore()
  const strips: readonly Area[] = [
    {
      x: shift.x > 0 ? 0 : viewport.width + shift.x - stripMargin,
      y: 0,
      width: shift.x === 0 ? 0 : Math.abs(shift.x) + stripMargin,
      height: viewport.height,
    },
    {
      x: 0,
      y: shift.y > 0 ? 0 : viewport.height + shift.y - stripMargin,
      width: viewport.width,
      height: shift.y === 0 ? 0 : Math.abs(shift.y) + stripMargin,
    },
  ]
  for (const strip of strips) {
    if (strip.width === 0 || strip.height === 0) continue
    context.save()
    context.beginPath()
    context.rect(strip.x, strip.y, strip.width, strip.height)
    context.clip()
    paintArea(frame, groups, strip)
    context.restore()
  }
}

/** Clears and paints the titles and bars, whose counts follow every change of a tile. */
export function repaintTitles(frame: Frame, groups: readonly GroupCounts[]): void {
  const { context, theme, layout, camera } = frame
  layout.groups.forEach((group, index) => {
    const counts = groups[index]
    if (counts === undefined) return
    const height = (headerPixels + (group.collapsed ? barHeightPixels : 0)) * camera.zoom
    const top = group.y * camera.zoom + camera.y
    const bottom = Math.floor(top + height) - (group.collapsed ? 0 : 5)
    context.fillStyle = theme.ground
    context.fillRect(
      Math.floor(group.x * camera.zoom + camera.x),
      Math.ceil(top),
      Math.ceil(group.width * camera.zoom) + 8,
      bottom - Math.ceil(top),
    )
    paintTitle(frame, group, counts)
    if (group.collapsed) paintBar(frame, group, counts)
  })
}

export interface OverlayState {
  readonly selected: ReadonlySet<number>
  readonly hovered: number | null
  /** The tile the keyboard is at; shown while the map has the focus. */
  readonly focused: number | null
  /** Corners of the lasso on screen. */
  readonly lasso: readonly [Point, Point] | null
}

function outline(frame: Frame, indices: Iterable<number>, grow: number): void {
  frame.context.beginPath()
  for (const { x, y, side } of cellsOf(frame, [...indices]))
    frame.context.rect(x - grow, y - grow, side + 2 * grow, side + 2 * grow)
  frame.context.stroke()
}

/** What follows the pointer and the keyboard lives on its own canvas: moving it repaints no tile. */
export function paintOverlay(frame: Frame, overlay: OverlayState): void {
  const { context, viewport, theme } = frame
  context.clearRect(0, 0, viewport.width, viewport.height)
  context.strokeStyle = theme.accent
  context.lineWidth = 1.5
  outline(frame, overlay.selected, 1)
  if (overlay.hovered !== null) {
    context.strokeStyle = theme.muted
    context.lineWidth = 1
    outline(frame, [overlay.hovered], 1.5)
  }
  if (overlay.focused !== null) {
    context.strokeStyle = theme.text
    context.lineWidth = 2
    outline(frame, [overlay.focused], 3)
  }
  if (overlay.lasso === null) return
  const [from, to] = overlay.lasso
  context.strokeStyle = theme.accent
  context.setLineDash([4, 3])
  context.lineWidth = 1
  context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y)
  context.setLineDash([])
}
