import type { z } from 'zod'
import type { PreservedKey } from '../../shared/model/registry.ts'
import { readJsonSource } from './jsonSource.ts'
import {
  formatTree,
  locate,
  type Mistake,
  type SourceMember,
  type SourceNode,
  type SourcePath,
  type SourceProblem,
  type SourceTree,
  scalarNode,
} from './sourceTree.ts'
import { readYamlSource } from './yamlSource.ts'

/** A registry text: JSON when it begins as JSON does, YAML otherwise. */
export function readSource(text: string): SourceTree {
  return isJsonText(text) ? readJsonSource(text) : readYamlSource(text)
}

export const isJsonText = (text: string): boolean => /^\ufeff?\s*[{[]/.test(text)

/** What is wrong at a place of a text that was read: for mistakes that show only when the text meets something else. */
export function problemsAt(
  text: string,
  mistakes: readonly { readonly path: SourcePath; readonly message: string }[],
): SourceProblem[] {
  if (mistakes.length === 0) return []
  const { root } = readSource(text)
  const offsetOf = (path: SourcePath): number => {
    let [node, offset] = [root, root?.start ?? 0]
    for (const step of path) {
      const member = node !== null && typeof step === 'string' ? memberOf(node, step) : undefined
      const item = node?.kind === 'array' && typeof step === 'number' ? node.items[step] : undefined
      node = member?.node ?? item ?? null
      offset = member?.keyStart ?? item?.start ?? offset
    }
    return offset
  }
  return locate(
    text,
    mistakes.map((mistake) => ({ ...mistake, offset: offsetOf(mistake.path) })),
  )
}

/** An object as a model knows it: the fields it has words for, and the rest. */
interface EntryShape<Schema extends z.ZodType> {
  readonly schema: Schema
  /** Keys with a field of their own, in the usual order. */
  readonly keys: readonly string[]
  readonly path: SourcePath
  /** Fields that come from around the entry, not from its keys. */
  readonly around: Readonly<Record<string, unknown>>
  /** Where to point for one of those. */
  readonly aroundOffset: number
}

interface EntryRead<Value> {
  /** Null when there are mistakes. */
  readonly value: Value | null
  readonly mistakes: readonly Mistake[]
}

/** Checks one entry: every mistake in it at once, each at its own place. */
export function readEntry<Schema extends z.ZodType>(
  node: SourceNode,
  shape: EntryShape<Schema>,
): EntryRead<z.infer<Schema>> {
  if (node.kind !== 'object')
    return { value: null, mistakes: [wrongKind(node, shape.path, `an object with ${shape.keys.join(', ')}`)] }
  const fields: Record<string, unknown> = { ...shape.around, preserved: preservedKeys(node.members, shape.keys) }
  for (const key of shape.keys) {
    const member = memberOf(node, key)
    if (member !== undefined) fields[key] = plainValue(member.node)
  }
  const read = shape.schema.safeParse(fields)
  return read.success
    ? { value: read.data, mistakes: [] }
    : { value: null, mistakes: read.error.issues.flatMap((issue) => mistakeOf(issue, node, shape)) }
}

function mistakeOf(
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
  node: SourceNode,
  { path, around, aroundOffset }: EntryShape<z.ZodType>,
): Mistake[] {
  const field = String(issue.path[0])
  // Keys that are there twice were found when the text was read.
  if (field === 'preserved') return []
  if (field in around) return [{ path, offset: aroundOffset, message: issue.message }]
  return [{ path: [...path, field], offset: memberOf(node, field)?.node.start ?? node.start, message: issue.message }]
}

export function memberOf(node: SourceNode, key: string): SourceMember | undefined {
  return node.kind === 'object' ? node.members.find((member) => member.key === key) : undefined
}

/** A text is not shown: a file of secrets that is taken for a registry would show them to everybody. */
export function wrongKind(node: SourceNode, path: SourcePath, wanted: string): Mistake {
  const scalar = node.kind !== 'scalar' ? '' : typeof node.value === 'string' ? 'a text' : formatTree(node, 0)
  const kinds = { object: 'an object', array: 'a list', scalar }
  return { path, offset: node.start, message: `is ${kinds[node.kind].slice(0, 60)}, but must be ${wanted}` }
}

/** Good enough for fields, which are never objects or lists. */
function plainValue(node: SourceNode): unknown {
  if (node.kind === 'scalar') return node.value
  return node.kind === 'array' ? [] : {}
}

/** Nothing for an object with the usual keys in the usual order. */
export function preservedKeys(members: readonly SourceMember[], usual: readonly string[]): PreservedKey[] {
  if (members.length === usual.length && members.every(({ key }, index) => key === usual[index])) return []
  return members.map(({ key, node }) => ({ key, json: usual.includes(key) ? null : formatTree(node, 0) }))
}

/** The object that {@link readEntry} would read again: every key in its old place, new ones behind. */
export function entryNode(fields: ReadonlyMap<string, SourceNode>, preserved: readonly PreservedKey[]): SourceNode {
  const members: SourceMember[] = []
  const add = (key: string, node: SourceNode | null | undefined): void => {
    if (node != null) members.push({ key, keyStart: 0, node })
  }
  for (const { key, json } of preserved) add(key, json === null ? fields.get(key) : jsonNode(json))
  const placed = new Set(preserved.map(({ key }) => key))
  for (const [key, node] of fields) {
    const nothing = preserved.length > 0 && node.kind === 'scalar' && node.value === null
    if (!placed.has(key) && !nothing) add(key, node)
  }
  return { kind: 'object', start: 0, members }
}

/** What cannot be taken apart for its layout is written as it is, rather than lost. */
function jsonNode(json: string): SourceNode {
  return readJsonSource(json).root ?? { kind: 'scalar', start: 0, value: null, json }
}

/** The fields of a model under their keys. */
export function fieldNodes<Key extends string>(
  keys: readonly Key[],
  value: Readonly<Record<Key, string | number | boolean | null>>,
): Map<string, SourceNode> {
  return new Map(keys.map((key) => [key, scalarNode(value[key])]))
}

/** What counts of preserved keys when content is compared: not their order, and not where the usual ones stand. */
export function extraKeys(preserved: readonly PreservedKey[]): PreservedKey[] {
  return preserved.filter(({ json }) => json !== null).sort(byKey)
}

const byKey = (left: PreservedKey, right: PreservedKey): number =>
  left.key < right.key ? -1 : left.key > right.key ? 1 : 0
