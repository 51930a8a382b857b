import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Store } from '../ports.ts'
import type { RunService } from '../runs/runService.ts'

export interface RolloutDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly runs: Pick<RunService, 'push' | 'cancel' | 'withdraw'>
  readonly logger: Logger
}
