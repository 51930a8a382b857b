import { readdirSync, readFileSync } from 'node:fs'
import { endProcessGroup } from '../../platform/processGroup.ts'
import { parseProcStat } from '../../platform/processIdentity.ts'

const variable = 'LOCKSTEP_AGENT_LOCK'
const graceMs = 2_000

/** Put into the environment of every transfer, so that one that outlives its agent is found again. */
export function orphanMark(lockFile: string): Record<string, string> {
  return { [variable]: lockFile }
}

/**
 * Ends transfers that an agent left behind when it was killed: they would write beside ours. To be called by the holder
 * of the lock before it starts any of its own. Linux only; elsewhere they end by themselves when they notice.
 *
 * @returns how many process groups were ended, and whether all are gone
 */
export async function endOrphans(lockFile: string): Promise<{ readonly ended: number; readonly allGone: boolean }> {
  if (process.platform !== 'linux') return { ended: 0, allGone: true }
  const groups = new Set(markedGroups(`${variable}=${lockFile}`))
  const results = await Promise.all([...groups].map((group) => endProcessGroup(group, graceMs)))
  return { ended: groups.size, allGone: results.every(Boolean) }
}

function markedGroups(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark)) return []
        const group = parseProcStat(readFileSync(`/proc/${name}/stat`, 'utf8'))?.processGroupId
        return group === undefined || group <= 1 ? [] : [group]
      } catch {
        // Gone meanwhile, or somebody else's.
        return []
      }
    })
}
