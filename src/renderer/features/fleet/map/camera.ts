import type { MapLayout, Point, Viewport } from './layout.ts'

/** Screen = map * zoom + offset, in CSS pixels. */
export interface Camera {
  readonly zoom: number
  readonly x: number
  readonly y: number
}

export const homeCamera: Camera = { zoom: 1, x: 0, y: 0 }

const minZoom = 0.4
/** Side of a tile on screen at the largest zoom. */
const maxSide = 220

export const toMap = (camera: Camera, screen: Point): Point => ({
  x: (screen.x - camera.x) / camera.zoom,
  y: (screen.y - camera.y) / camera.zoom,
})

export const toScreen = (camera: Camera, point: Point): Point => ({
  x: point.x * camera.zoom + camera.x,
  y: point.y * camera.zoom + camera.y,
})

const between = (value: number, least: number, most: number): number => Math.max(least, Math.min(most, value))

/** Content smaller than the window stays inside it; larger content always covers it, but for a margin. */
function clampAxis(offset: number, content: number, window: number): number {
  return content <= window
    ? between(offset, 0, window - content)
    : between(offset, window - content - window / 3, window / 3)
}

/** Keeps the map from being lost. */
export function clampCamera(camera: Camera, layout: MapLayout, viewport: Viewport): Camera {
  return {
    zoom: camera.zoom,
    x: clampAxis(camera.x, layout.width * camera.zoom, viewport.width),
    y: clampAxis(camera.y, layout.height * camera.zoom, viewport.height),
  }
}

export const largestZoom = (layout: MapLayout): number => Math.max(1, maxSide / layout.side)

/** The point of the map under `anchor` stays under it. */
export function zoomAround(camera: Camera, layout: MapLayout, anchor: Point, factor: number): Camera {
  const zoom = between(camera.zoom * factor, minZoom, largestZoom(layout))
  const fixed = toMap(camera, anchor)
  return { zoom, x: anchor.x - fixed.x * zoom, y: anchor.y - fixed.y * zoom }
}

/** Moves as little as needed for the box to be in sight with a margin. `right` is covered by the drawer. */
export function reveal(camera: Camera, at: Point, side: number, viewport: Viewport, coveredRight = 0): Camera {
  const margin = 12
  const screen = toScreen(camera, at)
  const size = side * camera.zoom
  const shift = (start: number, window: number): number =>
    start < margin ? margin - start : start + size > window - margin ? window - margin - start - size : 0
  return {
    zoom: camera.zoom,
    x: camera.x + shift(screen.x, viewport.width - coveredRight),
    y: camera.y + shift(screen.y, viewport.height),
  }
}
