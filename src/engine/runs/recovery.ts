import type { RunId } from '../../shared/model/ids.ts'
import { isFinal } from '../../shared/model/run.ts'
import { commitEvent } from './commit.ts'
import type { RunServiceDependencies } from './dependencies.ts'

/**
 * Brings the store in order after a stop or a crash: attempts that were cut are marked, their runs queue again under
 * their ids (F33, U27), nothing stays locked or busy without a run that says so. Halted runs stay.
 * @returns runs whose cancel was asked for and not finished.
 */
export async function recoverRuns(dependencies: RunServiceDependencies): Promise<RunId[]> {
  const unfinishedCancels: RunId[] = []
  for (const run of await dependencies.store.listOpenRuns()) {
    // Agents went on while we were away; what they report next is how it stands.
    if (run.planKind === 'agent') continue
    const { effects } = await commitEvent(dependencies, run.id, { kind: 'interrupted' })
    if (run.cancellation !== null || effects.some((effect) => effect.kind === 'stopRemote'))
      unfinishedCancels.push(run.id)
  }
  await releaseOrphanedLocks(dependencies)
  await correctNodes(dependencies)
  return unfinishedCancels
}

async function releaseOrphanedLocks({ store, logger }: RunServiceDependencies): Promise<void> {
  await store.transact(async (transaction) => {
    for (const lock of await transaction.listLocks()) {
      const holder = await transaction.getRun(lock.runId)
      if (holder !== null && !isFinal(holder.status)) continue
      logger.warn({ runId: lock.runId, nodeId: lock.nodeId }, 'released a lock whose run is over')
      await transaction.releaseLocks(lock.runId)
    }
  })
}

async function correctNodes({ store }: RunServiceDependencies): Promise<void> {
  await store.transact(async (transaction) => {
    const locks = await transaction.listLocks()
    for (const node of await transaction.listNodes()) {
      // What its agent does is known from the agent.
      if (node.transport === 'poll') continue
      const locked = locks.some((lock) => lock.nodeId === node.id)
      if (node.activeRunId === null && node.locked === locked) continue
      await transaction.saveNode({ ...node, activeRunId: null, locked })
    }
  })
}
