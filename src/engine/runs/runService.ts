import { AppError } from '../../shared/errors.ts'
import type { BatchId, RunId } from '../../shared/model/ids.ts'
import type { HaltReason, Run } from '../../shared/model/run.ts'
import { Cancellations } from './cancellation.ts'
import { commitEvent } from './commit.ts'
import { Coordinator } from './coordinator.ts'
import type { PushRequest, RunServiceDependencies } from './dependencies.ts'
import type { PlanExecutors } from './executor.ts'
import { createExecutors } from './executors/index.ts'
import { recoverRuns } from './recovery.ts'
import { registerRuns } from './registration.ts'
import { withdrawRuns } from './withdrawal.ts'

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
  /** Cancels those of these runs that nobody has begun to work on. @returns the canceled ones */
  withdraw(runIds: readonly RunId[], by: string): Promise<Run[]>
  /** @throws PRECONDITION_FAILED when the run does not wait for this. */
  approve(runId: RunId, reason: HaltReason, by: string): Promise<Run>
}

function approvedByItsAgent({ id, nodeName }: Run): AppError {
  return new AppError(
    'UNSUPPORTED',
    `Run ${id} waits on ${nodeName}, where its agent keeps the question. Approve it there: lockstep-agent run --approve.`,
    { data: { runId: id } },
  )
}

/** Nothing works before `start`; runs may be registered before. @param executors by default those of all kinds */
export function createRunService(
  dependencies: RunServiceDependencies,
  executors: PlanExecutors = createExecutors(dependencies),
): RunService {
  const coordinator = new Coordinator(dependencies, executors)
  const cancellations = new Cancellations(dependencies, executors, coordinator)

  return {
    start: async () => {
      const unfinishedCancels = await recoverRuns(dependencies)
      coordinator.enqueue(await dependencies.store.listOpenRuns())
      await coordinator.open()
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
    withdraw: async (runIds, by) => {
      const withdrawn = await withdrawRuns(dependencies, runIds, by)
      await Promise.all(withdrawn.map(({ id }) => coordinator.cut(id)))
      return withdrawn
    },
    approve: async (runId, reason, by) => {
      const { run, effects } = await commitEvent(dependencies, runId, async (_transaction, halted) => {
        if (halted.planKind === 'agent') throw approvedByItsAgent(halted)
        return { kind: 'approved', reason, by }
      })
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
