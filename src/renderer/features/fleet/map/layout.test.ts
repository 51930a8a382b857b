import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clampCamera, largestZoom, reveal, toMap, toScreen, zoomAround } from './camera.ts'
import { boxOf, type Direction, hitTest, neighbour, tilesIn } from './hitTest.ts'
import { type GroupInput, groupOf, headerPixels, layoutFleet, type MapLayout, tilePosition } from './layout.ts'

const groupsOf = (counts: readonly number[], collapsed: readonly boolean[] = []): GroupInput[] =>
  counts.map((count, index) => ({ key: `g${index}`, count, collapsed: collapsed[index] ?? false }))

const anyGroups = fc
  .array(fc.record({ count: fc.integer({ min: 1, max: 400 }), collapsed: fc.boolean() }), {
    minLength: 1,
    maxLength: 9,
  })
  .map((groups) => groups.map((group, index): GroupInput => ({ ...group, key: `g${index}` })))
const anyViewport = fc.record({
  width: fc.integer({ min: 320, max: 3000 }),
  height: fc.integer({ min: 200, max: 2000 }),
})

function everyTile(layout: MapLayout): { readonly index: number; readonly x: number; readonly y: number }[] {
  return layout.groups
    .filter((group) => !group.collapsed)
    .flatMap((group) =>
      Array.from({ length: group.count }, (_, at) => ({
        index: group.first + at,
        ...tilePosition(layout, group, group.first + at),
      })),
    )
}

describe('layoutFleet', () => {
  it('gives every tile a place of its own inside the width of the window', () => {
    fc.assert(
      fc.property(anyGroups, anyViewport, (groups, viewport) => {
        const layout = layoutFleet(groups, viewport)
        const tiles = everyTile(layout)
        expect(new Set(tiles.map(({ x, y }) => `${x} ${y}`)).size).toBe(tiles.length)
        for (const { x } of tiles) expect(x + layout.side).toBeLessThanOrEqual(Math.max(viewport.width, layout.width))
        expect(layout.tileCount).toBe(groups.reduce((sum, group) => sum + group.count, 0))
      }),
    )
  })

  it('never lets two groups overlap', () => {
    fc.assert(
      fc.property(anyGroups, anyViewport, (groups, viewport) => {
        const { groups: placed } = layoutFleet(groups, viewport)
        for (const [at, first] of placed.entries()) {
          for (const second of placed.slice(at + 1)) {
            const apart =
              first.x + first.width <= second.x ||
              second.x + second.width <= first.x ||
              first.y + first.height <= second.y ||
              second.y + second.height <= first.y
            expect(apart).toBe(true)
          }
        }
      }),
    )
  })

  it('fits 412 nodes into a laptop window and takes the largest tiles that do', () => {
    const layout = layoutFleet(groupsOf([63, 56, 54, 57, 182]), { width: 1232, height: 690 })
    expect(layout.height).toBeLessThanOrEqual(690)
    expect(layout.side).toBeGreaterThanOrEqual(28)
  })

  it('shows a fleet of twelve as cards', () => {
    expect(layoutFleet(groupsOf([3, 3, 6]), { width: 1232, height: 720 }).side).toBeGreaterThanOrEqual(126)
  })

  it('grows downwards when even the smallest tiles do not fit', () => {
    const layout = layoutFleet(groupsOf([200_000]), { width: 800, height: 600 })
    expect(layout.height).toBeGreaterThan(600)
    expect(layout.width).toBeLessThanOrEqual(800)
  })

  it('folds a group to a bar but keeps the numbers of the tiles after it', () => {
    const layout = layoutFleet(groupsOf([10, 20], [true, false]), { width: 800, height: 600 })
    expect(layout.groups[0]?.rows).toBe(0)
    expect(layout.groups[1]?.first).toBe(10)
    expect(groupOf(layout, 9)?.key).toBe('g0')
    expect(groupOf(layout, 10)?.key).toBe('g1')
    expect(groupOf(layout, 30)).toBeUndefined()
  })
})

