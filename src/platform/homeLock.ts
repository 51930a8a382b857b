import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { link, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../shared/errors.ts'
import { explainFileError, hasErrorCode } from './fileErrors.ts'
import { currentProcessIdentity, isSameProcessAlive } from './processIdentity.ts'
import { readSharedFile } from './sharedFile.ts'

/** Who owns a home directory. Never a secret. */
export const HomeLockOwner = z.object({
  pid: z.number().int().positive(),
  /** Opaque, see `ProcessIdentity`. */
  startTime: z.string(),
  hostname: z.string(),
  instanceId: z.string(),
  acquiredAt: z.iso.datetime(),
})
export type HomeLockOwner = z.infer<typeof HomeLockOwner>

/** What was found dead and replaced; worth a line in the log (S0.52). */
export interface ReclaimedLock {
  readonly reason: 'owner-dead' | 'corrupt' | 'confirmed-by-a-person'
  readonly owner: HomeLockOwner | undefined
}

export interface HomeLock {
  readonly owner: HomeLockOwner
  readonly reclaimed: ReclaimedLock | undefined
  /** Gives the home back. Removes the file only while it is still ours; a second call does nothing. */
  release(): void
}

export interface HomeLockOptions {
  readonly nowMs: number
  /** Of this machine; for tests. */
  readonly hostname?: string
  /** A person has confirmed that the owner with this instance id is gone (the only way past another host's lock). */
  readonly breakInstanceId?: string
}

/**
 * The protocol. A lock file appears complete or not at all: it is written elsewhere and hard-linked into place,
 * which fails if one is there. Replacing a dead owner's file needs the *claim* on exactly that file: another lock of the
 * same kind whose name holds the dead owner's id. The holder of the claim looks again, and replaces the file only
 * if it is still the one it claimed; nobody else may, so nothing can come between. A claim whose holder died is
 * replaced in the same way, one level deeper.
 */
const deepestClaim = 8

/**
 * Takes exclusive ownership of a home directory for this process (S0.46-57, D5-D7).
 *
 * @param path the lock file, in an existing directory
 * @throws AppError HOME_IN_USE with `data.owner` while a living process of this host, or anybody on another host,
 *   owns it; HOME_NOT_WRITABLE or LOCAL_DISK_FULL
 */
export async function acquireHomeLock(path: string, options: HomeLockOptions): Promise<HomeLock> {
  const owner: HomeLockOwner = {
    ...currentProcessIdentity(),
    hostname: options.hostname ?? hostname(),
    instanceId: randomUUID(),
    acquiredAt: new Date(options.nowMs).toISOString(),
  }
  const reclaimed = await acquire(path, owner, { depth: 0, breakInstanceId: options.breakInstanceId })
  await removeObsoleteClaims(path)
  return { owner, reclaimed, release: () => release(path, owner.instanceId) }
}

/** Reads who owns a home. Undefined when nobody does, or when the file is corrupt. */
export async function readHomeLockOwner(path: string): Promise<HomeLockOwner | undefined> {
  return (await readLock(path))?.owner
}

interface FoundLock {
  readonly owner: HomeLockOwner | undefined
  /** Names exactly this file: the owner's instance id, or a digest of what cannot be read as an owner. */
  readonly id: string
}

interface AcquireContext {
  readonly depth: number
  readonly breakInstanceId: string | undefined
}

async function acquire(
  path: string,
  owner: HomeLockOwner,
  context: AcquireContext,
): Promise<ReclaimedLock | undefined> {
  for (;;) {
    if (await publish(path, owner, 'if-absent')) return undefined
    const found = await readLock(path)
    if (found === undefined) continue
    const reason = reasonToReclaim(found, owner, context)
    if (reason === undefined) throw homeInUse(path, found.owner)
    if (await replaceClaimed(path, found, { owner, context })) return { reason, owner: found.owner }
  }
}

function reasonToReclaim(
  found: FoundLock,
  self: HomeLockOwner,
  { breakInstanceId }: AcquireContext,
): ReclaimedLock['reason'] | undefined {
  if (found.owner === undefined) return 'corrupt'
  if (found.owner.instanceId === breakInstanceId) return 'confirmed-by-a-person'
  if (found.owner.hostname !== self.hostname || isSameProcessAlive(found.owner)) return undefined
  return 'owner-dead'
}

async function replaceClaimed(
  path: string,
  found: FoundLock,
  { owner, context }: { readonly owner: HomeLockOwner; readonly context: AcquireContext },
): Promise<boolean> {
  if (context.depth === deepestClaim) throw homeInUse(path, found.owner)
  const claimPath = claimPathOf(path, found.id)
  const claimOwner = { ...owner, instanceId: randomUUID() }
  await acquire(claimPath, claimOwner, { depth: context.depth + 1, breakInstanceId: undefined })
  try {
    if ((await readLock(path))?.id !== found.id) return false
    return await publish(path, owner, 'over-existing')
  } finally {
    release(claimPath, claimOwner.instanceId)
  }
}

function claimPathOf(path: string, id: string): string {
  const digest = createHash('sha256')
    .update(`${basename(path)}\n${id}`)
    .digest('hex')
    .slice(0, 32)
  return join(dirname(path), `${lockName(path)}.claim-${digest}`)
}

/** Claims on claims stay beside the lock, under names of the same length. */
function lockName(path: string): string {
  return basename(path).replace(/\.claim-[0-9a-f]{32}$/, '')
}

async function publish(path: string, owner: HomeLockOwner, how: 'if-absent' | 'over-existing'): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await writeFile(temporary, `${JSON.stringify(owner)}\n`, { flag: 'wx', mode: 0o600, flush: true })
    await (how === 'if-absent' ? link(temporary, path) : rename(temporary, path))
    return true
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false
    throw explainFileError(error, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

async function readLock(path: string): Promise<FoundLock | undefined> {
  try {
    return interpret(await readSharedFile(path))
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined
    throw explainFileError(error, path)
  }
}

function interpret(text: string): FoundLock {
  try {
    const owner = HomeLockOwner.parse(JSON.parse(text))
    return { owner, id: owner.instanceId }
  } catch {
    return { owner: undefined, id: `corrupt-${createHash('sha256').update(text).digest('hex')}` }
  }
}

function release(path: string, instanceId: string): void {
  try {
    if (interpret(readFileSync(path, 'utf8')).id === instanceId) rmSync(path, { force: true })
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error
  }
}

/** Claims are about a file that is gone once we own the lock; a process killed while it held one left it behind. */
async function removeObsoleteClaims(path: string): Promise<void> {
  const prefix = `${basename(path)}.claim-`
  const names = await readdir(dirname(path))
  const claims = names.filter((name) => name.startsWith(prefix) && !name.endsWith('.tmp'))
  await Promise.all(claims.map((name) => rm(join(dirname(path), name), { force: true })))
}

function homeInUse(path: string, owner: HomeLockOwner | undefined): AppError {
  const elsewhere = owner !== undefined && owner.hostname !== hostname()
  const who =
    owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.hostname} since ${owner.acquiredAt}`
  const advice = elsewhere
    ? 'Only a person can know whether it still runs there: if not, break the lock.'
    : 'Use that one, or stop it first.'
  return new AppError('HOME_IN_USE', `this home is in use by ${who}. ${advice}`, { data: { lockFile: path, owner } })
}
