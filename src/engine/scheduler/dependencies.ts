import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Identities, SshPool, Store } from '../ports.ts'
import type { RunService } from '../runs/runService.ts'

export interface SchedulerDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly sshPool: Pick<SshPool, 'login'>
  readonly identities: Pick<Identities, 'ensureMany'>
  readonly runs: Pick<RunService, 'push'>
  readonly config: { readonly reconcileIntervalMs: number; readonly unreachableProbeIntervalMs: number }
  readonly logger: Logger
}
