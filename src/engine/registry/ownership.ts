import { z } from 'zod'
import { changesBetween, type RegistryEntries } from '../../core/registry/registryEntries.ts'
import type { SourceEntries } from '../../shared/contract/registry.ts'
import type { SourceId } from '../../shared/model/ids.ts'
import type { RegistryKind } from '../../shared/model/registry.ts'
import type { StoredSource, StoreReader, StoreTransaction } from '../ports.ts'
import type { ValueMistake } from './sealedValues.ts'

/*
 * Which entries a source brought (S1F.7). They are changed where they come from; everything else belongs to the console.
 * A source takes over an entry that belongs to nobody, never one of another source.
 */

const OwnedNames = z.array(z.string())

const settingOf = (id: SourceId): string => `registry.owned.${id}`

/** Owner of each entry that has one. */
export type Owners = ReadonlyMap<string, StoredSource>

export async function ownersOf(
  reader: Pick<StoreReader, 'listSources' | 'getSetting'>,
  registry: RegistryKind,
): Promise<Owners> {
  const owners = new Map<string, StoredSource>()
  for (const source of await reader.listSources()) {
    if (source.registry !== registry) continue
    const stored = await reader.getSetting(settingOf(source.id))
    for (const name of stored === null ? [] : OwnedNames.parse(JSON.parse(stored))) owners.set(name, source)
  }
  return owners
}

/** Source by source, for whoever shows them. */
export async function broughtBySource(
  reader: Pick<StoreReader, 'listSources' | 'getSetting'>,
  registry: RegistryKind,
): Promise<SourceEntries[]> {
  const entries = new Map<SourceId, SourceEntries>()
  for (const [name, { id, name: source }] of await ownersOf(reader, registry)) {
    const brought = entries.get(id) ?? { sourceId: id, source, entries: [] }
    brought.entries.push(name)
    entries.set(id, brought)
  }
  return [...entries.values()]
}

export async function saveOwned(transaction: StoreTransaction, id: SourceId, names: readonly string[]): Promise<void> {
  const text = JSON.stringify(names)
  if ((await transaction.getSetting(settingOf(id))) !== text) await transaction.setSetting(settingOf(id), text)
}

/** Where a person changes what a source brought. */
export function placeWords({ name, place }: Pick<StoredSource, 'name' | 'place'>): string {
  if (place.kind === 'file') return `"${name}" (file ${place.path})`
  return `"${name}" (ConfigMap ${place.namespace}/${place.name})`
}

/** What a person may not change here, because it would be changed back. */
export function ownedChanges(before: RegistryEntries, after: RegistryEntries, owners: Owners): ValueMistake[] {
  const places = placesOf(after)
  return changesBetween(before, after).flatMap(({ name, kind }): ValueMistake[] => {
    const owner = owners.get(name)
    if (owner === undefined) return []
    const what = kind === 'removed' ? `${JSON.stringify(name)} is missing, but belongs to` : 'belongs to'
    const next = 'change it there, or remove the source first; its entries stay'
    return [{ path: places.get(name) ?? [], message: `${what} the source ${placeWords(owner)}: ${next}` }]
  })
}

/** What a source claims although another one has it. */
export function claimedTwice(brought: RegistryEntries, id: SourceId, owners: Owners): ValueMistake[] {
  const places = placesOf(brought)
  return brought.entries.flatMap(({ name }): ValueMistake[] => {
    const owner = owners.get(name)
    if (owner === undefined || owner.id === id) return []
    const message = `${JSON.stringify(name)} belongs to the source ${placeWords(owner)} already`
    return [{ path: places.get(name) ?? [], message }]
  })
}

/** The registry with everything this source brought before replaced by what it brings now, in the old places. */
export function withBrought(
  current: RegistryEntries,
  brought: RegistryEntries,
  old: ReadonlySet<string>,
): RegistryEntries {
  if (current.registry === 'services' && brought.registry === 'services')
    return { ...current, entries: replaced(current.entries, brought.entries, old) }
  if (current.registry === 'nodes' && brought.registry === 'nodes') {
    const preserved = brought.preserved.length > 0 ? brought.preserved : current.preserved
    return { ...current, entries: replaced(current.entries, brought.entries, old), preserved }
  }
  return current
}

function replaced<E extends { readonly name: string }>(
  current: readonly E[],
  brought: readonly E[],
  old: ReadonlySet<string>,
): E[] {
  const fresh = new Map(brought.map((entry) => [entry.name, entry]))
  const kept = current.flatMap((entry) => {
    const next = fresh.get(entry.name)
    if (next === undefined) return old.has(entry.name) ? [] : [entry]
    fresh.delete(entry.name)
    return [next]
  })
  return [...kept, ...fresh.values()]
}

/** Where each entry stands in its text. */
export function placesOf(content: RegistryEntries): ReadonlyMap<string, readonly (string | number)[]> {
  if (content.registry === 'services') return new Map(content.entries.map(({ name }) => [name, [name]]))
  const counts = new Map<string, number>()
  return new Map(
    content.entries.map(({ name, list }) => {
      const place = counts.get(list) ?? 0
      counts.set(list, place + 1)
      return [name, [list, place]]
    }),
  )
}
