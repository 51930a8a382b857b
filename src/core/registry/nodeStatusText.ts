import { isMap, isPair, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml'
import type { NodeList, NodeRegistry, NodeRegistryEntry } from '../../shared/model/registry.ts'
import { nodeLists } from '../../shared/model/registry.ts'
import { memberOf, readSource } from './entries.ts'
import { readNodeRegistry } from './nodeRegistry.ts'
import type { SourceMember, SourceNode } from './sourceTree.ts'

const statusKeys = ['status', 'last_sync', 'last_attempt'] as const
type StatusKey = (typeof statusKeys)[number]
type NodeStatusFields = Pick<NodeRegistryEntry, StatusKey>

/** One replacement in a text. */
interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Where an entry has its status, and how another key is put behind one that is there. */
interface EntryPlace {
  readonly name: string
  readonly spans: ReadonlyMap<StatusKey, { readonly start: number; readonly end: number }>
  /** Between two keys of this entry. */
  readonly separator: string
  /** How a key is written. */
  readonly keyText: (key: StatusKey) => string
}

/**
 * Puts status, last sync and last attempt of nodes into a node registry as its source wrote it (S1.19-21). Everything
 * else stays byte for byte: nodes we do not know, keys of others, spaces, comments. A time that we do not know never
 * replaces one.
 *
 * @returns the new text, the same text when it says so already, or null where that cannot be done in place
 */
export function writeNodeStatus(text: string, registry: NodeRegistry): string | null {
  const before = readNodeRegistry(text)
  if (!before.ok) return null
  const known = new Map(registry.nodes.map((node) => [node.name, node]))
  const now = new Map(before.registry.nodes.map((node) => [node.name, node]))
  const wanted = new Map(before.registry.nodes.map((node) => [node.name, merged(node, known.get(node.name))]))
  const edits = entryPlaces(text).flatMap((place) => editsOf(place, now.get(place.name), wanted.get(place.name)))
  const after = apply(text, edits)
  return says(after, [...wanted.values()]) ? after : null
}

function merged(node: NodeRegistryEntry, known: NodeRegistryEntry | undefined): NodeRegistryEntry {
  if (known === undefined) return node
  const { status, last_sync, last_attempt } = known
  return { ...node, status, last_sync: last_sync || node.last_sync, last_attempt: last_attempt || node.last_attempt }
}

/** The proof: what was written reads as what was wanted, and nothing else has moved. */
function says(text: string, wanted: readonly NodeRegistryEntry[]): boolean {
  const read = readNodeRegistry(text)
  return read.ok && JSON.stringify(read.registry.nodes.map(told)) === JSON.stringify(wanted.map(told))
}

function told({ list, name, ip, ssh_user, status, last_sync, last_attempt, preserved }: NodeRegistryEntry): unknown {
  return [list, name, ip, ssh_user, status, last_sync || null, last_attempt || null, othersKeys(preserved)]
}

function othersKeys(preserved: NodeRegistryEntry['preserved']): unknown {
  return preserved.filter(({ json }) => json !== null)
}

/**
 * What a node registry says beside the status of its nodes, to be compared; null for a text that is none.
 */
export function withoutStatus(text: string): string | null {
  const read = readNodeRegistry(text)
  if (!read.ok) return null
  const { nodes, preserved } = read.registry
  const entries = nodes.map(({ list, name, ip, ssh_user, preserved: keys }) => [
    list,
    name,
    ip,
    ssh_user,
    othersKeys(keys),
  ])
  return JSON.stringify([entries, othersKeys(preserved)])
}

function editsOf(place: EntryPlace, before?: NodeStatusFields, wanted?: NodeStatusFields): Edit[] {
  if (wanted === undefined || before === undefined) return []
  let behind = place.spans.get('status')?.end ?? 0
  return statusKeys.flatMap((key): Edit[] => {
    const span = place.spans.get(key)
    if (span !== undefined) behind = span.end
    if (before[key] === wanted[key]) return []
    const value = JSON.stringify(wanted[key])
    // An empty value of YAML stands right behind the colon.
    if (span !== undefined) return [{ ...span, text: span.start === span.end ? ` ${value}` : value }]
    return [{ start: behind, end: behind, text: `${place.separator}${place.keyText(key)}: ${value}` }]
  })
}

function apply(text: string, edits: readonly Edit[]): string {
  const parts: string[] = []
  let at = 0
  // Stable: what is put in at one place stays in its order.
  for (const { start, end, text: piece } of [...edits].sort((left, right) => left.start - right.start)) {
    parts.push(text.slice(at, start), piece)
    at = end
  }
  return parts.join('') + text.slice(at)
}

const lists = Object.keys(nodeLists) as readonly NodeList[]

function entryPlaces(text: string): EntryPlace[] {
  return /^\ufeff?\s*[{[]/.test(text) ? jsonPlaces(text) : yamlPlaces(text)
}

function jsonPlaces(text: string): EntryPlace[] {
  const { root } = readSource(text)
  if (root === null) return []
  const entries = lists.flatMap((list) => {
    const node = memberOf(root, list)?.node
    return node?.kind === 'array' ? node.items : []
  })
  return entries.flatMap((entry) => (entry.kind === 'object' ? [jsonPlace(text, entry.members)] : []))
}

function jsonPlace(text: string, members: readonly SourceMember[]): EntryPlace {
  const spans = new Map<StatusKey, { start: number; end: number }>()
  let [name, separator] = ['', ', ']
  for (const [index, { key, keyStart, node }] of members.entries()) {
    if (node.kind !== 'scalar') continue
    if (key === 'name') name = String(node.value)
    if (isStatusKey(key)) spans.set(key, { start: node.start, end: scalarEnd(node) })
    const before = members[index - 1]?.node
    if (before?.kind === 'scalar') separator = text.slice(scalarEnd(before), keyStart)
  }
  return { name, spans, separator, keyText: (key) => JSON.stringify(key) }
}

const isStatusKey = (key: string): key is StatusKey => (statusKeys as readonly string[]).includes(key)

/** A scalar of JSON is as long as it is written. */
function scalarEnd(node: Extract<SourceNode, { kind: 'scalar' }>): number {
  return node.start + (node.json ?? JSON.stringify(node.value)).length
}

function yamlPlaces(text: string): EntryPlace[] {
  const document = parseDocument(text, { prettyErrors: false })
  const entries = lists.flatMap((list) => {
    const node = document.get(list)
    return isSeq(node) ? node.items.filter(isMap) : []
  })
  return entries.map((entry) => yamlPlace(text, entry))
}

function yamlPlace(text: string, entry: YAMLMap): EntryPlace {
  const spans = new Map<StatusKey, { start: number; end: number }>()
  let column = 0
  for (const pair of entry.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue
    const key = String(pair.key.value)
    const keyStart = pair.key.range?.[0] ?? 0
    if (key === 'status') column = keyStart - (text.lastIndexOf('\n', keyStart - 1) + 1)
    const range = (pair.value as { readonly range?: readonly [number, number, number] } | null)?.range
    if (isStatusKey(key) && range != null) spans.set(key, { start: range[0], end: range[1] })
  }
  const name = String(entry.get('name'))
  const separator = entry.flow === true ? ', ' : `\n${' '.repeat(column)}`
  return { name, spans, separator, keyText: (key) => (entry.flow === true ? JSON.stringify(key) : key) }
}
