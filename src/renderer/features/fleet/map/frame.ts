import { type Camera, toMap } from './camera.ts'
import { tilesIn } from './hitTest.ts'
import { groupOf, type MapLayout, type PlacedGroup, tilePosition, type Viewport } from './layout.ts'
import type { Scene } from './scene.ts'

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

export interface Cell {
  readonly index: number
  /** Upper left corner on screen. */
  readonly x: number
  readonly y: number
  readonly side: number
}

export const interfaceFont = '"Inter Variable", system-ui, sans-serif'

/** A part of the screen, in CSS pixels. */
export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export function tilesInArea(layout: MapLayout, camera: Camera, area: Area): number[] {
  const from = toMap(camera, area)
  const to = toMap(camera, { x: area.x + area.width, y: area.y + area.height })
  return tilesIn(layout, { left: from.x, top: from.y, right: to.x, bottom: to.y })
}

export const visibleTiles = ({ layout, camera, viewport }: Pick<Frame, 'layout' | 'camera' | 'viewport'>): number[] =>
  tilesInArea(layout, camera, { x: 0, y: 0, ...viewport })

/** Cells on whole pixels, so that edges stay sharp at any zoom. */
export function cellsOf({ layout, camera }: Frame, indices: readonly number[]): Cell[] {
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

/** Cuts the middle out of a name: fleets differ at both ends of it, `worker-0021` becomes `wor…0021`. */
export function cutMiddle(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let kept = text.length - 1
  const cut = (): string => `${text.slice(0, Math.floor(kept / 2))}…${text.slice(text.length - Math.ceil(kept / 2))}`
  while (kept > 2 && context.measureText(cut()).width > width) kept -= 1
  return cut()
}

/** Cuts a text to a width, with an ellipsis where something was cut. */
export function ellipsize(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let length = Math.floor(text.length * (width / context.measureText(text).width))
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1
  return `${text.slice(0, Math.max(1, length))}…`
}
