import { formatRelative } from '../../../components/format.ts'
import { engineNowMs } from '../../../stores/clock.ts'
import { type Camera, clampCamera, homeCamera, reveal, zoomAround } from './camera.ts'
import { type Frame, type MapTheme, visibleTiles } from './frame.ts'
import {
  type GroupInput,
  groupOf,
  layoutFleet,
  type MapLayout,
  type Point,
  tilePosition,
  type Viewport,
} from './layout.ts'
import { levelOf } from './level.ts'
import { type GroupCounts, paintMap, repaintTitles, shiftMap } from './paint.ts'
import { type OverlayState, paintOverlay } from './paintOverlay.ts'
import { repaintTiles } from './paintTiles.ts'
import { changedTiles, type Scene, tileFlags } from './scene.ts'
import { styles } from './styles.ts'

const settleMs = 200
/** Busy edges move at about thirty frames a second; faster is not seen and costs. */
const busyFrameMs = 33

export interface MapData {
  readonly scene: Scene
  readonly groups: readonly (GroupInput & { readonly title: string })[]
}

export interface MapControllerOptions {
  readonly theme: MapTheme
  readonly reducedMotion: boolean
  /** The camera or the layout has changed. */
  readonly onView?: (camera: Camera, layout: MapLayout) => void
}

const emptyScene: Scene = {
  nodes: [],
  tiles: [],
  style: new Uint8Array(),
  flags: new Uint8Array(),
  certificateShare: new Float32Array(),
  certificateLevel: new Uint8Array(),
}

const noOverlay: OverlayState = { selected: new Set(), hovered: null, focused: null, lasso: null }

const contextOf = (canvas: HTMLCanvasElement, opaque: boolean): CanvasRenderingContext2D =>
  canvas.getContext('2d', { alpha: !opaque }) as CanvasRenderingContext2D

function countStyles(scene: Scene, first: number, count: number): number[] {
  const counts = styles.map(() => 0)
  for (let index = first; index < first + count; index += 1)
    counts[scene.style[index] as number] = (counts[scene.style[index] as number] ?? 0) + 1
  return counts
}

/**
 * Owns the two canvases, the camera and the decision what has to be painted when. Nothing is painted while nothing
 * changes: an idle map costs nothing.
 */
export class MapController {
  readonly #base: HTMLCanvasElement
  readonly #overlayCanvas: HTMLCanvasElement
  readonly #onView: (camera: Camera, layout: MapLayout) => void
  #theme: MapTheme
  #reducedMotion: boolean
  #viewport: Viewport = { width: 0, height: 0 }
  #data: MapData = { scene: emptyScene, groups: [] }
  #counts: readonly GroupCounts[] = []
  #layout: MapLayout = layoutFleet([], { width: 0, height: 0 })
  #camera: Camera = homeCamera
  /** What the base canvas shows. */
  #paintedCamera: Camera = homeCamera
  #pixelRatio = 1
  #overlay: OverlayState = noOverlay
  #dirty = new Set<number>()
  #fullDirty = false
  #overlayDirty = false
  #titlesDirty = false
  #settling = new Map<number, number>()
  #frameRequest = 0
  #busyTimer: ReturnType<typeof setTimeout> | null = null

  constructor(base: HTMLCanvasElement, overlay: HTMLCanvasElement, options: MapControllerOptions) {
    this.#base = base
    this.#overlayCanvas = overlay
    this.#theme = options.theme
    this.#reducedMotion = options.reducedMotion
    this.#onView = options.onView ?? (() => undefined)
  }

  get layout(): MapLayout {
    return this.#layout
  }

  get camera(): Camera {
    return this.#camera
  }

  get viewport(): Viewport {
    return this.#viewport
  }

  get scene(): Scene {
    return this.#data.scene
  }

