import { toAppError } from '../../shared/errors.ts'
import type { EngineStatus } from '../../shared/model/system.ts'
import type { EngineMeasures } from './measures.ts'

export interface ProbeResult {
  readonly ok: boolean
  /** One line for each thing looked at. No names of nodes, no paths. */
  readonly text: string
}

/** The process lives and its store answers: what restarting would help against. */
export async function probeHealth({ store }: EngineMeasures): Promise<ProbeResult> {
  try {
    await store.headSeq()
    return { ok: true, text: 'ok\n' }
  } catch (thrown) {
    return { ok: false, text: `store: ${toAppError(thrown).code}\n` }
  }
}

/** It can do its work: the vault is open, its loops run, and the last reconcile was not missed. */
export async function probeReadiness(measures: EngineMeasures): Promise<ProbeResult> {
  const health = await probeHealth(measures)
  if (!health.ok) return health
  const status = await measures.status()
  const checks = [
    { name: 'vault', problem: status.vault.unlocked ? null : 'locked; unlock it in the console' },
    { name: 'loops', problem: status.reconcile.nextAt === null ? 'not running' : null },
    { name: 'reconcile', problem: isOverdue(status) ? 'overdue' : null },
  ]
  return {
    ok: checks.every(({ problem }) => problem === null),
    text: checks.map(({ name, problem }) => `${name}: ${problem ?? 'ok'}\n`).join(''),
  }
}

/** A cycle may take a while to begin where much is going on, but never as long as a whole interval. */
function isOverdue({ now, startedAt, reconcile: { lastAt, intervalMs } }: EngineStatus): boolean {
  return now - Math.max(lastAt ?? 0, startedAt) > 2 * intervalMs
}
