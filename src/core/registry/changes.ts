import { type PreservedKey, type RegistryService, serviceKeys } from '../../shared/model/registry.ts'

/** A field of a service: one of the model, or a key that only its source knows. As JSON; null when it is not there. */
interface FieldChange {
  readonly field: string
  readonly before: string | null
  readonly after: string | null
}

export interface ServiceChange {
  readonly name: string
  readonly fields: readonly FieldChange[]
}

/** What happened between two revisions, each list by name. */
export interface RegistryChanges {
  readonly added: readonly RegistryService[]
  readonly removed: readonly RegistryService[]
  readonly changed: readonly ServiceChange[]
}

type Services = readonly RegistryService[]
type Fields = ReadonlyMap<string, string>

/** The difference of content; the order of services and of their keys does not count. */
export function registryChanges(before: Services, after: Services): RegistryChanges {
  const [old, current] = [byName(before), byName(after)]
  return {
    added: after.filter(({ name }) => !old.has(name)).sort(inOrderOfNames),
    removed: before.filter(({ name }) => !current.has(name)).sort(inOrderOfNames),
    changed: before
      .flatMap((service): ServiceChange[] => {
        const next = current.get(service.name)
        const fields = next === undefined ? [] : fieldChanges(service, next)
        return fields.length === 0 ? [] : [{ name: service.name, fields }]
      })
      .sort(inOrderOfNames),
  }
}

/** Two people changed the same thing in two ways. As JSON; null when it is not there (any more). */
export interface MergeConflict {
  readonly name: string
  /** Null when the service as a whole is meant: one removed it, the other changed it. */
  readonly field: string | null
  readonly base: string | null
  readonly mine: string | null
  readonly theirs: string | null
}

export interface Merge {
  /** Of a conflict it holds what is in force, theirs; but a service that only one of the two removed stays. */
  readonly services: Services
  /** Empty when everything went together. By name, then in the order of fields. */
  readonly conflicts: readonly MergeConflict[]
}

/**
 * Two saves that began from the same revision, put together service by service and field by field. In the order of
 * theirs, with what only mine has behind. The result may still hold clashes between services: see `serviceClashes`.
 */
export function mergeRegistries(base: Services, mine: Services, theirs: Services): Merge {
  const [old, ours, others] = [byName(base), byName(mine), byName(theirs)]
  const names = [...others.keys(), ...[...ours.keys()].filter((name) => !others.has(name))]
  const merged = names.map((name) =>
    mergeService({ name, base: old.get(name), mine: ours.get(name), theirs: others.get(name) }),
  )
  return {
    services: merged.flatMap(({ service }) => (service === null ? [] : [service])),
    conflicts: merged.flatMap(({ conflicts }) => conflicts).sort(inOrderOfNames),
  }
}

interface Versions {
  readonly name: string
  readonly base: RegistryService | undefined
  readonly mine: RegistryService | undefined
  readonly theirs: RegistryService | undefined
}

interface MergedService {
  readonly service: RegistryService | null
  readonly conflicts: readonly MergeConflict[]
}

function mergeService({ name, base, mine, theirs }: Versions): MergedService {
  if (mine !== undefined && theirs !== undefined) return mergeFields(base, mine, theirs)
  const left = mine ?? theirs
  if (left === undefined || base === undefined) return { service: left ?? null, conflicts: [] }
  // The other one removed it: that counts unless this one has changed it meanwhile.
  if (fieldChanges(base, left).length === 0) return { service: null, conflicts: [] }
  const conflict = { name, field: null, base: wholeJson(base), mine: wholeJson(mine), theirs: wholeJson(theirs) }
  return { service: left, conflicts: [conflict] }
}

function mergeFields(base: RegistryService | undefined, mine: RegistryService, theirs: RegistryService): MergedService {
  const [old, ours, others] = [fieldsOf(base), fieldsOf(mine), fieldsOf(theirs)]
  const fields = new Map(others)
  const conflicts: MergeConflict[] = []
  for (const field of new Set([...others.keys(), ...ours.keys()])) {
    const [was, my, their] = [old.get(field) ?? null, ours.get(field) ?? null, others.get(field) ?? null]
    if (my === their || my === was) continue
    if (their !== was) conflicts.push({ name: theirs.name, field, base: was, mine: my, theirs: their })
    else if (my === null) fields.delete(field)
    else fields.set(field, my)
  }
  return { service: serviceOf(theirs, fields, mine.preserved), conflicts }
}

/** A service with these fields, its keys in the order of `theirs`, then of `mine`. */
function serviceOf(theirs: RegistryService, fields: Fields, mine: readonly PreservedKey[]): RegistryService {
  const known = Object.fromEntries(serviceKeys.map((key) => [key, JSON.parse(fields.get(key) ?? 'null')]))
  const isKnown = (key: string): boolean => serviceKeys.some((name) => name === key)
  const usual = serviceKeys.map((key): PreservedKey => ({ key, json: null }))
  const order = theirs.preserved.length > 0 ? theirs.preserved : usual
  const keys = new Set([...order, ...mine].map(({ key }) => key))
  const preserved = [...keys].flatMap((key): PreservedKey[] => {
    if (isKnown(key)) return [{ key, json: null }]
    const json = fields.get(key)
    return json === undefined ? [] : [{ key, json }]
  })
  const isUsual = preserved.length === usual.length && preserved.every(({ key }, index) => key === usual[index]?.key)
  return { ...theirs, ...known, preserved: isUsual ? [] : preserved }
}

function fieldChanges(before: RegistryService, after: RegistryService): FieldChange[] {
  const [old, current] = [fieldsOf(before), fieldsOf(after)]
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((field) => {
    const [was, is] = [old.get(field) ?? null, current.get(field) ?? null]
    return was === is ? [] : [{ field, before: was, after: is }]
  })
}

function fieldsOf(service: RegistryService | undefined): Fields {
  if (service === undefined) return new Map()
  const known = serviceKeys.map((key): [string, string] => [key, JSON.stringify(service[key])])
  const extra = service.preserved.flatMap(({ key, json }): [string, string][] => (json === null ? [] : [[key, json]]))
  return new Map([...known, ...extra])
}

function wholeJson(service: RegistryService | undefined): string | null {
  if (service === undefined) return null
  return `{${[...fieldsOf(service)].map(([field, json]) => `${JSON.stringify(field)}:${json}`).join(',')}}`
}

const byName = (services: Services): Map<string, RegistryService> =>
  new Map(services.map((service) => [service.name, service]))

const inOrderOfNames = (left: { readonly name: string }, right: { readonly name: string }): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0
