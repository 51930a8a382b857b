import { type Cell, cellsOf, cutMiddle, type Frame, interfaceFont } from './frame.ts'
import { labelSide, levelOf } from './level.ts'
import { paintCard } from './paintCard.ts'
import { type Scene, tileFlags } from './scene.ts'
import { beginShape } from './shapes.ts'
import { styles } from './styles.ts'

const travelMs = 1400

/** Groups by style, so that each style is one path. */
function byStyle(scene: Scene, cells: readonly Cell[]): readonly (readonly Cell[])[] {
  const buckets: Cell[][] = styles.map(() => [])
  for (const cell of cells) buckets[scene.style[cell.index] ?? 0]?.push(cell)
  return buckets
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

const staticKeyLevel = 4

/** A key that never ends: the whole width, but in dots, so that it is no certificate in greyscale either (D9). */
function dots(
  context: CanvasRenderingContext2D,
  { x, y, side, strip }: { readonly x: number; readonly y: number; readonly side: number; readonly strip: number },
): void {
  for (let left = 0; left < side; left += strip * 2) context.rect(x + left, y, Math.min(strip, side - left), strip)
}

function paintCertificates({ context, theme, scene }: Frame, cells: readonly Cell[]): void {
  const colours = [theme.lineStrong, theme.faint, theme.pending, theme.error, theme.pending]
  colours.forEach((colour, level) => {
    if (level === 0) return
    context.fillStyle = colour
    context.beginPath()
    for (const cell of cells) {
      if (scene.certificateLevel[cell.index] !== level) continue
      const strip = stripOf(cell.side)
      const label = bodyOf(cell.side, false).bottom - strip - 1
      const top = cell.y + cell.side - label - strip
      if (level === staticKeyLevel) dots(context, { x: cell.x, y: top, side: cell.side, strip })
      else {
        const width = Math.max(2, Math.round((scene.certificateShare[cell.index] ?? 0) * cell.side))
        context.rect(cell.x, top, width, strip)
      }
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

function paintLabels({ context, theme, scene }: Frame, cells: readonly Cell[]): void {
  context.font = `12px ${interfaceFont}`
  context.textBaseline = 'alphabetic'
  context.fillStyle = theme.muted
  for (const { index, x, y, side } of cells)
    context.fillText(cutMiddle(context, scene.nodes[index]?.name ?? '', side), x, y + side - 3)
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
