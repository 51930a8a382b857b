import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { minimalEnvironment } from './environment.ts'
import { startError } from './exec.ts'
import { endProcessGroup } from './processGroup.ts'
import { isSameProcessAlive, type ProcessIdentity, readProcessIdentity } from './processIdentity.ts'

export interface SpawnDetachedRequest {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to the minimal environment. */
  readonly env?: Readonly<Record<string, string>>
  /** stdout and stderr are appended here (created 0600); without it they are discarded. */
  readonly logFile?: string
}

/**
 * Starts a program that outlives this process, in a session of its own.
 *
 * @returns its identity, for {@link isSameProcessAlive} and {@link stopDetached}. It may already have ended:
 *   starting is proven, staying alive is not.
 * @throws AppError as `exec` does when the program cannot be started
 */
export async function spawnDetached(request: SpawnDetachedRequest): Promise<ProcessIdentity> {
  const log = request.logFile === undefined ? 'ignore' : openSync(request.logFile, 'a', 0o600)
  try {
    const child = start(request, log)
    // Node reaps children from its event loop, so before the first await the pid cannot have been given away.
    const identity = child.pid === undefined ? undefined : readProcessIdentity(child.pid)
    await started(request, child)
    child.unref()
    return identity ?? { pid: child.pid ?? -1, startTime: 'unknown' }
  } finally {
    if (typeof log === 'number') closeSync(log)
  }
}

function start({ command, args, cwd, env }: SpawnDetachedRequest, log: 'ignore' | number): ChildProcess {
  try {
    return spawn(command, [...args], {
      cwd,
      env: { ...minimalEnvironment(), ...env },
      stdio: ['ignore', log, log],
      detached: true,
      windowsHide: true,
    })
  } catch (error) {
    throw startError({ command, ...(cwd === undefined ? {} : { cwd }) }, error as NodeJS.ErrnoException)
  }
}

function started(request: SpawnDetachedRequest, child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => reject(startError(request, error)))
  })
}

/**
 * Ends a program started by {@link spawnDetached} and everything in its process group.
 *
 * @returns true when it is gone (also when it already was, or when its pid now belongs to somebody else);
 *   false when the end could not be confirmed
 */
export async function stopDetached(
  identity: ProcessIdentity,
  { graceMs = 2_000 }: { readonly graceMs?: number } = {},
): Promise<boolean> {
  if (!isSameProcessAlive(identity)) return true
  await endProcessGroup(identity.pid, graceMs)
  return !isSameProcessAlive(identity)
}
