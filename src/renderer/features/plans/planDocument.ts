import { planContent } from '../../../core/fleet/planContent.ts'
import { readPlanDocument } from '../../../core/parse/planDocument.ts'
import type { Plan, PlanInput } from '../../../shared/model/plan.ts'

export { formatPlanDocument } from '../../../core/parse/planDocument.ts'

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

/** Reads what is in the editor; mistakes from the top down. Never throws. */
export function parsePlanDocument(text: string): ParsedPlans {
  const { plans, problems } = readPlanDocument(text)
  const shown = problems.map(({ line, plan, field, message }) => ({
    line,
    where: plan === null ? '' : [`plan ${plan}`, field].filter((part) => part !== '').join(', '),
    message,
  }))
  return { plans, problems: shown.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
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
  if (existing.kind === 'agent') return 'changed'
  return planContent(input) === planContent(existing) ? 'unchanged' : 'changed'
}
