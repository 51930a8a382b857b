import type { Clock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { IdSource } from '../platform/ids.ts'
import type { KeyVault } from '../platform/keyVault.ts'
import type { Logger } from '../platform/logger.ts'
import type { HomePaths } from '../platform/paths.ts'
import { AppError } from '../shared/errors.ts'
import type { RegistryServices } from './api/registryRouter.ts'
import type { NodeChannels, Store, StoreTransaction } from './ports.ts'
import { createRollouts } from './rollouts/rollouts.ts'
import type { RunService } from './runs/runService.ts'

export interface RegistrySideDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly runs: RunService
  readonly keyVault: KeyVault
  readonly channels: NodeChannels
  readonly home: HomePaths
  readonly config: Config
  readonly logger: Logger
  /** Gives plans whose content has changed a new revision, in the transaction that changed it. */
  readonly refreshPlans: (transaction: StoreTransaction) => Promise<unknown>
}

/** Registries, their sources, and the rollouts that bring their changes to the fleet. */
export interface RegistrySide extends RegistryServices {
  start(): Promise<void>
  stop(): Promise<void>
}

export function createRegistrySide(dependencies: RegistrySideDependencies): RegistrySide {
  const rollouts = createRollouts(dependencies)
  const notYet = async (): Promise<never> => {
    throw new AppError('UNSUPPORTED', 'not there yet')
  }
  return {
    registry: {
      get: notYet,
      history: notYet,
      check: notYet,
      compare: notYet,
      save: notYet,
      return: notYet,
      export: notYet,
      import: notYet,
    },
    sources: {
      start: notYet,
      stop: notYet,
      list: notYet,
      add: notYet,
      remove: notYet,
      refresh: notYet,
      refreshAll: notYet,
    },
    webhook: { describe: notYet, enable: notYet, disable: notYet, receive: notYet },
    rollouts,
    start: () => rollouts.start(),
    stop: () => rollouts.stop(),
  }
}
