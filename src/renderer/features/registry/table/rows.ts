import type { RegistryProblem } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { contentOf, type Draft } from '../draft/draft.ts'
import { type EntryRow, entryRows, placeOfPath, problemKeyOf } from '../draft/entries.ts'

export type RowState = 'same' | 'new' | 'changed' | 'removed'

/** A line of the table: an entry of the draft, or one that the draft no longer has. */
export interface TableRow {
  readonly id: string
  readonly entry: EntryRow
  readonly state: RowState
  /** What is wrong with each field; the key `''` is for the entry as a whole. */
  readonly problems: ReadonlyMap<string, string>
}

/** Which rows are in sight. */
export type RowChoice = 'all' | 'changed' | 'wrong'

const none: ReadonlyMap<string, string> = new Map()

/** Mistakes by row and field. */
export function problemsByRow(
  registry: RegistryKind,
  problems: readonly RegistryProblem[],
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byRow = new Map<string, Map<string, string>>()
  for (const { path, message } of problems) {
    const place = placeOfPath(registry, path)
    if (place === null) continue
    const fields = byRow.get(place.key) ?? new Map<string, string>()
    const field = place.field ?? ''
    fields.set(field, fields.has(field) ? `${fields.get(field)}; ${message}` : message)
    byRow.set(place.key, fields)
  }
  return byRow
}

/** All lines of a draft, with what became of each since the revision it began with. Entries that are gone come last. */
export function tableRows(draft: Draft, problems: readonly RegistryProblem[]): readonly TableRow[] {
  const { registry } = draft
  const before = new Map(entryRows(registry, draft.base).map((entry) => [entry.name, entry]))
  const wrong = problemsByRow(registry, problems)
  const rows = entryRows(registry, contentOf(draft)).map((entry): TableRow => {
    const was = before.get(entry.name)
    const state = was === undefined ? 'new' : was.json === entry.json ? 'same' : 'changed'
    return { id: entry.id, entry, state, problems: wrong.get(problemKeyOf(registry, entry)) ?? none }
  })
  const names = new Set(rows.map(({ entry }) => entry.name))
  const gone = [...before.values()]
    .filter(({ name }) => !names.has(name))
    .map((entry): TableRow => ({ id: `removed ${entry.name}`, entry, state: 'removed', problems: none }))
  return [...rows, ...gone]
}

/** @param text what has to be in one of the texts of a row, whatever the case */
export function chosenRows(
  rows: readonly TableRow[],
  { text, choice }: { readonly text: string; readonly choice: RowChoice },
  textsOf: (row: TableRow) => readonly string[],
): readonly TableRow[] {
  const wanted = text.trim().toLowerCase()
  return rows.filter((row) => {
    if (choice === 'changed' && row.state === 'same') return false
    if (choice === 'wrong' && row.problems.size === 0) return false
    return wanted === '' || textsOf(row).some((each) => each.toLowerCase().includes(wanted))
  })
}
