import type { PreservedKey } from '../../shared/model/registry.ts'
import { readJsonSource } from './jsonSource.ts'
import { mapPreserved, type RegistryEntries } from './registryEntries.ts'
import { formatTree, type SourceMember, type SourceNode, type SourcePath, scalarNode } from './sourceTree.ts'

/*
 * Which values of a registry nobody may read (S1F.8). Only keys that the model has no field for can hold one: what is
 * rendered for nodes is never sensitive.
 */

/** The closed list, also at the end of a longer key (`db_password`, `apiToken`), alone or several of them. */
const sensitiveWords = /(?:^|_)(?:password|passwd|passphrase|secret|token|api_?key|private_?key|credential)s?$/

/** Case does not count; capitals, dashes and dots begin a new word. */
export function isSensitiveKey(key: string): boolean {
  const words = key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[-. ]/g, '_')
  return sensitiveWords.test(words.toLowerCase())
}

/** The one key of an object that stands in the place of a sensitive value. */
export const envelopeKey = '$sealed'

/** A value that is sealed, or has to be. */
export interface SensitivePlace {
  /** From the root of the registry. */
  readonly path: SourcePath
  /**
   * What the value belongs to: registry, entry and field. Unlike the path it stays the same when entries, or items of a
   * list inside of one, come and go before it.
   */
  readonly home: string
  /** `open`: the value as JSON. `sealed`: what its envelope holds. `broken`: looks like an envelope, but is none. */
  readonly value:
    | { readonly kind: 'open'; readonly json: string }
    | { readonly kind: 'sealed'; readonly envelope: string }
    | { readonly kind: 'broken' }
}

/** Whether the value at a place is sealed again once it was opened; elsewhere an envelope would become a text for everybody. */
export function isSensitivePlace({ path }: Pick<SensitivePlace, 'path'>): boolean {
  const key = path.at(-1)
  return typeof key === 'string' && isSensitiveKey(key)
}

/** What becomes of a value: another envelope, the JSON of the open value, or nothing (null). */
export type SensitiveChange =
  | { readonly kind: 'envelope'; readonly envelope: string }
  | { readonly kind: 'json'; readonly json: string }
  | { readonly kind: 'nothing' }

/** Goes through all sensitive values in the order of the text, and puts what `change` says in their places. */
export function changeSensitive(
  content: RegistryEntries,
  change: (place: SensitivePlace) => SensitiveChange,
): RegistryEntries {
  return mapPreserved(content, (keys, { path, entry }) =>
    changeKeys(keys, path, (place) => {
      const fields = place.path.slice(path.length).filter((step) => typeof step === 'string')
      return change({ ...place, home: JSON.stringify([content.registry, entry, ...fields]) })
    }),
  )
}

type Change = (place: Omit<SensitivePlace, 'home'>) => SensitiveChange

/** Cheaper than to take every value apart: most hold neither. */
const mayHoldSensitive = /passw|passphrase|secret|token|key|credential|\$sealed|\\u/i

function changeKeys(keys: readonly PreservedKey[], path: SourcePath, change: Change): PreservedKey[] {
  if (!keys.some(({ key, json }) => json !== null && (mayHoldSensitive.test(key) || mayHoldSensitive.test(json))))
    return [...keys]
  return keys.flatMap(({ key, json }): PreservedKey[] => {
    if (json === null) return [{ key, json }]
    const { root } = readJsonSource(json)
    const changed = root === null ? null : changeMember({ key, keyStart: 0, node: root }, path, change)
    return changed === null ? [] : [{ key, json: changed === root ? json : formatTree(changed, 0) }]
  })
}

/** Null: leave it out. */
function changeMember({ key, node }: SourceMember, path: SourcePath, change: Change): SourceNode | null {
  const here = [...path, key]
  const envelope = envelopeIn(node)
  if (envelope !== null) return changed(node, change({ path: here, value: envelope }))
  const isNothing = node.kind === 'scalar' && node.value === null
  if (isSensitiveKey(key) && !isNothing)
    return changed(node, change({ path: here, value: openValue(formatTree(node, 0)) }))
  return changeBelow(node, here, change)
}

/** An envelope inside of a value that is sealed as a whole could never be opened again. */
function openValue(json: string): SensitivePlace['value'] {
  return json.includes(`${JSON.stringify(envelopeKey)}:`) ? { kind: 'broken' } : { kind: 'open', json }
}

function changeBelow(node: SourceNode, path: SourcePath, change: Change): SourceNode | null {
  if (node.kind === 'scalar') return node
  if (node.kind === 'object') {
    const members = node.members.flatMap((member) => {
      const next = changeMember(member, path, change)
      return next === null ? [] : [{ ...member, node: next }]
    })
    return { ...node, members }
  }
  const items = node.items.flatMap((item, index) => {
    const envelope = envelopeIn(item)
    const here = [...path, index]
    const next =
      envelope === null ? changeBelow(item, here, change) : changed(item, change({ path: here, value: envelope }))
    return next === null ? [] : [next]
  })
  return { ...node, items }
}

function envelopeIn(node: SourceNode): SensitivePlace['value'] | null {
  if (node.kind !== 'object') return null
  const member = node.members.find(({ key }) => key === envelopeKey)
  if (member === undefined) return null
  const { node: value } = member
  if (node.members.length > 1 || value.kind !== 'scalar' || typeof value.value !== 'string') return { kind: 'broken' }
  return { kind: 'sealed', envelope: value.value }
}

function changed(node: SourceNode, change: SensitiveChange): SourceNode | null {
  if (change.kind === 'nothing') return null
  if (change.kind === 'json') return readJsonSource(change.json).root ?? node
  const member = { key: envelopeKey, keyStart: 0, node: scalarNode(change.envelope) }
  return { kind: 'object', start: 0, members: [member] }
}
