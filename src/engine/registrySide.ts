import type { Clock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { IdSource } from '../platform/ids.ts'
import type { KeyVault } from '../platform/keyVault.ts'
import type { Logger } from '../platform/logger.ts'
import type { HomePaths } from '../platform/paths.ts'
import { AppError } from '../shared/errors.ts'
import type { Plan } from '../shared/model/plan.ts'
import type { RegistryServices } from './api/registryRouter.ts'
import { createRegisteredNodes } from './fleet/registeredNodes.ts'
import { seal, unseal } from './pki/sealing.ts'
import type { Identities, NodeChannels, SshPool, Store, StoreTransaction } from './ports.ts'
import { createRegistryStore } from './registry/registryStore.ts'
import { createSealedValues, type ValueVault } from './registry/sealedValues.ts'
import { createRollouts } from './rollouts/rollouts.ts'
import type { RunService } from './runs/runService.ts'

export interface RegistrySideDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly runs: RunService
  readonly keyVault: KeyVault
  readonly channels: NodeChannels
  readonly sshPool: SshPool
  readonly identities: Identities
  readonly home: HomePaths
  readonly config: Config
  readonly logger: Logger
  /** Gives plans whose content has changed a new revision, in the transaction that changed it. */
  readonly refreshPlans: (transaction: StoreTransaction) => Promise<readonly Plan[]>
}

/** Registries, their sources, and the rollouts that bring their changes to the fleet. */
export interface RegistrySide extends RegistryServices {
  start(): Promise<void>
  stop(): Promise<void>
}

export function createRegistrySide(dependencies: RegistrySideDependencies): RegistrySide {
  const { store, clock, logger, keyVault } = dependencies
  const vault: ValueVault = {
    seal: (secret, context) => seal(keyVault, secret, context),
    unseal: (sealed, context) => unseal(keyVault, sealed, context),
  }
  const rollouts = createRollouts(dependencies)
  const registry = createRegistryStore({
    store,
    clock,
    values: createSealedValues({ store, vault }),
    fleet: createRegisteredNodes(dependencies),
    refreshPlans: dependencies.refreshPlans,
    onChanged: (change) =>
      void rollouts
        .registryChanged(change)
        .catch((error: unknown) => logger.error({ err: error }, 'rollout not begun')),
  })
  return {
    registry,
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

const notYet = async (): Promise<never> => {
  throw new AppError('UNSUPPORTED', 'not there yet')
}
