import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { BatchId, IdempotencyKey, RunId } from '../../shared/model/ids.ts'
import type { HaltReason, Run, RunProgress, RunTrigger } from '../../shared/model/run.ts'
import type { DiagnoseFailure, Identities, LogStore, OpenSshAccess, SshPool, Store } from '../ports.ts'
import { Cancellations } from './cancellation.ts'
import { commitEvent } from './commit.ts'
import { Coordinator } from './coordinator.ts'
import { createTreeExecutor } from './executors/tree/treeExecutor.ts'
import { recoverRuns } from './recovery.ts'
import { registerRuns } from './registration.ts'

/** The part of the settings that runs obey; `Config` of `platform/config.ts` fits. */
export interface RunConfig {
  readonly maxParallelRuns: number
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
  readonly config: RunConfig
  readonly logger: Logger
  /** At most four times a second for each run, and the last value always. */
  readonly publishProgress: (runId: RunId, progress: RunProgress) => void
}

export interface PushRequest {
  readonly idempotencyKey: IdempotencyKey
  /** Ids or names; none means every plan. */
  readonly plans: readonly string[]
  readonly targets: PushTargets
  readonly trigger: RunTrigger
  readonly requestedBy: string
}

/** Registers runs, works on them and brings them through crashes. */
export interface RunService {
  /** Takes up what an earlier process left, then works until `stop`. */
  start(): Promise<void>
  /** Cuts the running attempts; the next `start` resumes them under the same run ids. */
  stop(): Promise<void>
  /**
   * Registers one run for each plan and node; durable when it resolves. The same key gives the same runs (S0.88).
   * @throws NOT_FOUND, INVALID_INPUT, PRECONDITION_FAILED, UNSUPPORTED; then nothing was registered.
   */
  push(request: PushRequest): Promise<{ batchId: BatchId; runs: Run[] }>
  /** Resolves once the remote side is proven to be gone or the proof has failed. Canceling twice does no harm. */
  cancel(runId: RunId, by: string): Promise<Run>
  /** @throws PRECONDITION_FAILED when the run does not wait for this. */
  approve(runId: RunId, reason: HaltReason, by: string): Promise<Run>
}

/** Nothing works before `start`; runs may be registered before. */
export function createRunService(dependencies: RunServiceDependencies): RunService {
  const executor = createTreeExecutor(dependencies)
  const coordinator = new Coordinator(dependencies, executor)
  const cancellations = new Cancellations(dependencies, executor, coordinator)

  return {
    start: async () => {
      const unfinishedCancels = await recoverRuns(dependencies)
      coordinator.enqueue(await dependencies.store.listOpenRuns())
      coordinator.open()
      for (const runId of unfinishedCancels) {
        cancellations
          .stop(runId)
          .catch((error: unknown) => dependencies.logger.error({ err: error, runId }, 'a cancel could not be finished'))
      }
    },
    stop: async () => {
      await coordinator.close()
      await cancellations.settled()
    },
    push: async (request) => {
      const registered = await registerRuns(dependencies, request)
      coordinator.enqueue(registered.runs)
      return registered
    },
    cancel: (runId, by) => cancellations.cancel(runId, by),
    approve: async (runId, reason, by) => {
      const { run, effects } = await commitEvent(dependencies, runId, { kind: 'approved', reason, by })
      if (effects.length === 0) {
        throw new AppError('PRECONDITION_FAILED', `Run ${runId} does not wait for "${reason}"; it is ${run.status}.`, {
          data: { runId, status: run.status },
        })
      }
      coordinator.enqueue([run])
      return run
    },
  }
}