describe('hitTest', () => {
  it('finds the very tile whose middle is pointed at', () => {
    fc.assert(
      fc.property(anyGroups, anyViewport, (groups, viewport) => {
        const layout = layoutFleet(groups, viewport)
        for (const { index, x, y } of everyTile(layout)) {
          expect(hitTest(layout, { x: x + layout.side / 2, y: y + layout.side / 2 })).toEqual({ kind: 'tile', index })
        }
      }),
      { numRuns: 30 },
    )
  })

  it('tells title, bar and ground apart', () => {
    const layout = layoutFleet(groupsOf([10, 20], [true, false]), { width: 800, height: 600 })
    const [folded, open] = layout.groups
    if (folded === undefined || open === undefined) throw new Error('no groups')
    expect(hitTest(layout, { x: open.x + 1, y: open.y + 1 })).toMatchObject({ kind: 'title', group: { key: 'g1' } })
    expect(hitTest(layout, { x: folded.x + 1, y: folded.y + headerPixels + 1 })).toMatchObject({
      kind: 'bar',
      group: { key: 'g0' },
    })
    expect(hitTest(layout, { x: 0, y: 0 })).toEqual({ kind: 'ground' })
  })

  it('catches with a lasso exactly the tiles that it touches', () => {
    const point = fc.record({ x: fc.integer({ min: -50, max: 1500 }), y: fc.integer({ min: -50, max: 1200 }) })
    fc.assert(
      fc.property(anyGroups, point, point, (groups, first, second) => {
        const layout = layoutFleet(groups, { width: 1280, height: 800 })
        const box = boxOf(first, second)
        const touched = everyTile(layout)
          .filter(
            ({ x, y }) => x <= box.right && x + layout.side > box.left && y <= box.bottom && y + layout.side > box.top,
          )
          .map(({ index }) => index)
        expect(tilesIn(layout, box)).toEqual(touched)
      }),
      { numRuns: 60 },
    )
  })
})

describe('walking with the arrow keys', () => {
  const layout = layoutFleet(groupsOf([7, 5, 30]), { width: 900, height: 700 })

  it('goes to the tile at that side and back again within a group', () => {
    const large = layout.groups[2]
    if (large === undefined) throw new Error('no group')
    const start = large.first
    expect(neighbour(layout, start, 'right')).toBe(start + 1)
    expect(neighbour(layout, start + 1, 'left')).toBe(start)
    expect(neighbour(layout, start, 'down')).toBe(start + large.columns)
    expect(neighbour(layout, start + large.columns, 'up')).toBe(start)
  })

  it('never leaves the map, and reaches every tile', () => {
    const directions: readonly Direction[] = ['left', 'right', 'up', 'down']
    const reached = new Set<number>([0])
    const queue = [0]
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
      for (const direction of directions) {
        const next = neighbour(layout, index, direction)
        expect(next).toBeGreaterThanOrEqual(0)
        expect(next).toBeLessThan(layout.tileCount)
        if (!reached.has(next)) queue.push(next)
        reached.add(next)
      }
    }
    expect(reached.size).toBe(layout.tileCount)
  })
})

describe('the camera', () => {
  const layout = layoutFleet(groupsOf([400, 300]), { width: 1200, height: 700 })
  const anyCamera = fc.record({
    zoom: fc.double({ min: 0.4, max: 8, noNaN: true }),
    x: fc.integer({ min: -3000, max: 3000 }),
    y: fc.integer({ min: -3000, max: 3000 }),
  })

  it('keeps the point under the pointer while it zooms', () => {
    fc.assert(
      fc.property(
        anyCamera,
        fc.integer({ min: 0, max: 1200 }),
        fc.integer({ min: 0, max: 700 }),
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (camera, x, y, factor) => {
          const anchor = { x, y }
          const before = toMap(camera, anchor)
          const after = toScreen(zoomAround(camera, layout, anchor, factor), before)
          expect(after.x).toBeCloseTo(x, 4)
          expect(after.y).toBeCloseTo(y, 4)
        },
      ),
    )
  })

  it('never loses the map', () => {
    fc.assert(
      fc.property(anyCamera, (camera) => {
        const viewport = { width: 1200, height: 700 }
        const clamped = clampCamera(camera, layout, viewport)
        expect(clamped.x).toBeLessThanOrEqual(viewport.width)
        expect(clamped.x + layout.width * clamped.zoom).toBeGreaterThanOrEqual(0)
        expect(clampCamera(clamped, layout, viewport)).toEqual(clamped)
      }),
    )
  })

  it('reaches cards from any layout', () => {
    expect(layout.side * largestZoom(layout)).toBeGreaterThanOrEqual(126)
  })

  it('brings a tile out from under the drawer', () => {
    const camera = reveal({ zoom: 1, x: 0, y: 0 }, { x: 1100, y: 100 }, 20, { width: 1200, height: 700 }, 440)
    expect(toScreen(camera, { x: 1100, y: 100 }).x + 20).toBeLessThanOrEqual(1200 - 440)
  })
})
