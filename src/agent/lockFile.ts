import { rm } from 'node:fs/promises'
import { hostname as systemHostname, uptime } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  decideLock,
  type FoundLock,
  type HolderFacts,
  isOurs,
  type LockDecision,
  type LockSelf,
  lockContentOf,
  readLockContent,
} from '../core/agent/lock.ts'
import { createFileAtomic, writeFileAtomic } from '../platform/atomicFile.ts'
import { explainFileError, hasErrorCode } from '../platform/fileErrors.ts'
import { acquireHomeLock } from '../platform/homeLock.ts'
import { currentProcessIdentity, isSameProcessAlive, readProcessIdentity } from '../platform/processIdentity.ts'
import { readSharedFile } from '../platform/sharedFile.ts'
import { AppError } from '../shared/errors.ts'

/** Readable by every agent of the machine, whoever runs it: who holds it is no secret. */
const lockMode = 0o644
const ticksPerSecond = 100
const guardTries = 200

/** This process as a holder of locks. */
export function lockSelf(runKeys: readonly string[]): LockSelf {
  const { pid, startTime } = currentProcessIdentity()
  return { pid, startTime: processStart, hostname: systemHostname(), process: startTime, runKeys }
}

const processStart = `${new Date(Date.now() - process.uptime() * 1000).toISOString().slice(0, 19)}Z`

/** What this machine says of a pid. */
export function holderFacts(found: FoundLock): HolderFacts {
  const identity = found.status === 'held' ? readProcessIdentity(found.content.pid) : undefined
  if (identity === undefined) return { alive: false, process: null, startedAtMs: null }
  const ticks = Number(/:(\d+)$/.exec(identity.startTime)?.[1] ?? Number.NaN)
  const startedAtMs = Number.isNaN(ticks) ? null : Date.now() - uptime() * 1000 + (ticks / ticksPerSecond) * 1000
  return { alive: isSameProcessAlive(identity), process: identity.startTime, startedAtMs }
}

export async function readLock(path: string): Promise<FoundLock> {
  try {
    return readLockContent(await readSharedFile(path))
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return { status: 'absent' }
    throw explainFileError(error, path)
  }
}

/**
 * Takes the lock, or says why not (S0.46-52). Of two agents that start at the same instant exactly one gets it: a new
 * file is linked into place, and a dead one is replaced only inside a guard of its own, after looking once more.
 *
 * @throws AppError LOCAL_DISK_FULL, HOME_NOT_WRITABLE
 */
export async function takeLock(path: string, self: LockSelf, runId: string): Promise<LockDecision> {
  return guarded(path, async () => {
    for (;;) {
      const found = await readLock(path)
      const decision = decideLock(found, self, holderFacts(found))
      const text = `${JSON.stringify(lockContentOf(self, runId))}\n`
      if (decision.kind === 'take') {
        // Another program than ours may have come between: then look again.
        if (await createFileAtomic(path, text, { mode: lockMode })) return decision
        continue
      }
      if (decision.kind === 'reclaim' || decision.kind === 'keep') await writeFileAtomic(path, text, { mode: lockMode })
      return decision
    }
  })
}

/** Writes the run id into our lock once it is known (S0.57, D5). False when the lock is not ours any more. */
export async function renameLock(path: string, self: LockSelf, runId: string): Promise<boolean> {
  return guarded(path, async () => {
    if (!isOurs(await readLock(path), self)) return false
    await writeFileAtomic(path, `${JSON.stringify(lockContentOf(self, runId))}\n`, { mode: lockMode })
    return true
  })
}

/** Gives the lock back if it is ours (D6). */
export async function releaseLock(path: string, self: LockSelf): Promise<boolean> {
  return guarded(path, async () => {
    if (!isOurs(await readLock(path), self)) return false
    await rm(path, { force: true })
    return true
  })
}

/** Removes whatever lock is there: a person has looked and says that its holder is gone (D7). */
export async function breakLock(path: string): Promise<FoundLock> {
  const found = await readLock(path)
  try {
    await rm(path, { force: true })
    await rm(guardPath(path), { force: true })
  } catch (error) {
    throw explainFileError(error, path)
  }
  return found
}

const guardPath = (path: string): string => `${path}.guard`

/** Held for the moment between looking at the lock and changing it; a holder that dies in there is replaced. */
async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  const guard = await acquireGuard(path)
  try {
    return await work()
  } finally {
    guard.release()
  }
}

async function acquireGuard(path: string): Promise<{ release(): void }> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await acquireHomeLock(guardPath(path), { nowMs: Date.now() })
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) {
        throw new AppError(
          'HOME_NOT_WRITABLE',
          `The directory of the lock ${path} does not exist. Make it, or set lock_file.`,
        )
      }
      if (!(error instanceof AppError) || error.code !== 'HOME_IN_USE') throw error
      if (tries >= guardTries) {
        throw new AppError(
          'LOCK_HELD',
          `${guardPath(path)} has been held for seconds by somebody else. If no agent runs: lockstep-agent break-lock`,
        )
      }
      await delay(10 + Math.random() * 20)
    }
  }
}
