import { stringify } from 'yaml'
import { type Plan, PlanInput } from '../../shared/model/plan.ts'
import { readYamlDocuments, type YamlDocument, type YamlProblem } from './yamlDocuments.ts'

/** What is wrong with a plan document, where a person can find it. */
export interface PlanProblem extends YamlProblem {
  /** Number of the plan in the whole text, from 1; null for a mistake of the YAML itself. */
  readonly plan: number | null
  /** From the root of the document: `0.spec.push.source` in a list, `spec.push.source` otherwise. */
  readonly path: readonly PropertyKey[]
  /** The same, from the root of the plan. */
  readonly field: string
}

export interface PlanDocument {
  /** Those that are right; all of them when there is no problem. */
  readonly plans: readonly PlanInput[]
  readonly problems: readonly PlanProblem[]
}

interface Entry {
  readonly document: YamlDocument
  readonly value: unknown
  readonly base: readonly PropertyKey[]
}

const entriesOf = (document: YamlDocument): Entry[] =>
  Array.isArray(document.value)
    ? document.value.map((value: unknown, index) => ({ document, value, base: [index] }))
    : [{ document, value: document.value, base: [] }]

const names = (path: readonly PropertyKey[]): string => path.map(String).join('.')

function problemAt(
  { document, base }: Entry,
  plan: number,
  issue: { readonly path: readonly PropertyKey[]; readonly message: string },
): PlanProblem {
  const path = [...base, ...issue.path]
  return {
    document: document.number,
    line: document.lineOf(path),
    plan,
    path,
    field: names(issue.path),
    message: issue.message,
  }
}

/** The form that `lockstep plans apply` and the editor take: one plan a document, several documents, or lists. */
export function readPlanDocument(text: string): PlanDocument {
  const read = readYamlDocuments(text)
  const problems: PlanProblem[] = read.problems.map((problem) => ({ ...problem, plan: null, path: [], field: '' }))
  const plans: PlanInput[] = []
  const seen = new Set<string>()
  for (const [index, entry] of read.documents.flatMap(entriesOf).entries()) {
    const checked = PlanInput.safeParse(entry.value)
    if (!checked.success) problems.push(...checked.error.issues.map((issue) => problemAt(entry, index + 1, issue)))
    else if (seen.has(checked.data.name)) {
      problems.push(problemAt(entry, index + 1, { path: ['name'], message: 'another plan here has the same name' }))
    } else {
      seen.add(checked.data.name)
      plans.push(checked.data)
    }
  }
  return { plans, problems }
}

/** The document that gives these plans again. */
export function formatPlanDocument(plans: readonly (PlanInput | Plan)[]): string {
  const inputs = plans.map(({ name, kind, selector, spec }) => ({ name, kind, selector, spec }))
  return stringify(inputs.length === 1 ? inputs[0] : inputs, { lineWidth: 0 })
}
