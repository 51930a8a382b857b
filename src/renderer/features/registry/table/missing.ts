import type { SourceNode } from '../../../../core/registry/sourceTree.ts'
import type { FleetNode, NodeKind } from '../../../../shared/model/node.ts'
import { type NodeList, nodeLists } from '../../../../shared/model/registry.ts'
import { type EntryRow, withNewEntry, withValue } from '../draft/entries.ts'

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
  return nodes.reduce((before, node) => {
    const next = withNewEntry('nodes', before, node.name)
    const set = (tree: SourceNode, field: string, text: string): SourceNode =>
      withValue(tree, next.place, { field, text })
    const filled = [
      ['ip', node.address],
      ['ssh_user', node.user],
      ['status', node.status],
    ].reduce((tree, [field = '', text = '']) => set(tree, field, text), next.root)
    return set(filled, 'list', listOfKind.get(node.kind) ?? 'worker_nodes')
  }, root)
}
