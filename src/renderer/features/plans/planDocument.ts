import { type Document, isSeq, LineCounter, parseAllDocuments, stringify, type YAMLError } from 'yaml'
import { type Plan, PlanInput } from '../../../shared/model/plan.ts'

/** What is wrong with a document, where a person can find it. */
export interface PlanProblem {
  /** From 1; null for a mistake that is in no one line. */
  readonly line: number | null
  /** `plan 2, spec.push.source`; empty for a mistake of the YAML itself. */
  readonly where: string
  readonly message: string
}

export interface ParsedPlans {
  /** Those that are right; all of them when there is no problem. */
  readonly plans: readonly PlanInput[]
  readonly problems: readonly PlanProblem[]
}

/**
 * Reads plans as `lockstep plans apply` takes them: one plan a document, several documents, or lists of plans.
 * Never throws: mistakes come back with line and field.
 */
export function parsePlanDocument(text: string): ParsedPlans {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const documents = Array.isArray(parsed) ? parsed : []
  const plans: PlanInput[] = []
  const problems: PlanProblem[] = []
  let number = 0
  for (const document of documents) {
    problems.push(...document.errors.map((error) => syntaxProblem(error, lines)))
    if (document.errors.length > 0 || document.contents === null) continue
    const inList = isSeq(document.contents)
    const value = resolve(document)
    if (value === undefined) {
      problems.push({ line: null, where: '', message: 'the aliases in this document cannot be resolved' })
      continue
    }
    const values: readonly unknown[] = inList ? (value as unknown[]) : [value]
    for (const [index, value] of values.entries()) {
      number += 1
      const checked = PlanInput.safeParse(value)
      if (checked.success) plans.push(checked.data)
      else {
        const base = inList ? [index] : []
        problems.push(
          ...checked.error.issues.map((issue) => ({
            line: lineOf(document, [...base, ...issue.path], lines),
            where: [`plan ${number}`, issue.path.join('.')].filter((part) => part !== '').join(', '),
            message: issue.message,
          })),
        )
      }
    }
  }
  return { plans, problems: [...problems, ...doubles(plans)].sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
}

const syntaxProblem = (error: YAMLError, lines: LineCounter): PlanProblem => ({
  line: lines.linePos(error.pos[0]).line,
  where: '',
  message: error.message,
})

/** Undefined where an alias leads nowhere, or to too much. */
function resolve(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch {
    return undefined
  }
}

/** The line of the deepest part of the path that is there: a missing field is shown at what should hold it. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length) as string[], true)
    const start = (node as { readonly range?: readonly number[] | null } | null | undefined)?.range?.[0]
    if (start !== undefined) return lines.linePos(start).line
  }
  return 1
}

function doubles(plans: readonly PlanInput[]): PlanProblem[] {
  const seen = new Set<string>()
  return plans.flatMap((plan) => {
    const again = seen.has(plan.name)
    seen.add(plan.name)
    return again ? [{ line: null, where: plan.name, message: 'two plans in this document have the same name' }] : []
  })
}

/** The document that gives this plan again. */
export function formatPlanDocument(plans: readonly (PlanInput | Plan)[]): string {
  return stringify(
    plans.map(({ name, kind, selector, spec }) => ({ name, kind, selector, spec })),
    { lineWidth: 0 },
  )
}

export const newPlanDocument = `# One plan or a list of plans; the same form as: lockstep plans apply -f plans.yaml
- name: example
  kind: tree
  # Which nodes, in the filter language of the map.
  selector: kind:vps
  spec:
    push:
      # A directory on this machine; its content is sent.
      source: /srv/edge
      # A directory on the node.
      target: ~/edge
    delete: false
    excludes: [.git, '*.tmp']
    verify: { mode: sample, files: 200 }
`

export type PlanEffect = 'new' | 'changed' | 'unchanged'

/** What applying would do to the plan of this name. An equal plan keeps its revision. */
export function effectOf(input: PlanInput, existing: Plan | undefined): PlanEffect {
  if (existing === undefined) return 'new'
  return canonical([input.kind, input.selector, input.spec]) ===
    canonical([existing.kind, existing.selector, existing.spec])
    ? 'unchanged'
    : 'changed'
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
