import { readPlanDocument } from '../../core/parse/planDocument.ts'
import type { PlanInput } from '../../shared/model/plan.ts'
import { placeOf, refuseProblems } from './documents.ts'

/**
 * One plan a document, several documents, or lists of plans.
 *
 * @param what how the text is called in messages
 * @throws AppError INVALID_INPUT naming document, line and field of every mistake
 */
export function readPlans(text: string, what: string): PlanInput[] {
  const { plans, problems } = readPlanDocument(text)
  if (problems.length > 0) {
    return refuseProblems(
      what,
      problems.map((problem) => ({ field: placeOf(problem), message: problem.message })),
    )
  }
  if (plans.length === 0) return refuseProblems(what, [{ field: '', message: 'there is no plan in it' }])
  return [...plans]
}
