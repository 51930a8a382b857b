import type { EntryChange } from '../../shared/contract/registry.ts'
import {
  type NodeRegistryEntry,
  nodeKeys,
  type PreservedKey,
  type RegistryService,
  serviceKeys,
} from '../../shared/model/registry.ts'

/** What every entry of a registry has. */
interface Entry {
  readonly name: string
  readonly preserved: readonly PreservedKey[]
}

/** How entries of a kind are compared, and put together. */
export interface EntryModel<E extends Entry> {
  /** What counts when two versions are compared, in this order. */
  readonly fields: readonly (keyof E & string)[]
  /** Keys with a field of their own, in their usual order. */
  readonly keys: readonly string[]
}

export const serviceModel: EntryModel<RegistryService> = { fields: serviceKeys, keys: serviceKeys }

/** Status and times are what the fleet tells (S1.19-21), not what anybody registers: they make no difference. */
export const nodeModel: EntryModel<NodeRegistryEntry> = { fields: ['list', 'ip', 'ssh_user'], keys: nodeKeys }

type Fields = ReadonlyMap<string, string>

/** The difference of content, by name; the order of entries and of their keys does not count. */
export function entryChanges<E extends Entry>(
  before: readonly E[],
  after: readonly E[],
  model: EntryModel<E>,
): EntryChange[] {
  const [old, current] = [byName(before), byName(after)]
  const names = new Set([...old.keys(), ...current.keys()])
  return [...names].sort().flatMap((name): EntryChange[] => {
    const [was, is] = [old.get(name), current.get(name)]
    const fields = fieldChanges(was, is, model)
    if (was !== undefined && is !== undefined) return fields.length === 0 ? [] : [{ name, kind: 'changed', fields }]
    return [{ name, kind: was === undefined ? 'added' : 'removed', fields }]
  })
}

/** Two people changed the same thing in two ways. As JSON; null when it is not there (any more). */
interface FieldConflict {
  readonly name: string
  /** Null when the entry as a whole is meant: one removed it, the other changed it. */
  readonly field: string | null
  readonly base: string | null
  readonly mine: string | null
  readonly theirs: string | null
}

export interface Merge<E extends Entry> {
  /** Of a conflict it holds what is in force, theirs; but an entry that only one of the two removed stays. */
  readonly entries: readonly E[]
  /** Empty when everything went together. By name, then in the order of fields. */
  readonly conflicts: readonly FieldConflict[]
}

/** Two saves, and the revision both began from. */
interface MergeInput<E extends Entry> {
  readonly base: readonly E[]
  readonly mine: readonly E[]
  readonly theirs: readonly E[]
}

/**
 * Two saves that began from the same revision, put together entry by entry and field by field. In the order of theirs,
 * with what only mine has behind. The result may still hold clashes between services: see `serviceClashes`.
 */
export function mergeEntries<E extends Entry>({ base, mine, theirs }: MergeInput<E>, model: EntryModel<E>): Merge<E> {
  const [old, ours, others] = [byName(base), byName(mine), byName(theirs)]
  const names = [...others.keys(), ...[...ours.keys()].filter((name) => !others.has(name))]
  const merged = names.map((name) =>
    mergeEntry({ name, base: old.get(name), mine: ours.get(name), theirs: others.get(name) }, model),
  )
  return {
    entries: merged.flatMap(({ entry }) => (entry === null ? [] : [entry])),
    conflicts: merged.flatMap(({ conflicts }) => conflicts).sort(inOrderOfNames),
  }
}

interface Versions<E extends Entry> {
  readonly name: string
  readonly base: E | undefined
  readonly mine: E | undefined
  readonly theirs: E | undefined
}

interface MergedEntry<E extends Entry> {
  readonly entry: E | null
  readonly conflicts: readonly FieldConflict[]
}

