import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseProcStat } from './processIdentity.ts'

const pollIntervalMs = 10
const confirmKillMs = 2_000

/** Sends a signal to every member of the group. False when the group is already gone. */
export function signalProcessGroup(processGroupId: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(process.platform === 'win32' ? processGroupId : -processGroupId, signal)
    return true
  } catch {
    return false
  }
}

/** True while a member runs. Members that are dead and only wait for their parent's attention do not count. */
export function processGroupIsAlive(processGroupId: number): boolean {
  try {
    process.kill(process.platform === 'win32' ? processGroupId : -processGroupId, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return process.platform === 'linux' ? hasLivingMember(processGroupId) : true
}

function hasLivingMember(processGroupId: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const stat = parseProcStat(readFileSync(`/proc/${name}/stat`, 'utf8'))
      return stat?.processGroupId === processGroupId && stat.state !== 'Z' && stat.state !== 'X'
    } catch {
      return false
    }
  })
}

async function waitUntilGone(processGroupId: number, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs
  while (processGroupIsAlive(processGroupId)) {
    if (performance.now() >= deadlineMs) return false
    await delay(pollIntervalMs)
  }
  return true
}

/**
 * Ends a whole process group: TERM, then KILL to whoever is left after `graceMs`.
 * @returns true when no member runs any more; false when even KILL did not end one (stuck in the kernel)
 */
export async function endProcessGroup(processGroupId: number, graceMs: number): Promise<boolean> {
  if (!signalProcessGroup(processGroupId, 'SIGTERM')) return true
  if (await waitUntilGone(processGroupId, graceMs)) return true
  signalProcessGroup(processGroupId, 'SIGKILL')
  return waitUntilGone(processGroupId, confirmKillMs)
}
