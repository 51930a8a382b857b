import {
  type NodeList,
  type NodeRegistry,
  NodeRegistryEntry,
  nodeKeys,
  nodeLists,
  type PreservedKey,
} from '../../shared/model/registry.ts'
import { canonicalJson } from '../canonicalJson.ts'
import {
  entryNode,
  extraKeys,
  fieldNodes,
  memberOf,
  preservedKeys,
  readEntry,
  readSource,
  wrongKind,
} from './entries.ts'
import { formatTree, locate, type Mistake, type SourceNode, type SourceProblem } from './sourceTree.ts'

export type NodesRead =
  | { readonly ok: true; readonly registry: NodeRegistry }
  | { readonly ok: false; readonly problems: readonly SourceProblem[] }

const lists = Object.keys(nodeLists) as readonly NodeList[]

/**
 * Reads a node registry as its sources write it, JSON or YAML: three lists of nodes (S1.15-21). Never throws; all
 * mistakes at once, in the order of the text. A list that is not there is a mistake, because its nodes would be gone.
 */
export function readNodeRegistry(text: string): NodesRead {
  const { root, mistakes: found } = readSource(text)
  const mistakes = [...found]
  const nodes: NodeRegistryEntry[] = []
  let preserved: PreservedKey[] = []
  if (root?.kind === 'object') {
    preserved = preservedKeys(root.members, lists)
    const names = new Set<string>()
    for (const list of lists) mistakes.push(...readList(list, root, { nodes, names }))
  } else if (root !== null) mistakes.push(wrongKind(root, [], `an object with ${lists.join(', ')}`))
  return mistakes.length === 0
    ? { ok: true, registry: { nodes, preserved } }
    : { ok: false, problems: locate(text, mistakes) }
}

interface Collected {
  readonly nodes: NodeRegistryEntry[]
  readonly names: Set<string>
}

function readList(list: NodeList, root: SourceNode, { nodes, names }: Collected): Mistake[] {
  const node = memberOf(root, list)?.node
  if (node === undefined) return [{ path: [list], offset: root.start, message: 'is missing; write [] for none' }]
  if (node.kind !== 'array') return [wrongKind(node, [list], 'a list of nodes')]
  return node.items.flatMap((item, index) => {
    const path = [list, index]
    const around = { list }
    const read = readEntry(item, { schema: NodeRegistryEntry, keys: nodeKeys, path, around, aroundOffset: item.start })
    if (read.value === null) return [...read.mistakes]
    nodes.push(read.value)
    if (names.size < names.add(read.value.name).size) return []
    const offset = memberOf(item, 'name')?.node.start ?? item.start
    return [{ path: [...path, 'name'], offset, message: `${JSON.stringify(read.value.name)} is another node too` }]
  })
}

const nodeNode = (node: NodeRegistryEntry): SourceNode => entryNode(fieldNodes(nodeKeys, node), node.preserved)

/** One node on one line, as its sources write it. */
export function formatNodeEntry(node: NodeRegistryEntry): string {
  return formatTree(nodeNode(node), 0)
}

/** The form the sources read, with every key that was read: same registry in, same object out. */
export function formatNodeRegistry({ nodes, preserved }: NodeRegistry, indent = 2): string {
  const fields = new Map(
    lists.map((list): [string, SourceNode] => {
      const items = nodes.filter((node) => node.list === list).map(nodeNode)
      return [list, { kind: 'array', start: 0, items }]
    }),
  )
  return formatTree(entryNode(fields, preserved), indent)
}

/**
 * The text whose SHA-256 is the digest of a revision. Status and times do not count: they are what the fleet tells (S1.19-21),
 * and a source that we write them back to must not change by that.
 */
export function nodeDigestText({ nodes, preserved }: Pick<NodeRegistry, 'nodes' | 'preserved'>): string {
  const entries = nodes.map(({ name, list, ip, ssh_user, preserved: keys }) => ({
    name,
    list,
    ip,
    ssh_user,
    extra: extraKeys(keys),
  }))
  entries.sort((left, right) => (left.name < right.name ? -1 : 1))
  return canonicalJson({ nodes: entries, extra: extraKeys(preserved) })
}
