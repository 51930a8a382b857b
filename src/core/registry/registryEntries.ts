import type { EntryChange, MergeConflict } from '../../shared/contract/registry.ts'
import {
  type NodeRegistryEntry,
  nodeLists,
  type PreservedKey,
  type RegistryKind,
  type RegistryService,
} from '../../shared/model/registry.ts'
import { type EntryModel, entryChanges, mergeEntries, nodeModel, serviceModel } from './changes.ts'
import { formatNodeEntry, formatNodeRegistry, nodeDigestText, readNodeRegistry } from './nodeRegistry.ts'
import { formatService, formatServiceRegistry, readServiceRegistry, registryDigestText } from './serviceRegistry.ts'
import type { SourceProblem } from './sourceTree.ts'
import { formatYaml } from './yamlFormat.ts'

/** What a registry says, whichever of the two it is. */
export type RegistryEntries =
  | { readonly registry: 'services'; readonly entries: readonly RegistryService[] }
  | {
      readonly registry: 'nodes'
      readonly entries: readonly NodeRegistryEntry[]
      /** Keys beside the three lists. */
      readonly preserved: readonly PreservedKey[]
    }

export type EntriesRead =
  | { readonly ok: true; readonly content: RegistryEntries }
  | { readonly ok: false; readonly problems: readonly SourceProblem[] }

/** A registry in which nothing is. */
export function noEntries(registry: RegistryKind): RegistryEntries {
  return registry === 'services' ? { registry, entries: [] } : { registry, entries: [], preserved: [] }
}

export const servicesIn = (content: RegistryEntries): readonly RegistryService[] =>
  content.registry === 'services' ? content.entries : []

export const nodesIn = (content: RegistryEntries): readonly NodeRegistryEntry[] =>
  content.registry === 'nodes' ? content.entries : []

/** Reads the text of a registry, JSON or YAML. Never throws; all mistakes at once. */
export function readEntries(registry: RegistryKind, text: string): EntriesRead {
  if (registry === 'services') {
    const read = readServiceRegistry(text)
    return read.ok ? { ok: true, content: { registry, entries: read.services } } : read
  }
  const read = readNodeRegistry(text)
  if (!read.ok) return read
  return { ok: true, content: { registry, entries: read.registry.nodes, preserved: read.registry.preserved } }
}

/** @param indent spaces a level, 0 for one line. */
export function formatEntries(content: RegistryEntries, indent: number): string {
  return content.registry === 'services'
    ? formatServiceRegistry(content.entries, indent)
    : formatNodeRegistry({ nodes: [...content.entries], preserved: [...content.preserved] }, indent)
}

