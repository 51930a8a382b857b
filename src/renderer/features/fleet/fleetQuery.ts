import { type FilterResult, matchesFilter, parseFilter } from '../../../core/fleet/filter.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { FleetGroup } from './map/scene.ts'

/** What the tiles are grouped by: the kind, a label, or nothing. `label.<key>` as in the filter language. */
export type GroupBy = 'kind' | 'none' | `label.${string}`

export const parseGroupBy = (text: string | undefined): GroupBy =>
  text === 'none' || text?.startsWith('label.') === true ? (text as GroupBy) : 'kind'

const kindTitles: Readonly<Record<FleetNode['kind'], string>> = {
  laptop: 'laptops',
  vps: 'vps',
  worker: 'workers',
  storage: 'storage',
  vm: 'virtual machines',
}

function groupKeyOf(node: FleetNode, groupBy: GroupBy): string {
  if (groupBy === 'none') return 'all'
  if (groupBy === 'kind') return node.kind
  return node.labels[groupBy.slice('label.'.length)] ?? ''
}

function titleOf(key: string, groupBy: GroupBy): string {
  if (groupBy === 'none') return 'all nodes'
  if (groupBy === 'kind') return kindTitles[key as FleetNode['kind']]
  const label = groupBy.slice('label.'.length)
  return key === '' ? `no ${label}` : `${label} ${key}`
}

const byName = (first: FleetNode, second: FleetNode): number =>
  first.name < second.name ? -1 : first.name > second.name ? 1 : 0

/**
 * Nodes sorted by name. Sorting thousands ten times a second would cost more than drawing them, so an order stays as
 * long as the names do.
 */
export class NameOrder {
  #sorted: readonly FleetNode[] = []

  sort(nodes: ReadonlyMap<FleetNode['id'], FleetNode>): readonly FleetNode[] {
    const kept = this.#refresh(nodes)
    this.#sorted = kept ?? [...nodes.values()].sort(byName)
    return this.#sorted
  }

  #refresh(nodes: ReadonlyMap<FleetNode['id'], FleetNode>): readonly FleetNode[] | null {
    if (nodes.size !== this.#sorted.length) return null
    const refreshed: FleetNode[] = []
    for (const old of this.#sorted) {
      const node = nodes.get(old.id)
      if (node === undefined || node.name !== old.name) return null
      refreshed.push(node)
    }
    return refreshed
  }
}

/** @param nodes already in the order wanted; it is kept within each group */
export function groupNodes(nodes: readonly FleetNode[], groupBy: GroupBy): readonly FleetGroup[] {
  const groups = new Map<string, FleetNode[]>()
  for (const node of nodes) {
    const key = groupKeyOf(node, groupBy)
    const members = groups.get(key)
    if (members === undefined) groups.set(key, [node])
    else members.push(node)
  }
  return [...groups]
    .sort(([first], [second]) => (first < second ? -1 : 1))
    .map(([key, members]) => ({ key, title: titleOf(key, groupBy), nodes: members }))
}

/** With a mistake in the filter nothing is hidden: the mistake is shown instead. */
export function filterNodes(nodes: readonly FleetNode[], parsed: FilterResult, nowMs: number): readonly FleetNode[] {
  if (!parsed.ok || parsed.filter.kind === 'all') return nodes
  return nodes.filter((node) => matchesFilter(parsed.filter, node, nowMs))
}

export { parseFilter }

/** Every label key in use, for choosing what to group by. */
export function labelKeys(nodes: Iterable<FleetNode>): readonly string[] {
  const keys = new Set<string>()
  for (const node of nodes) for (const key of Object.keys(node.labels)) keys.add(key)
  return [...keys].sort()
}
