import { z } from 'zod'
import { NodeId, PlanId } from '../model/ids.ts'
import { Plan, PlanInput } from '../model/plan.ts'
import { procedure } from './base.ts'

/** A plan by id or by name. */
export const PlanReference = z.string().min(1).max(255)

export const plansContract = {
  list: procedure.output(z.array(Plan)),
  get: procedure.input(z.object({ plan: PlanReference })).output(Plan),
  /** Creates or changes the plans of these names, all or none. An equal plan keeps its revision. */
  apply: procedure.input(z.object({ plans: z.array(PlanInput).min(1).max(1000) })).output(z.array(Plan)),
  remove: procedure.input(z.object({ plan: PlanReference })).output(z.object({ planId: PlanId })),
  /** Blast radius: which nodes a selector means now. */
  preview: procedure
    .input(z.object({ selector: z.string().max(2000) }))
    .output(z.object({ nodeIds: z.array(NodeId), total: z.number().int() })),
}