/** The form in which a registry is shown to people and handed out. */
export function showEntries(content: RegistryEntries, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${formatEntries(content, 2)}\n` : formatYaml(formatEntries(content, 0))
}

/** The text whose SHA-256 is the digest of a revision. */
export function entriesDigestText(content: RegistryEntries): string {
  if (content.registry === 'services') return registryDigestText(content.entries)
  return nodeDigestText({ nodes: [...content.entries], preserved: [...content.preserved] })
}

type Path = readonly (string | number)[]

/** Whose preserved keys they are: where the entry stands, and its name; null for the registry as a whole. */
export interface PreservedOwner {
  readonly path: Path
  readonly entry: string | null
}

/** The same content with other preserved keys. */
export function mapPreserved(
  content: RegistryEntries,
  map: (keys: readonly PreservedKey[], owner: PreservedOwner) => PreservedKey[],
): RegistryEntries {
  const mapped = <E extends { readonly name?: string; readonly preserved: readonly PreservedKey[] }>(
    entry: E,
    path: Path,
  ): E =>
    entry.preserved.length === 0
      ? entry
      : { ...entry, preserved: map(entry.preserved, { path, entry: entry.name ?? null }) }
  if (content.registry === 'services')
    return { ...content, entries: content.entries.map((service) => mapped(service, [service.name])) }
  const places = placesInLists(content.entries)
  const entries = content.entries.map((node, index) => mapped(node, [node.list, places[index] ?? 0]))
  return { ...mapped(content, []), entries }
}

/** The index of every node in its own list. */
function placesInLists(nodes: readonly NodeRegistryEntry[]): number[] {
  const counts = new Map<string, number>()
  return nodes.map(({ list }) => {
    const place = counts.get(list) ?? 0
    counts.set(list, place + 1)
    return place
  })
}

/** The keys beside the lists, as if they were an entry: they are compared and merged like one. */
interface Frame {
  readonly name: string
  readonly preserved: readonly PreservedKey[]
}
const frameModel: EntryModel<Frame> = { fields: [], keys: Object.keys(nodeLists) }
const frameOf = (content: RegistryEntries): Frame[] =>
  content.registry === 'nodes' ? [{ name: '*', preserved: content.preserved }] : []

/** What `after` has that `before` has not, and the other way round; keys beside the lists are the entry `*`. */
export function changesBetween(before: RegistryEntries, after: RegistryEntries): EntryChange[] {
  if (after.registry === 'services') return entryChanges(servicesIn(before), after.entries, serviceModel)
  const beside = entryChanges(frameOf(before), frameOf(after), frameModel)
  return [...beside, ...entryChanges(nodesIn(before), after.entries, nodeModel)]
}

export interface MergeOrder {
  /** What both began with. */
  readonly base: RegistryEntries
  readonly ours: RegistryEntries
  /** What is in force. */
  readonly theirs: RegistryEntries
}

/** Two saves put together; where they clash, what is in force stays. */
export function mergeContents(order: MergeOrder): {
  readonly merged: RegistryEntries
  readonly conflicts: MergeConflict[]
} {
  const { base, ours, theirs } = order
  if (theirs.registry === 'services') {
    const versions = { base: servicesIn(base), mine: servicesIn(ours), theirs: theirs.entries }
    const { entries, conflicts } = mergeEntries(versions, serviceModel)
    return { merged: { ...theirs, entries }, conflicts: conflictsOf(conflicts, versions, formatService) }
  }
  const versions = { base: nodesIn(base), mine: nodesIn(ours), theirs: theirs.entries }
  const { entries, conflicts } = mergeEntries(versions, nodeModel)
  const frames = { base: frameOf(base), mine: frameOf(ours), theirs: frameOf(theirs) }
  const beside = mergeEntries(frames, frameModel)
  const merged = { ...theirs, entries, preserved: beside.entries[0]?.preserved ?? theirs.preserved }
  const besideConflicts = conflictsOf(beside.conflicts, frames, frameText)
  return { merged, conflicts: [...besideConflicts, ...conflictsOf(conflicts, versions, formatNodeEntry)] }
}

const frameText = ({ preserved }: Frame): string =>
  `{${preserved.flatMap(({ key, json }) => (json === null ? [] : [`${JSON.stringify(key)}:${json}`])).join(',')}}`

interface Versions<E> {
  readonly base: readonly E[]
  readonly mine: readonly E[]
  readonly theirs: readonly E[]
}

/** Each entry once, however many of its fields clash. */
function conflictsOf<E extends { readonly name: string }>(
  conflicts: readonly { readonly name: string }[],
  { base, mine, theirs }: Versions<E>,
  format: (entry: E) => string,
): MergeConflict[] {
  if (conflicts.length === 0) return []
  const [old, ours, others] = [base, mine, theirs].map(
    (entries) => new Map(entries.map((entry) => [entry.name, entry])),
  )
  const text = (entries: ReadonlyMap<string, E> | undefined, name: string): string | null => {
    const entry = entries?.get(name)
    return entry === undefined ? null : format(entry)
  }
  return [...new Set(conflicts.map(({ name }) => name))].map((name) => ({
    name,
    base: text(old, name),
    ours: text(ours, name),
    theirs: text(others, name),
  }))
}
