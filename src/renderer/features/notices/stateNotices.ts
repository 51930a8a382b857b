import { computeTile, type Tile, type TileFill } from '../../../core/fleet/health.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Notice } from '../../api/link.ts'
import { fillWords } from '../../components/StatusMark.tsx'
import { filterHash, nodeHash } from '../../stores/route.ts'

/** States somebody wants to hear about who is not looking, worst first. */
const alarming: readonly TileFill[] = ['error', 'halted', 'unreachable']
/** More nodes than this in one state at once are told as one. */
const mostSingleNotices = 3

interface StateChange {
  readonly node: FleetNode
  readonly tile: Tile
}

/** What the last look found, and whether something was wrong since the node was last in step. */
interface Seen {
  readonly fill: TileFill
  readonly troubled: boolean
}

/** Remembers what was seen, so that only changes are told: never the state a window finds when it opens. */
export class StateWatch {
  readonly #seen = new Map<NodeId, Seen>()

  /** @returns the notices that the difference to the last look is worth */
  look(nodes: ReadonlyMap<NodeId, FleetNode>, nowMs: number): readonly Notice[] {
    const changes: StateChange[] = []
    for (const node of nodes.values()) {
      const tile = computeTile(node, nowMs)
      const before = this.#seen.get(node.id)
      this.#seen.set(node.id, { fill: tile.fill, troubled: isTroubled(before, tile.fill) })
      if (before !== undefined && isNews(before, tile.fill)) changes.push({ node, tile })
    }
    for (const id of this.#seen.keys()) if (!nodes.has(id)) this.#seen.delete(id)
    return toNotices(changes)
  }
}

/** A node on its way back is looked at and brought up to date first: the trouble ends when it is in step, not before. */
const isTroubled = (before: Seen | undefined, after: TileFill): boolean =>
  alarming.includes(after) || (after !== 'in-step' && (before?.troubled ?? false))

/** Something went wrong, or what was wrong is in step again. */
function isNews(before: Seen, after: TileFill): boolean {
  if (before.fill === after) return false
  return alarming.includes(after) || (before.troubled && after === 'in-step')
}

function toNotices(changes: readonly StateChange[]): Notice[] {
  const fills = [...alarming, 'in-step'] as const
  return fills.flatMap((fill) => {
    const same = changes.filter(({ tile }) => tile.fill === fill)
    return same.length > mostSingleNotices ? [noticeOfMany(fill, same)] : same.map(noticeOfOne)
  })
}

function noticeOfOne({ node, tile }: StateChange): Notice {
  const body = tile.diagnosis?.sentence ?? `${node.name} is ${fillWords[tile.fill]}.`
  return { title: `${node.name}: ${fillWords[tile.fill]}`, body, hash: nodeHash(node.id) }
}

function noticeOfMany(fill: TileFill, changes: readonly StateChange[]): Notice {
  const names = changes.slice(0, mostSingleNotices).map(({ node }) => node.name)
  const more = changes.length - names.length
  return {
    title: `${changes.length} nodes: ${fillWords[fill]}`,
    body: `${names.join(', ')} and ${more} more.`,
    hash: filterHash(`tile:${fill}`),
  }
}
