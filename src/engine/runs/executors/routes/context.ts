import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { StepContext } from '../../executor.ts'

export type RoutesContext = StepContext<PlanOf<'routes'>>
