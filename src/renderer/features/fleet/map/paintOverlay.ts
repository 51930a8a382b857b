import { cellsOf, type Frame } from './frame.ts'
import type { Point } from './layout.ts'

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
