import { readNodeRegistry } from '../core/registry/nodeRegistry.ts'
import type { Clock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { IdSource } from '../platform/ids.ts'
import type { KeyVault } from '../platform/keyVault.ts'
import type { Logger } from '../platform/logger.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { Plan } from '../shared/model/plan.ts'
import type { NodeRegistry } from '../shared/model/registry.ts'
import type { RegistryServices } from './api/registryRouter.ts'
import { createRegisteredNodes } from './fleet/registeredNodes.ts'
import { seal, unseal } from './pki/sealing.ts'
import type { Identities, NodeChannels, RegistryStore, SshPool, Store, StoreTransaction } from './ports.ts'
import { fileFollowers } from './registry/fileFollower.ts'
import { configMapFollowers } from './registry/kubernetes/configMapSource.ts'
import { createRegistryStore } from './registry/registryStore.ts'
import { createSealedValues, type ValueVault } from './registry/sealedValues.ts'
import { createRegistrySources } from './registry/sources.ts'
import { createRegistryWebhook } from './registry/webhook.ts'
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
  /** The machine slept, or was without a network: looks at all sources now. */
  wake(): void
}

export function createRegistrySide(dependencies: RegistrySideDependencies): RegistrySide {
  const { store, clock, logger, keyVault } = dependencies
  const pollIntervalMs = dependencies.config.registryPollIntervalMs
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
  const sources = createRegistrySources({
    ...dependencies,
    save: registry.save,
    followers: {
      file: fileFollowers({ clock, logger, pollIntervalMs }),
      configMap: configMapFollowers({ clock, logger, pollIntervalMs }),
    },
    liveNodes: () => liveNodes(registry),
  })
  const webhook = createRegistryWebhook({ store, clock, logger, vault, refreshAll: sources.refreshAll })
  return {
    registry,
    sources,
    webhook,
    rollouts,
    /** Rollouts first: what a source brings then finds them at work. */
    start: async () => {
      await rollouts.start()
      await sources.start()
    },
    stop: async () => {
      await sources.stop()
      await rollouts.stop()
    },
    wake: () =>
      void sources
        .refreshAll()
        .catch((error: unknown) => logger.warn({ err: error }, 'the sources could not be looked at')),
  }
}

/** The newest node registry with what the fleet knows now (S1.19-21). */
async function liveNodes(registry: RegistryStore): Promise<NodeRegistry | null> {
  const newest = await registry.get('nodes', { format: 'json' })
  const read = newest === null ? null : readNodeRegistry(newest.text)
  return read?.ok === true ? read.registry : null
}
