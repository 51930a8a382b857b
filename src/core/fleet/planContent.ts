import type { Plan } from '../../shared/model/plan.ts'
import { canonicalJson } from '../canonicalJson.ts'

/** What a plan says, in one form: equal texts mean that nothing is to be done, so its revision stays. */
export function planContent({ kind, selector, spec }: Pick<Plan, 'kind' | 'selector' | 'spec'>): string {
  return canonicalJson({ kind, selector, spec })
}