function mergeEntry<E extends Entry>({ name, base, mine, theirs }: Versions<E>, model: EntryModel<E>): MergedEntry<E> {
  if (mine !== undefined && theirs !== undefined) return mergeFields({ base, mine, theirs }, model)
  const left = mine ?? theirs
  if (left === undefined || base === undefined) return { entry: left ?? null, conflicts: [] }
  // The other one removed it: that counts unless this one has changed it meanwhile.
  if (fieldChanges(base, left, model).length === 0) return { entry: null, conflicts: [] }
  const whole = (entry: E | undefined): string | null => wholeJson(entry, model)
  const conflict = { name, field: null, base: whole(base), mine: whole(mine), theirs: whole(theirs) }
  return { entry: left, conflicts: [conflict] }
}

function mergeFields<E extends Entry>(
  { base, mine, theirs }: { readonly base: E | undefined; readonly mine: E; readonly theirs: E },
  model: EntryModel<E>,
): MergedEntry<E> {
  const [old, ours, others] = [fieldsOf(base, model), fieldsOf(mine, model), fieldsOf(theirs, model)]
  const fields = new Map(others)
  const conflicts: FieldConflict[] = []
  for (const field of new Set([...others.keys(), ...ours.keys()])) {
    const [was, my, their] = [old.get(field) ?? null, ours.get(field) ?? null, others.get(field) ?? null]
    if (my === their || my === was) continue
    if (their !== was) conflicts.push({ name: theirs.name, field, base: was, mine: my, theirs: their })
    else if (my === null) fields.delete(field)
    else fields.set(field, my)
  }
  return { entry: entryOf({ theirs, mine, fields }, model), conflicts }
}

interface MergedFields<E extends Entry> {
  readonly theirs: E
  readonly mine: E
  readonly fields: Fields
}

/** An entry with these fields, its keys in the order of `theirs`, then of `mine`. */
function entryOf<E extends Entry>({ theirs, mine, fields }: MergedFields<E>, model: EntryModel<E>): E {
  const known = Object.fromEntries(model.fields.map((field) => [field, JSON.parse(fields.get(field) ?? 'null')]))
  const usual = model.keys.map((key): PreservedKey => ({ key, json: null }))
  const order = theirs.preserved.length > 0 ? theirs.preserved : usual
  const keys = new Set([...order, ...mine.preserved].map(({ key }) => key))
  const preserved = [...keys].flatMap((key): PreservedKey[] => {
    if (model.keys.includes(key)) return [{ key, json: null }]
    const json = fields.get(fieldNameOf(key, model))
    return json === undefined ? [] : [{ key, json }]
  })
  const isUsual = preserved.length === usual.length && preserved.every(({ key }, index) => key === usual[index]?.key)
  return { ...theirs, ...known, preserved: isUsual ? [] : preserved }
}

function fieldChanges<E extends Entry>(
  before: E | undefined,
  after: E | undefined,
  model: EntryModel<E>,
): EntryChange['fields'] {
  const [old, current] = [fieldsOf(before, model), fieldsOf(after, model)]
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((field) => {
    const [was, is] = [old.get(field) ?? null, current.get(field) ?? null]
    return was === is ? [] : [{ field, before: was, after: is }]
  })
}

/** A key that only its source knows never stands in for a field of the model that has the same name. */
const fieldNameOf = <E extends Entry>(key: string, { fields }: EntryModel<E>): string =>
  fields.some((field) => field === key) ? `other ${key}` : key

/** Every field that counts, as JSON. */
function fieldsOf<E extends Entry>(entry: E | undefined, model: EntryModel<E>): Fields {
  if (entry === undefined) return new Map()
  const known = model.fields.map((field): [string, string] => [field, JSON.stringify(entry[field])])
  const extra = entry.preserved.flatMap(({ key, json }): [string, string][] =>
    json === null ? [] : [[fieldNameOf(key, model), json]],
  )
  return new Map([...known, ...extra])
}

function wholeJson<E extends Entry>(entry: E | undefined, model: EntryModel<E>): string | null {
  if (entry === undefined) return null
  const members = [...fieldsOf(entry, model)].map(([field, json]) => `${JSON.stringify(field)}:${json}`)
  return `{${members.join(',')}}`
}

const byName = <E extends Entry>(entries: readonly E[]): Map<string, E> =>
  new Map(entries.map((entry) => [entry.name, entry]))

const inOrderOfNames = (left: { readonly name: string }, right: { readonly name: string }): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0
