import { isSensitiveKey } from '../../../../core/registry/sensitive.ts'
import { formatTree, type SourceMember, type SourceNode, scalarNode } from '../../../../core/registry/sourceTree.ts'
import {
  type NodeList,
  nodeKeys,
  nodeLists,
  type RegistryKind,
  serviceKeys,
} from '../../../../shared/model/registry.ts'

/*
 * A registry text as rows of a table, and changes of a row as changes of the text. It works on the tree of the text, not
 * on the model, so that whatever is wrong (a name that is there twice, a port that is no number) has a row to be put right in.
 */

/** Where an entry stands: in the object of services, or in one of the lists of nodes. */
export interface EntryPlace {
  /** Null for services. */
  readonly list: NodeList | null
  readonly index: number
}

export interface EntryRow {
  /** The same row after a change of its fields, and after a change of other rows' fields. */
  readonly id: string
  readonly place: EntryPlace
  readonly name: string
  /** The model's fields as a person would type them; those that are not there are empty. */
  readonly values: Readonly<Record<string, string>>
  /** Keys that only the source of the registry knows. */
  readonly extra: readonly ExtraKey[]
  /** The whole entry in one line, to tell what has changed. */
  readonly json: string
}

interface ExtraKey {
  readonly key: string
  /** Nobody may read it: shown by its key alone. */
  readonly sensitive: boolean
}

export const listWords: Readonly<Record<NodeList, string>> = {
  management_laptops: 'laptops',
  vps_nodes: 'vps',
  worker_nodes: 'workers',
}
export const lists = Object.keys(nodeLists) as readonly NodeList[]

const object = (members: readonly SourceMember[]): SourceNode => ({ kind: 'object', start: 0, members })
const array = (items: readonly SourceNode[]): SourceNode => ({ kind: 'array', start: 0, items })
const member = (key: string, node: SourceNode): SourceMember => ({ key, keyStart: 0, node })
const membersOf = (node: SourceNode): readonly SourceMember[] => (node.kind === 'object' ? node.members : [])
const itemsOf = (node: SourceNode | undefined): readonly SourceNode[] => (node?.kind === 'array' ? node.items : [])
const memberIn = (node: SourceNode, key: string): SourceNode | undefined =>
  membersOf(node).find((each) => each.key === key)?.node

/** A registry without entries. */
export const emptyRoot = (registry: RegistryKind): SourceNode =>
  object(registry === 'services' ? [] : lists.map((list) => member(list, array([]))))

/** A change of one entry leaves all others as they were: their rows are made once. */
const rowsOfRoots = new WeakMap<SourceNode, readonly EntryRow[]>()
const lines = new WeakMap<SourceNode, string>()

function lineOf(node: SourceNode): string {
  const line = lines.get(node) ?? formatTree(node, 0)
  lines.set(node, line)
  return line
}

/** All entries in the order of the text. A root belongs to one registry. */
export function entryRows(registry: RegistryKind, root: SourceNode): readonly EntryRow[] {
  const rows = rowsOfRoots.get(root) ?? readRows(registry, root)
  rowsOfRoots.set(root, rows)
  return rows
}

function readRows(registry: RegistryKind, root: SourceNode): readonly EntryRow[] {
  if (registry === 'services')
    return membersOf(root).map(({ key, node }, index) =>
      rowOf({ list: null, index }, { name: key, node, known: serviceKeys, json: `${JSON.stringify(key)}:` }),
    )
  return lists.flatMap((list) =>
    itemsOf(memberIn(root, list)).map((node, index) =>
      rowOf({ list, index }, { name: textOf(memberIn(node, 'name')), node, known: nodeKeys, json: `${list}:` }),
    ),
  )
}

interface RowParts {
  readonly name: string
  readonly node: SourceNode
  readonly known: readonly string[]
  /** What belongs to the entry but stands around it. */
  readonly json: string
}

function rowOf(place: EntryPlace, { name, node, known, json }: RowParts): EntryRow {
  const values: Record<string, string> = place.list === null ? { name } : { name, list: place.list }
  const extra: ExtraKey[] = []
  for (const each of membersOf(node)) {
    if (known.includes(each.key)) values[each.key] = textOf(each.node)
    else extra.push({ key: each.key, sensitive: isSensitiveKey(each.key) })
  }
  return { id: rowId(place), place, name, values, extra, json: json + lineOf(node) }
}

export const rowId = ({ list, index }: EntryPlace): string => `${list ?? 'service'} ${index}`

/** As a person would type it: texts without quotes. */
function textOf(node: SourceNode | undefined): string {
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return ''
  return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : formatTree(node, 0)
}

/** What a typed text means in a field; a text that fits no field stays a text, and the check says why it is wrong. */
function nodeOf(field: string, text: string): SourceNode {
  if (field === 'port' && /^(?:0|[1-9]\d{0,8})$/.test(text)) return scalarNode(Number(text))
  if (field === 'public' && /^(?:true|false)$/.test(text)) return scalarNode(text === 'true')
  return scalarNode(text)
}

/** Puts another text into a field of an entry; everything else stays as it is. `name` and `list` are fields too. */
export function withValue(
  root: SourceNode,
  place: EntryPlace,
  { field, text }: { readonly field: string; readonly text: string },
): SourceNode {
  if (place.list === null) {
    return mapMember(root, place.index, (entry) =>
      field === 'name' ? { ...entry, key: text } : { ...entry, node: withField(entry.node, field, text, serviceKeys) },
    )
  }
  if (field === 'list') return movedTo(root, place, text as NodeList)
  return mapList(root, place.list, (items) =>
    items.map((item, index) => (index === place.index ? withField(item, field, text, nodeKeys) : item)),
  )
}

