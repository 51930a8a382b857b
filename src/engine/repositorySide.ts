import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/ids.ts'
import type { KeyVault } from '../platform/keyVault.ts'
import type { Logger } from '../platform/logger.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { RepositoryServices } from './api/repositoriesRouter.ts'
import type { NodeService } from './fleet/nodeService.ts'
import type { PlanService } from './fleet/planService.ts'
import { resolveNode } from './fleet/resolve.ts'
import { seal, unseal } from './pki/sealing.ts'
import type { DiagnoseFailure, OpenSshAccess, RepositoryTrees, SshPool, Store } from './ports.ts'
import { createDeliveries } from './repositories/deliveries.ts'
import { createFetching } from './repositories/fetching.ts'
import { importConfiguration } from './repositories/importing.ts'
import { createRepositoryMirrors } from './repositories/mirror/index.ts'
import type { BeginRuns, RefreshPlans, RepositoryParts } from './repositories/parts.ts'
import { createPoller } from './repositories/poller.ts'
import { createPreviews } from './repositories/preview.ts'
import { createRepositoryService } from './repositories/repositoryService.ts'
import { createSecretScanner } from './repositories/scan/index.ts'
import { createScans } from './repositories/scans.ts'
import { createRepositorySecrets, tokenFor } from './repositories/secrets.ts'
import { createSentinels } from './repositories/sentinels.ts'
import { repositoryTargets } from './repositories/targets.ts'
import { createRepositoryTrees } from './repositories/trees.ts'
import { readManifest } from './transfer/manifest.ts'
import { remoteRsyncProgram } from './transfer/remoteProcess.ts'
import { runRsync } from './transfer/rsync.ts'
import { Sources } from './transfer/source.ts'

export interface RepositorySideDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly keyVault: KeyVault
  readonly openSsh: OpenSshAccess
  readonly sshPool: SshPool
  readonly home: HomePaths
  readonly logger: Logger
  readonly diagnose: DiagnoseFailure
  /** Of a certificate for a git server. */
  readonly principal: string
  /** Gives plans whose content has changed a new revision, in the transaction that changed it. */
  readonly refreshPlans: RefreshPlans
  /** Parts that need trees themselves: asked for when somebody calls. */
  readonly parts: () => { readonly plans: PlanService; readonly nodes: NodeService; readonly beginRuns: BeginRuns }
}

/** Repositories, what git brings of them, and what takes their commits to nodes. */
export interface RepositorySide extends RepositoryServices {
  readonly trees: RepositoryTrees
  /** Listings of them. */
  readonly treeSources: Sources
  start(): Promise<void>
  /** Asks for nothing any more; what runs have begun goes on. */
  stop(): Promise<void>
  /** After the last run. */
  close(): Promise<void>
  /** The machine slept, or was without a network. */
  wake(): void
}

export function createRepositorySide(dependencies: RepositorySideDependencies): RepositorySide {
  const { store, clock, ids, logger, keyVault, openSsh, sshPool, home, refreshPlans } = dependencies
  const { plans, nodes, beginRuns } = lazily(dependencies.parts)
  const secrets = createRepositorySecrets(store, {
    seal: (secret, context) => seal(keyVault, secret, context),
    unseal: (sealed, context) => unseal(keyVault, sealed, context),
  })
  const mirrors = createRepositoryMirrors({
    directory: home.repositoriesDirectory,
    clock,
    logger,
    openSsh,
    sshPool,
    findNode: (node) => resolveNode(store, node).catch(() => null),
    principal: dependencies.principal,
    tokenOf: (id, url) => tokenFor({ store, secrets }, id, url),
  })
  const scanner = createSecretScanner({ privateDirectory: join(home.runDirectory, 'scan') })
  const parts: RepositoryParts = { store, clock, ids, logger, mirrors, secrets, scanner }
  const scans = createScans(parts)
  const sources = new Sources()
  const listTree = (directory: string, excludes: readonly string[]) => sources.of(directory, excludes)
  const fetching = createFetching({ ...parts, refreshPlans, listTree })
  const poller = createPoller({ ...parts, fetching, beginRuns })
  const onSettings = (): void =>
    void poller
      .settingsChanged()
      .catch((error: unknown) => logger.error({ err: error }, 'repositories are not followed as they should be'))
  const repositories = createRepositoryService({ ...parts, fetching, scans, refreshPlans, onSettings })
  const transfer = { readManifest, remoteRsyncProgram, runRsync }
  const previews = createPreviews({ ...parts, openSsh, sshPool, transfer, diagnose: dependencies.diagnose })
  return {
    trees: createRepositoryTrees({ ...parts, scans }),
    treeSources: sources,
    repositories,
    repositoryDeliveries: createDeliveries({
      ...parts,
      fetching,
      beginRuns,
      applyPlan: async (transaction, input, operator) => plans().applyIn(transaction, input, operator),
    }),
    sentinels: createSentinels({ store, sshPool, clock }),
    repositoryTargets: (repository) => repositoryTargets(parts, repository),
    previewSync: (order, signal) => previews.preview(order, signal),
    importRepository: (order, operator) =>
      importConfiguration(
        {
          store,
          repositories,
          addNodes: (inputs, by) =>
            nodes().add(
              inputs.map((node) => ({ node, hostKeys: [] })),
              by,
            ),
          applyPlans: (inputs, by) => plans().apply(inputs, by),
          homeDirectory: homedir(),
        },
        order,
        operator,
      ),
    start: () => poller.start(),
    stop: async () => void (await Promise.all([poller.stop(), fetching.stop()])),
    close: () => scans.stop(),
    wake: () => poller.wake(),
  }
}

function lazily(parts: RepositorySideDependencies['parts']) {
  const beginRuns: BeginRuns = (request) => parts().beginRuns(request)
  return { plans: () => parts().plans, nodes: () => parts().nodes, beginRuns }
}
