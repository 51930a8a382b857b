import { AppError } from '../../../shared/errors.ts'
import type { RunServiceDependencies } from '../dependencies.ts'
import type { PlanExecutor, PlanExecutors } from '../executor.ts'
import { createTreeExecutor } from './tree/treeExecutor.ts'

/** Every kind of plan with what carries it out. */
export function createExecutors(dependencies: RunServiceDependencies): PlanExecutors {
  return {
    tree: createTreeExecutor(dependencies),
    krl: unwired(),
    trust: unwired(),
    'host-certificate': unwired(),
  }
}

function unwired(): PlanExecutor<unknown> {
  const refuse = async (): Promise<never> => {
    throw new AppError('UNSUPPORTED', 'This kind of plan is not carried out yet.')
  }
  return {
    createMemory: () => null,
    lockTargets: refuse,
    preflight: refuse,
    push: refuse,
    pull: refuse,
    verify: refuse,
    cleanUp: refuse,
    stop: refuse,
  }
}
