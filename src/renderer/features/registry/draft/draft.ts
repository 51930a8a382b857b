import { readSource } from '../../../../core/registry/entries.ts'
import { formatTree, type SourceNode } from '../../../../core/registry/sourceTree.ts'
import { formatYaml } from '../../../../core/registry/yamlFormat.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { emptyRoot } from './entries.ts'

export type TextFormat = 'json' | 'yaml'

/** What somebody typed; kept letter by letter until the table changes something. */
interface Typed {
  readonly format: TextFormat
  readonly text: string
}

/** A registry while it is edited: one content, shown as a table or as a text. */
export interface Draft {
  readonly registry: RegistryKind
  /** The revision it began with; 0 for none. */
  readonly baseNumber: number
  readonly base: SourceNode
  /** The content as of the last change in the table. */
  readonly root: SourceNode
  /** What was typed since: then this is the content. */
  readonly typed: Typed | null
}

/** @param text a revision in the sources' form; null when there is none yet */
export function draftOf(
  registry: RegistryKind,
  revision: { readonly number: number; readonly text: string } | null,
): Draft {
  const root = revision === null ? null : readSource(revision.text).root
  const base = root ?? emptyRoot(registry)
  return { registry, baseNumber: revision?.number ?? 0, base, root: base, typed: null }
}

/** Written once for each content and form: both a table of thousands of rows and the text ask for it again and again. */
const formatted = new WeakMap<SourceNode, Map<TextFormat, string>>()

export function formatRoot(root: SourceNode, format: TextFormat): string {
  const known = formatted.get(root) ?? new Map<TextFormat, string>()
  formatted.set(root, known)
  const text = known.get(format) ?? (format === 'json' ? `${formatTree(root, 2)}\n` : formatYaml(formatTree(root, 0)))
  known.set(format, text)
  return text
}

/** The draft as a text. What cannot be read has no other form than the one in which it was typed. */
export function draftText(draft: Draft, format: TextFormat): string {
  const { typed } = draft
  if (typed === null) return formatRoot(draft.root, format)
  if (typed.format === format) return typed.text
  const root = rootOf(typed)
  return root === null ? typed.text : formatRoot(root, format)
}

/** Read when somebody asks, and once: a text of ten thousand services takes too long for every letter. */
const read = new WeakMap<Typed, SourceNode | null>()

function rootOf(typed: Typed): SourceNode | null {
  const known = read.get(typed)
  if (known !== undefined) return known
  const { root } = readSource(typed.text)
  const object = root?.kind === 'object' ? root : null
  read.set(typed, object)
  return object
}

/** Whether the table can show the draft. */
export const isReadable = ({ typed }: Draft): boolean => typed === null || rootOf(typed) !== null

/** The content; while what was typed cannot be read, what was there before. */
export const contentOf = ({ root, typed }: Draft): SourceNode => (typed === null ? root : (rootOf(typed) ?? root))

/** Somebody typed. */
export function withText(draft: Draft, format: TextFormat, text: string): Draft {
  if (text === formatRoot(draft.root, format)) return { ...draft, typed: null }
  return { ...draft, typed: { format, text } }
}

/** The table changed something. What cannot be read is never thrown away for it. */
export function withRoot(draft: Draft, change: (root: SourceNode) => SourceNode): Draft {
  return isReadable(draft) ? { ...draft, root: change(contentOf(draft)), typed: null } : draft
}

/** Whether there is anything to lose. */
export function isChanged({ root, base, typed }: Draft): boolean {
  if (typed !== null) return typed.text !== formatRoot(base, typed.format)
  return root !== base && formatRoot(root, 'json') !== formatRoot(base, 'json')
}
