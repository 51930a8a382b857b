import type { SourceNode } from '../../../../core/registry/sourceTree.ts'
import type { FleetNode, NodeKind } from '../../../../shared/model/node.ts'
import { type NodeList, nodeLists } from '../../../../shared/model/registry.ts'
import { type EntryRow, withNodeEntries } from '../draft/entries.ts'

const listOfKind = new Map<NodeKind, NodeList>(
  Object.entries(nodeLists).map(([list, kind]) => [kind, list as NodeList]),
)

/** Nodes of the fleet that a node registry has a list for, but no entry. By name. */
export function notRegistered(nodes: Iterable<FleetNode>, entries: readonly EntryRow[]): readonly FleetNode[] {
  const registered = new Set(entries.map(({ name }) => name))
  return [...nodes]
    .filter(({ name, kind, transport }) => transport === 'push' && listOfKind.has(kind) && !registered.has(name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** Registers them as the fleet knows them. */
export function withNodes(root: SourceNode, nodes: readonly FleetNode[]): SourceNode {
  return [...listOfKind].reduce((tree, [kind, list]) => {
    const members = nodes.filter((node) => node.kind === kind)
    const fresh = members.map(({ name, address, user }) => ({ name, ip: address, ssh_user: user }))
    return members.length === 0 ? tree : withNodeEntries(tree, list, fresh)
  }, root)
}
