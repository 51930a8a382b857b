import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import type { IdempotencyKey, NodeId, RolloutId, RunId } from '../../shared/model/ids.ts'
import type { RunProgress, RunTrigger } from '../../shared/model/run.ts'
import type {
  Authorities,
  CertificateAuthority,
  DiagnoseFailure,
  Identities,
  LoginProbe,
  LogStore,
  NodeChannels,
  OpenSshAccess,
  ProbeIdentities,
  RegistryContent,
  RepositoryTrees,
  Revocations,
  SshPool,
  Store,
} from '../ports.ts'
import type { Sources } from '../transfer/source.ts'

/** The part of the settings that runs obey; `Config` of `platform/config.ts` fits. */
export interface RunConfig {
  readonly maxParallelRuns: number
  /** Runs of one round trip under way at once, at most; how many there are follows the machine. Default 256. */
  readonly maxExpressRuns?: number
  /** Failed cycles in a row after which a node is `error` (D12). */
  readonly errorAfterFailures: number
  /** Between the tries of a run (S1.74). */
  readonly retryDelayMs: number
  readonly certificate: { readonly minValidSeconds: number; readonly lifetimeSeconds: number }
}

export interface RunServiceDependencies {
  readonly store: Store
  readonly logs: LogStore
  readonly clock: Clock
  readonly ids: IdSource
  readonly identities: Identities
  readonly sshPool: SshPool
  readonly openSsh: OpenSshAccess
  readonly diagnose: DiagnoseFailure
  /** What runs deliver that is the engine's own: trusted keys, the revocation list, host certificates. */
  readonly authority: CertificateAuthority
  readonly authorities: Authorities
  readonly revocations: Revocations
  readonly probes: ProbeIdentities
  readonly loginProbe: LoginProbe
  /** Small payloads to nodes, and what the registry makes of them. */
  readonly channels: NodeChannels
  readonly content: RegistryContent
  /** What plans of kind `repository` deliver. */
  readonly trees: RepositoryTrees
  /** Listings of them that were made ahead. */
  readonly sources?: Sources
  readonly config: RunConfig
  readonly logger: Logger
  /** At most four times a second for each run, and the last value always. */
  readonly publishProgress: (runId: RunId, progress: RunProgress) => void
}

export interface PushRequest {
  readonly idempotencyKey: IdempotencyKey
  /** Ids or names; none means every plan. */
  readonly plans: readonly string[]
  /** `ready`: those of these nodes that can be pushed to, with those of the plans that select them; never refused. */
  readonly targets: PushTargets | { readonly kind: 'ready'; readonly nodeIds: readonly NodeId[] }
  /** The change these runs are part of. */
  readonly rolloutId?: RolloutId
  /** Sends also what a node seems to have already (D18). */
  readonly force?: true
  readonly trigger: RunTrigger
  readonly requestedBy: string
}