  /** Side of a tile on screen. */
  get side(): number {
    return Math.round(this.#layout.side * this.#camera.zoom)
  }

  setTheme(theme: MapTheme): void {
    this.#theme = theme
    this.requestFull()
  }

  setReducedMotion(reduced: boolean): void {
    this.#reducedMotion = reduced
    this.requestFull()
  }

  /** @param pixelRatio device pixels per CSS pixel */
  resize(viewport: Viewport, pixelRatio: number): void {
    for (const canvas of [this.#base, this.#overlayCanvas]) {
      canvas.width = Math.max(1, Math.round(viewport.width * pixelRatio))
      canvas.height = Math.max(1, Math.round(viewport.height * pixelRatio))
      contextOf(canvas, canvas === this.#base).setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0)
    }
    this.#viewport = viewport
    this.#pixelRatio = pixelRatio
    this.#relayout()
  }

  /** Same nodes in the same places: only what looks different is painted. Anything else is laid out anew. */
  setData(data: MapData): void {
    const before = this.#data
    const changed = changedTiles(before.scene, data.scene)
    const samePlaces =
      changed !== null &&
      before.groups.length === data.groups.length &&
      data.groups.every(
        (group, at) =>
          group.key === before.groups[at]?.key &&
          group.count === before.groups[at]?.count &&
          group.collapsed === before.groups[at]?.collapsed,
      )
    this.#data = data
    let first = 0
    this.#counts = data.groups.map((group) => {
      const counts = { title: group.title, byStyle: countStyles(data.scene, first, group.count) }
      first += group.count
      return counts
    })
    if (!samePlaces) {
      this.#settling.clear()
      this.#relayout()
      return
    }
    for (const index of changed) this.#noteChange(index, before.scene.style[index], data.scene.style[index])
    this.#titlesDirty ||= changed.length > 0
    // Cards say how long ago; few fit into a window, so painting them all is cheap.
    if (levelOf(this.side) === 'card') this.requestFull()
    if (changed.length > 0) this.#schedule()
  }

  #noteChange(index: number, before: number | undefined, after: number | undefined): void {
    this.#dirty.add(index)
    const turnedGreen = before !== after && styles[after ?? 0]?.shape === 'solid'
    if (turnedGreen && !this.#reducedMotion) this.#settling.set(index, performance.now())
  }

  setOverlay(overlay: Partial<OverlayState>): void {
    this.#overlay = { ...this.#overlay, ...overlay }
    this.#overlayDirty = true
    this.#schedule()
  }

  panBy(dx: number, dy: number): void {
    this.#moveTo({ ...this.#camera, x: this.#camera.x + Math.round(dx), y: this.#camera.y + Math.round(dy) })
  }

  zoomBy(anchor: Point, factor: number): void {
    this.#moveTo(zoomAround(this.#camera, this.#layout, anchor, factor))
  }

  fit(): void {
    this.#moveTo(homeCamera)
  }

  /** @param coveredRight pixels on the right that the drawer covers */
  reveal(index: number, coveredRight: number): void {
    const group = groupOf(this.#layout, index)
    if (group === undefined || group.collapsed) return
    this.#moveTo(
      reveal(this.#camera, tilePosition(this.#layout, group, index), this.#layout.side, this.#viewport, coveredRight),
      coveredRight,
    )
  }

  #moveTo(camera: Camera, coveredRight = 0): void {
    const open = { ...this.#viewport, width: this.#viewport.width - coveredRight }
    const clamped = clampCamera(camera, this.#layout, open)
    // Whole pixels, so that a pan can move what is painted already.
    const next = { ...clamped, x: Math.round(clamped.x), y: Math.round(clamped.y) }
    if (next.zoom === this.#camera.zoom && next.x === this.#camera.x && next.y === this.#camera.y) return
    const zoomed = next.zoom !== this.#camera.zoom
    this.#camera = next
    this.#onView(next, this.#layout)
    if (zoomed) this.#fullDirty = true
    this.#overlayDirty = true
    this.#schedule()
  }

  #relayout(): void {
    if (this.#viewport.width === 0) return
    this.#layout = layoutFleet(this.#data.groups, this.#viewport)
    this.#camera = clampCamera(this.#camera, this.#layout, this.#viewport)
    this.#onView(this.#camera, this.#layout)
    this.requestFull()
  }

  requestFull(): void {
    this.#fullDirty = true
    this.#overlayDirty = true
    this.#schedule()
  }

  #schedule(): void {
    if (this.#frameRequest === 0) this.#frameRequest = requestAnimationFrame((timeMs) => this.#paint(timeMs))
  }

  #frame(canvas: HTMLCanvasElement, timeMs: number): Frame {
    const now = engineNowMs()
    return {
      context: contextOf(canvas, canvas === this.#base),
      theme: this.#theme,
      layout: this.#layout,
      scene: this.#data.scene,
      camera: this.#camera,
      viewport: this.#viewport,
      timeMs,
      reducedMotion: this.#reducedMotion,
      verifiedWords: (index) => {
        const verifiedAt = this.#data.scene.tiles[index]?.verifiedAt ?? null
        return verifiedAt === null ? 'not verified' : `verified ${formatRelative(verifiedAt, now)}`
      },
      settled: (index) => {
        const startedAt = this.#settling.get(index)
        return startedAt === undefined ? 1 : Math.max(0, Math.min(1, (timeMs - startedAt) / settleMs))
      },
    }
  }

  /** Paints at once what is due; the frame loop calls it, and so may a measurement. */
  paintNow(timeMs = performance.now()): void {
    this.#paint(timeMs)
  }

  #paint(timeMs: number): void {
    cancelAnimationFrame(this.#frameRequest)
    this.#frameRequest = 0
    if (this.#viewport.width === 0) return
    for (const index of this.#settling.keys()) this.#dirty.add(index)
    const frame = this.#frame(this.#base, timeMs)
    const shift = { x: this.#camera.x - this.#paintedCamera.x, y: this.#camera.y - this.#paintedCamera.y }
    if (this.#fullDirty || !this.#canShift(shift)) paintMap(frame, this.#counts)
    else {
      if (shift.x !== 0 || shift.y !== 0) shiftMap(frame, this.#counts, shift)
      if (this.#dirty.size > 0)
        repaintTiles(
          frame,
          [...this.#dirty].sort((a, b) => a - b),
        )
      if (this.#titlesDirty) repaintTitles(frame, this.#counts)
    }
    if (this.#overlayDirty) paintOverlay(this.#frame(this.#overlayCanvas, timeMs), this.#overlay)
    this.#paintedCamera = this.#camera
    this.#dirty.clear()
    this.#fullDirty = false
    this.#titlesDirty = false
    this.#overlayDirty = false
    for (const [index, startedAt] of this.#settling) if (timeMs - startedAt >= settleMs) this.#settling.delete(index)
    if (this.#settling.size > 0) this.#schedule()
    this.#animateBusy()
  }

  /** Whole device pixels only: anything else would blur what is moved. Small pans only: the rest is new anyway. */
  #canShift({ x, y }: Point): boolean {
    if (this.#camera.zoom !== this.#paintedCamera.zoom) return false
    if (Math.abs(x) > this.#viewport.width / 2 || Math.abs(y) > this.#viewport.height / 2) return false
    return Number.isInteger(x * this.#pixelRatio) && Number.isInteger(y * this.#pixelRatio)
  }

  /** Only busy tiles that are in sight and large enough to show it keep the map awake. */
  #animateBusy(): void {
    if (this.#busyTimer !== null || this.#reducedMotion || levelOf(this.side) === 'dot') return
    const { flags } = this.#data.scene
    if (!flags.some((flag) => (flag & tileFlags.busy) !== 0)) return
    const busy = visibleTiles({ layout: this.#layout, camera: this.#camera, viewport: this.#viewport }).filter(
      (index) => ((flags[index] ?? 0) & tileFlags.busy) !== 0,
    )
    if (busy.length === 0) return
    this.#busyTimer = setTimeout(() => {
      this.#busyTimer = null
      for (const index of busy) this.#dirty.add(index)
      this.#schedule()
    }, busyFrameMs)
  }

  destroy(): void {
    cancelAnimationFrame(this.#frameRequest)
    if (this.#busyTimer !== null) clearTimeout(this.#busyTimer)
  }
}