function mapMember(root: SourceNode, index: number, change: (entry: SourceMember) => SourceMember): SourceNode {
  return object(membersOf(root).map((each, at) => (at === index ? change(each) : each)))
}

function mapList(
  root: SourceNode,
  list: NodeList,
  change: (items: readonly SourceNode[]) => readonly SourceNode[],
): SourceNode {
  const members = membersOf(root)
  if (!members.some(({ key }) => key === list)) return object([...members, member(list, array(change([])))])
  return object(
    members.map((each) => (each.key === list ? { ...each, node: array(change(itemsOf(each.node))) } : each)),
  )
}

/** A field that was not there gets its usual place among the others. */
function withField(node: SourceNode, field: string, text: string, usual: readonly string[]): SourceNode {
  const members = membersOf(node)
  const value = nodeOf(field, text)
  if (members.some(({ key }) => key === field))
    return object(members.map((each) => (each.key === field ? { ...each, node: value } : each)))
  const after = new Set(usual.slice(usual.indexOf(field) + 1))
  const at = members.findIndex(({ key }) => after.has(key))
  const position = at < 0 ? members.length : at
  return object([...members.slice(0, position), member(field, value), ...members.slice(position)])
}

function movedTo(root: SourceNode, place: EntryPlace, list: NodeList): SourceNode {
  if (place.list === null || place.list === list) return root
  const item = itemsOf(memberIn(root, place.list))[place.index]
  if (item === undefined) return root
  const without = mapList(root, place.list, (items) => items.filter((_, index) => index !== place.index))
  return mapList(without, list, (items) => [...items, item])
}

/** A new entry behind all others, still to be filled in. */
export function withNewEntry(
  registry: RegistryKind,
  root: SourceNode,
): { readonly root: SourceNode; readonly place: EntryPlace } {
  if (registry === 'services') {
    const node = object([
      member('subdomain', scalarNode('')),
      member('ip', scalarNode('')),
      member('public', scalarNode(false)),
    ])
    return {
      root: object([...membersOf(root), member('', node)]),
      place: { list: null, index: membersOf(root).length },
    }
  }
  const list: NodeList = 'worker_nodes'
  const index = itemsOf(memberIn(root, list)).length
  return { root: withNodeEntries(root, list, [{ name: '', ip: '', ssh_user: '' }]), place: { list, index } }
}

interface NewNode {
  readonly name: string
  readonly ip: string
  readonly ssh_user: string
}

/** Nodes behind all others of a list; when they were in step is for the fleet to say. */
export function withNodeEntries(root: SourceNode, list: NodeList, nodes: readonly NewNode[]): SourceNode {
  const fresh = nodes.map(({ name, ip, ssh_user }) =>
    object([
      member('ip', scalarNode(ip)),
      member('name', scalarNode(name)),
      member('ssh_user', scalarNode(ssh_user)),
      member('status', scalarNode('pending_sync')),
      member('last_sync', scalarNode(null)),
      member('last_attempt', scalarNode(null)),
    ]),
  )
  return mapList(root, list, (items) => [...items, ...fresh])
}

export function withoutEntries(root: SourceNode, places: readonly EntryPlace[]): SourceNode {
  const services = new Set(places.flatMap(({ list, index }) => (list === null ? [index] : [])))
  const kept = services.size === 0 ? root : object(membersOf(root).filter((_, index) => !services.has(index)))
  return lists.reduce((node, list) => {
    const gone = new Set(places.flatMap((place) => (place.list === list ? [place.index] : [])))
    return gone.size === 0 ? node : mapList(node, list, (items) => items.filter((_, index) => !gone.has(index)))
  }, kept)
}

/** An entry as another tree has it: in the place of the one with its name, else where it stands there; taken out when it is not there. */
export function withEntryOf(
  registry: RegistryKind,
  root: SourceNode,
  { name, from }: { readonly name: string; readonly from: SourceNode },
): SourceNode {
  const [here, there] = [root, from].map((each) => entryRows(registry, each).find((row) => row.name === name))
  if (there === undefined) return here === undefined ? root : withoutEntries(root, [here.place])
  const node = nodeAt(from, there.place)
  if (node === undefined) return root
  const { list, index } = there.place
  if (list === null) {
    if (here !== undefined) return mapMember(root, here.place.index, (entry) => ({ ...entry, node }))
    return object(membersOf(root).toSpliced(index, 0, member(name, node)))
  }
  if (here?.place.list === list)
    return mapList(root, list, (items) => items.map((item, at) => (at === here.place.index ? node : item)))
  const without = here === undefined ? root : withoutEntries(root, [here.place])
  return mapList(without, list, (items) => items.toSpliced(index, 0, node))
}

function nodeAt(root: SourceNode, { list, index }: EntryPlace): SourceNode | undefined {
  return list === null ? membersOf(root)[index]?.node : itemsOf(memberIn(root, list))[index]
}

/** Which entry, and which of its fields, a path of a mistake means; null for the document itself. */
export function placeOfPath(
  registry: RegistryKind,
  path: readonly (string | number)[],
): { readonly key: string; readonly field: string | null } | null {
  const [first, second, third] = path
  if (first === undefined) return null
  if (registry === 'services') return { key: String(first), field: second === undefined ? 'name' : String(second) }
  if (typeof second !== 'number') return null
  return { key: rowId({ list: first as NodeList, index: second }), field: third === undefined ? null : String(third) }
}

/** What {@link placeOfPath} calls a row: services by their name, nodes by their place. */
export const problemKeyOf = (registry: RegistryKind, row: EntryRow): string =>
  registry === 'services' ? row.name : row.id
