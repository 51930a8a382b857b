import { readSource } from '../../../../core/registry/entries.ts'
import type { SourceNode } from '../../../../core/registry/sourceTree.ts'
import type { MergeConflict } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { type Draft, draftOf } from '../draft/draft.ts'
import { withEntryOf } from '../draft/entries.ts'

/** Whose version of an entry counts; `edited`: what a person wrote instead. */
export type Pick = 'ours' | 'theirs'

export interface MergeInput {
  readonly registry: RegistryKind
  /** Both changes where they do not clash, theirs where they do. */
  readonly merged: string
  readonly conflicts: readonly MergeConflict[]
  /** Our text: where it clashes, its entries can be put in. */
  readonly ours: SourceNode
  /** What is in force. */
  readonly theirs: { readonly number: number; readonly text: string }
}

/** The draft that goes on from what is in force, with both changes in it. Without a pick theirs counts. */
export function mergedDraft(
  { registry, merged, conflicts, ours, theirs }: MergeInput,
  picks: ReadonlyMap<string, Pick>,
): Draft {
  const draft = draftOf(registry, theirs)
  const together = readSource(merged).root ?? draft.base
  const root = conflicts.reduce((node, { name }) => {
    const from = picks.get(name) === 'ours' ? ours : draft.base
    return withEntryOf(registry, node, { name, from })
  }, together)
  return { ...draft, root }
}

export interface FieldVersions {
  readonly field: string
  readonly base: string | null
  readonly ours: string | null
  readonly theirs: string | null
  /** The two changed it in two ways. */
  readonly clash: boolean
}

/** The fields of an entry in which the three versions are not all the same. */
export function fieldVersions({ base, ours, theirs }: MergeConflict): readonly FieldVersions[] {
  const [was, my, their] = [base, ours, theirs].map(fieldsOf)
  const fields = new Set([was, my, their].flatMap((each) => [...(each?.keys() ?? [])]))
  return [...fields].flatMap((field) => {
    const [left, mine, others] = [was, my, their].map((each) => each?.get(field) ?? null) as [
      string | null,
      string | null,
      string | null,
    ]
    if (left === mine && left === others) return []
    return [
      { field, base: left, ours: mine, theirs: others, clash: mine !== others && mine !== left && others !== left },
    ]
  })
}

function fieldsOf(json: string | null): ReadonlyMap<string, string> {
  if (json === null) return new Map()
  try {
    const value: unknown = JSON.parse(json)
    return new Map(Object.entries(value as object).map(([key, each]) => [key, JSON.stringify(each)]))
  } catch {
    return new Map([['entry', json]])
  }
}
