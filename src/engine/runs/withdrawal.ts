import { transition } from '../../core/run/machine.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { Run } from '../../shared/model/run.ts'
import type { RunServiceDependencies } from './dependencies.ts'

/**
 * Cancels those of these runs that nobody has begun to work on, all in one transaction. They have touched nothing, so
 * their nodes stay as they are. @returns the canceled ones
 */
export function withdrawRuns(
  { store, clock }: Pick<RunServiceDependencies, 'store' | 'clock'>,
  runIds: readonly RunId[],
  by: string,
): Promise<Run[]> {
  return store.transact(async (transaction) => {
    const withdrawn: Run[] = []
    for (const runId of runIds) {
      const run = await transaction.getRun(runId)
      if (run?.status !== 'queued' || run.attempts.length > 0) continue
      const canceled = transition(run, { kind: 'cancelRequested', by }, { nowMs: clock.nowMs() })
      withdrawn.push(await transaction.saveRun(canceled.run))
    }
    return withdrawn
  })
}
