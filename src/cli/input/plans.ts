import { stringify } from 'yaml'
import { type Plan, PlanInput } from '../../shared/model/plan.ts'
import type { FieldProblem } from '../errors.ts'
import { type ReadDocument, readDocuments, refuseProblems } from './documents.ts'

interface Entry {
  readonly value: unknown
  readonly path: readonly PropertyKey[]
}

const entriesOf = ({ value }: ReadDocument): Entry[] =>
  Array.isArray(value) ? value.map((item, index) => ({ value: item, path: [index] })) : [{ value, path: [] }]

/**
 * One plan a document, several documents, or lists of plans.
 *
 * @param what how the text is called in messages
 * @throws AppError INVALID_INPUT naming document, line and field of every mistake
 */
export function readPlans(text: string, what: string): PlanInput[] {
  const read = readDocuments(text)
  if (!read.ok) return refuseProblems(what, read.problems)
  const plans: PlanInput[] = []
  const problems: FieldProblem[] = []
  const seen = new Set<string>()
  for (const document of read.documents) {
    for (const entry of entriesOf(document)) {
      const checked = PlanInput.safeParse(entry.value)
      if (checked.success) plans.push(checked.data)
      else problems.push(...checked.error.issues.map((issue) => problemAt(document, entry.path, issue)))
      if (checked.success && seen.has(checked.data.name)) problems.push(doubleName(document, entry))
      if (checked.success) seen.add(checked.data.name)
    }
  }
  if (problems.length > 0) return refuseProblems(what, problems)
  if (plans.length === 0) return refuseProblems(what, [{ field: '', message: 'there is no plan in it' }])
  return plans
}

function problemAt(
  document: ReadDocument,
  base: readonly PropertyKey[],
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
): FieldProblem {
  const path = [...base, ...issue.path]
  const where = `document ${document.number}, line ${document.lineOf(path)}`
  return { field: path.length === 0 ? where : `${where}, ${path.map(String).join('.')}`, message: issue.message }
}

const doubleName = (document: ReadDocument, entry: Entry): FieldProblem =>
  problemAt(document, entry.path, { path: ['name'], message: 'another plan here has the same name' })

/** The document that `plans apply` would take to get this plan again. */
export function planDocument({ name, kind, selector, spec }: Plan): string {
  return stringify({ name, kind, selector, spec }, { lineWidth: 0 })
}
