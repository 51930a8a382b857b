import { AppError } from '../../../../shared/errors.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { NodeChannels, RegistryContent } from '../../../ports.ts'
import type { PlanExecutor } from '../../executor.ts'

export interface HostsDependencies {
  readonly channels: NodeChannels
  readonly content: RegistryContent
}

export function createHostsExecutor(_dependencies: HostsDependencies): PlanExecutor<null, PlanOf<'hosts'>> {
  const notYet = async (): Promise<never> => {
    throw new AppError('UNSUPPORTED', 'not there yet')
  }
  return {
    createMemory: () => null,
    lockTargets: notYet,
    preflight: notYet,
    push: notYet,
    pull: notYet,
    verify: notYet,
    cleanUp: notYet,
    stop: notYet,
  }
}
