import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readProcessIdentity } from '../../platform/processIdentity.ts'
import type { AgentSetup } from '../config.ts'

/** Nobody takes this long to write a file; what is older was left by an agent that was killed. */
const abandonedAfterMs = 60_000

/**
 * Removes half-written files that killed agents left (S0.81). To be called by the holder of the lock: journals are
 * written by it alone, drafts name the process that writes them, everything else has to be old.
 */
export async function removeTemporaries({ state, layout, config }: AgentSetup): Promise<void> {
  const lock = basename(config.lock_file)
  await sweep(state.runs, (name) => name.startsWith('.'), mayGoFromRuns)
  await sweep(state.spool, (name) => name.startsWith('.'), isOld)
  await sweep(state.directory, (name) => name.startsWith('.'), isOld)
  await sweep(dirname(layout.key), (name) => name.startsWith('.'), isOld)
  await sweep(
    dirname(config.lock_file),
    (name) => name.startsWith(`.${lock}.`) || name.startsWith(`${lock}.guard`),
    isOld,
  )
}

async function sweep(
  directory: string,
  isOurs: (name: string) => boolean,
  mayGo: (path: string) => Promise<boolean>,
): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((found) => found.endsWith('.tmp') && isOurs(found))) {
    const path = join(directory, name)
    if (await mayGo(path)) await rm(path, { force: true }).catch(() => undefined)
  }
}

async function mayGoFromRuns(path: string): Promise<boolean> {
  const pid = /~(\d+)-[0-9a-f]+\.draft\./.exec(basename(path))?.[1]
  return pid === undefined || readProcessIdentity(Number(pid)) === undefined || isOld(path)
}

async function isOld(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return stats !== null && Date.now() - stats.mtimeMs > abandonedAfterMs
}
