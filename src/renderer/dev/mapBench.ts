/* The page of bench/map.bench.ts: the product's own map against one element a tile, drawing the same fleet. */
import '../styles/tokens.css'
import './mapBench.css'
import { fakeNodes } from '../api/links/fakeFleet.ts'
import { groupNodes } from '../features/fleet/fleetQuery.ts'
import { type MapLayout, type PlacedGroup, tilePosition } from '../features/fleet/map/layout.ts'
import { MapController } from '../features/fleet/map/MapController.ts'
import { buildScene, type Scene, TileCache } from '../features/fleet/map/scene.ts'
import { styles } from '../features/fleet/map/styles.ts'
import { readMapTheme } from '../features/fleet/map/theme.ts'

export interface MapBenchResult {
  readonly tiles: number
  /** Milliseconds of a frame in which every tile looks different, without waiting for the display. */
  readonly fullRedrawMs: readonly number[]
  /** The same for a frame of a pan, in which every tile is painted elsewhere. */
  readonly panFrameMs: readonly number[]
  /** The same for a frame that shows that one hundred nodes have changed. */
  readonly hundredChangesMs: readonly number[]
}

export interface MapBench {
  ours(tileCount: number): Promise<MapBenchResult>
  elements(tileCount: number): Promise<MapBenchResult>
}

declare global {
  interface Window {
    mapBench?: MapBench
  }
}

const redraws = 40
const panFrames = 180
const warmUps = 10

const nextFrame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve))

interface Subject {
  /** Change the look of every tile. */
  redraw(round: number): void
  pan(dx: number): void
  changeHundred(round: number): void
}

/** One act in every frame, frames as fast as they come: the distance between two is what one act costs, pixels and all. */
async function frameCosts(frames: number, act: (frame: number) => void): Promise<number[]> {
  const samples: number[] = []
  await nextFrame()
  let before = performance.now()
  for (let frame = -warmUps; frame < frames; frame += 1) {
    act(frame)
    await nextFrame()
    const now = performance.now()
    if (frame >= 0) samples.push(now - before)
    before = now
  }
  return samples
}

async function measure(tiles: number, subject: Subject): Promise<MapBenchResult> {
  return {
    tiles,
    fullRedrawMs: await frameCosts(redraws, (frame) => subject.redraw(frame)),
    panFrameMs: await frameCosts(panFrames, (frame) =>
      subject.pan(Math.floor((frame + warmUps) / 40) % 2 === 0 ? 2 : -2),
    ),
    hundredChangesMs: await frameCosts(redraws, (frame) => subject.changeHundred(frame)),
  }
}

const stage = document.getElementById('stage') as HTMLElement
const viewport = { width: 1280, height: 752 }

/** Two versions of one fleet in which every node looks different: the second is the first, shifted by one. */
function scenes(tileCount: number): {
  readonly groups: ReturnType<typeof groupNodes>
  readonly versions: readonly [Scene, Scene]
} {
  const groups = groupNodes(fakeNodes(tileCount, Date.now()), 'kind')
  const cache = new TileCache()
  cache.setClock(Date.now())
  const first = buildScene(groups, { by: 'sync' }, cache)
  const second: Scene = {
    ...first,
    tiles: first.tiles.map((tile) => ({ ...tile })),
    style: first.style.map((style) => (style + 1) % 7),
  }
  return { groups, versions: [first, second] }
}

function withHundred(scene: Scene, round: number): Scene {
  const style = scene.style.slice()
  const tiles = scene.tiles.slice()
  for (let each = 0; each < 100; each += 1) {
    const index = (each * 97 + round * 13 + 2000) % style.length
    style[index] = ((style[index] ?? 0) + 1 + (Math.abs(round) % 5)) % 7
    tiles[index] = { ...(tiles[index] as (typeof tiles)[number]) }
  }
  return { ...scene, style, tiles }
}

function canvasSubject(tileCount: number): {
  readonly subject: Subject
  readonly controller: MapController
  readonly stop: () => void
} {
  const base = document.createElement('canvas')
  const overlay = document.createElement('canvas')
  for (const canvas of [base, overlay]) canvas.className = 'bench-canvas'
  stage.replaceChildren(base, overlay)
  const controller = new MapController(base, overlay, { theme: readMapTheme(), reducedMotion: true })
  const { groups, versions } = scenes(tileCount)
  const input = groups.map((group) => ({
    key: group.key,
    title: group.title,
    count: group.nodes.length,
    collapsed: false,
  }))
  controller.resize(viewport, 1)
  controller.setData({ scene: versions[0], groups: input })
  // Large enough to be moved in both directions, small enough for nearly all tiles to stay in sight.
  controller.zoomBy({ x: 0, y: 0 }, 1.02)
  const subject: Subject = {
    redraw: (round) => {
      controller.setData({ scene: versions[Math.abs(round) % 2] as Scene, groups: input })
      controller.requestFull()
    },
    pan: (dx) => controller.panBy(dx, 0),
    changeHundred: (round) => controller.setData({ scene: withHundred(versions[0], round), groups: input }),
  }
  return { subject, controller, stop: () => controller.destroy() }
}

function placeElements(
  layout: MapLayout,
  scene: Scene,
): { readonly world: HTMLElement; readonly tiles: HTMLElement[] } {
  const world = document.createElement('div')
  world.className = 'bench-world'
  const groupAt = (index: number): PlacedGroup =>
    layout.groups.find((group) => index < group.first + group.count) as PlacedGroup
  const tiles = Array.from(scene.style, (style, index) => {
    const tile = document.createElement('div')
    const at = tilePosition(layout, groupAt(index), index)
    tile.className = `bench-tile ${styles[style]?.shape}`
    Object.assign(tile.style, {
      left: `${at.x}px`,
      top: `${at.y}px`,
      width: `${layout.side}px`,
      height: `${layout.side}px`,
    })
    return tile
  })
  world.append(...tiles)
  return { world, tiles }
}

function elementSubject(tileCount: number): Subject {
  const { controller, stop } = canvasSubject(tileCount)
  const { layout } = controller
  stop()
  const { versions } = scenes(tileCount)
  const { world, tiles } = placeElements(layout, versions[0])
  stage.replaceChildren(world)
  let x = 0
  const show = (scene: Scene): void => {
    for (let index = 0; index < tiles.length; index += 1) {
      const name = `bench-tile ${styles[scene.style[index] ?? 0]?.shape}`
      const tile = tiles[index] as HTMLElement
      if (tile.className !== name) tile.className = name
    }
  }
  return {
    redraw: (round) => show(versions[Math.abs(round) % 2] as Scene),
    pan: (dx) => {
      x += dx
      world.style.transform = `translate(${x}px, 0)`
    },
    changeHundred: (round) => show(withHundred(versions[0], round)),
  }
}

window.mapBench = {
  ours: async (tileCount) => {
    const { subject, stop } = canvasSubject(tileCount)
    const result = await measure(tileCount, subject)
    stop()
    return result
  },
  elements: (tileCount) => measure(tileCount, elementSubject(tileCount)),
}
