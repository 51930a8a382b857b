import { severityOf } from '../../core/run/severity.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Change } from '../../shared/model/event.ts'
import { isFinal, type Run } from '../../shared/model/run.ts'
import type { EngineMeasures } from './measures.ts'

/**
 * Writes what becomes of the fleet into the log, with the levels of S1.98-101: a node that does not answer is a warning
 * (S1.72), what failed for good an error with its cause (S1.75), what was read back a success.
 *
 * @returns stops it
 */
export function logFleet({ store }: EngineMeasures, logger: Logger): () => void {
  return store.onCommitted((events) => {
    for (const { change } of events) logChange(change, logger)
  })
}

function logChange(change: Change, logger: Logger): void {
  if (change.kind === 'run.saved') logRun(change.run, logger)
  else if (change.kind === 'rollout.saved' && change.rollout.finishedAt !== null) {
    const { id, status, counts } = change.rollout
    logger.info({ rolloutId: id, ...counts, ...(status === 'finished' ? { success: true } : {}) }, `rollout ${status}`)
  } else if (change.kind === 'registry.saved') {
    const { registry, number } = change.revision
    logger.info({ registry, revision: number }, 'registry changed, triggering sync...')
  }
}

function logRun(run: Run, logger: Logger): void {
  const what = `${run.nodeName}: ${run.planName} r${run.planRevision}`
  const fields = { runId: run.id }
  if (run.status === 'halted') logger.warn(fields, `${what} is halted and waits for a person: ${run.halt?.reason}`)
  if (!isFinal(run.status)) return
  if (run.status === 'succeeded') logger.info({ ...fields, success: true }, `${what} verified on the node`)
  else if (run.status === 'canceled') logger.info(fields, `${what} canceled`)
  else logFailure(run, what, logger)
}

function logFailure({ id, failure }: Run, what: string, logger: Logger): void {
  const cause = failure?.sentence ?? 'it failed'
  const fields = { runId: id, code: failure?.code }
  if (failure !== null && severityOf(failure.code) === 'unreachable')
    logger.warn(fields, `${what} pending, will retry next cycle: ${cause}`)
  else logger.error({ ...fields, evidence: failure?.evidence.slice(0, 3) }, `${what} failed: ${cause}`)
}
