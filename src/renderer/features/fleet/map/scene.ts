import { computeTile, type Tile } from '../../../../core/fleet/health.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { type Fill, styleIndexOf } from './styles.ts'

export interface FleetGroup {
  readonly key: string
  readonly title: string
  /** In the order in which their tiles stand. */
  readonly nodes: readonly FleetNode[]
}

export const tileFlags = { busy: 1, drift: 2, locked: 4 } as const

/** What the painter reads, one entry a tile, in typed arrays so that 10,000 of them are walked in no time. */
export interface Scene {
  readonly nodes: readonly FleetNode[]
  readonly tiles: readonly Tile[]
  readonly style: Uint8Array
  readonly flags: Uint8Array
  readonly certificateShare: Float32Array
  /** 0 none, 1 fine, 2 soon, 3 critical or expired, 4 a static key. */
  readonly certificateLevel: Uint8Array
}

const levelNumber: Readonly<Record<Tile['certificate']['level'], number>> = {
  none: 0,
  ok: 1,
  soon: 2,
  critical: 3,
  expired: 3,
  'static-key': 4,
}

const flagsOf = (tile: Tile): number =>
  (tile.busy ? tileFlags.busy : 0) | (tile.drift ? tileFlags.drift : 0) | (tile.locked ? tileFlags.locked : 0)

/** Tiles are the same for the same node within one step of the clock; nodes are never changed in place. */
export class TileCache {
  #tiles = new WeakMap<FleetNode, Tile>()
  #nowMs = 0

  /** @param nowMs rounded to how often certificates are to be looked at again */
  setClock(nowMs: number): void {
    if (nowMs === this.#nowMs) return
    this.#nowMs = nowMs
    this.#tiles = new WeakMap()
  }

  get(node: FleetNode): Tile {
    const known = this.#tiles.get(node)
    if (known !== undefined) return known
    const tile = computeTile(node, this.#nowMs)
    this.#tiles.set(node, tile)
    return tile
  }
}

export function buildScene(groups: readonly FleetGroup[], fill: Fill, cache: TileCache): Scene {
  const nodes = groups.flatMap((group) => group.nodes)
  const tiles = nodes.map((node) => cache.get(node))
  return {
    nodes,
    tiles,
    style: Uint8Array.from(tiles, (tile, index) => styleIndexOf(nodes[index] as FleetNode, tile, fill)),
    flags: Uint8Array.from(tiles, flagsOf),
    certificateShare: Float32Array.from(tiles, (tile) => tile.certificate.shareLeft),
    certificateLevel: Uint8Array.from(tiles, (tile) => levelNumber[tile.certificate.level]),
  }
}

/** @returns the tiles that look different, or null when the scenes do not hold the same nodes in the same order. */
export function changedTiles(before: Scene, after: Scene): number[] | null {
  if (before.nodes.length !== after.nodes.length) return null
  const changed: number[] = []
  for (let index = 0; index < after.nodes.length; index += 1) {
    const old = before.nodes[index] as FleetNode
    const now = after.nodes[index] as FleetNode
    if (old.id !== now.id) return null
    if (before.tiles[index] === after.tiles[index] && before.style[index] === after.style[index]) continue
    if (looksDifferent(before, after, index)) changed.push(index)
  }
  return changed
}

function looksDifferent(before: Scene, after: Scene, index: number): boolean {
  const old = before.tiles[index] as Tile
  const now = after.tiles[index] as Tile
  return (
    before.style[index] !== after.style[index] ||
    before.flags[index] !== after.flags[index] ||
    before.certificateLevel[index] !== after.certificateLevel[index] ||
    Math.abs((before.certificateShare[index] ?? 0) - (after.certificateShare[index] ?? 0)) > 0.01 ||
    old.short !== now.short ||
    old.verifiedAt !== now.verifiedAt ||
    before.nodes[index]?.name !== after.nodes[index]?.name
  )
}
