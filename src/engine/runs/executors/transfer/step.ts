import type { Clock } from '../../../../platform/clock.ts'
import type { RunProgress } from '../../../../shared/model/run.ts'
import type { DiagnoseFailure, OpenSshAccess, SshPool, StoreReader } from '../../../ports.ts'
import type { StepContext } from '../../executor.ts'

/** What executors that move trees need. */
export interface TransferDependencies {
  readonly store: Pick<StoreReader, 'recentDeleteShares' | 'listRuns'>
  readonly clock: Clock
  readonly sshPool: SshPool
  readonly openSsh: OpenSshAccess
  readonly diagnose: DiagnoseFailure
}

/** One direction of one run: what the pieces of a transfer have in common. */
export interface TransferStep {
  readonly direction: RunProgress['direction']
  readonly dependencies: TransferDependencies
  readonly context: StepContext
}

/** One look, a listing: each has to answer within this, so that a hanging node holds no slot (S1.78). */
export const commandTimeoutMs = 120_000
