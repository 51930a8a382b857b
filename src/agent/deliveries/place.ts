import { hash } from 'node:crypto'
import { type FileHandle, lstat, open, readFile, readlink, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readHostsBlock, withHostsBlock } from '../../core/registry/hostsBlock.ts'
import { writtenByUs } from '../../core/registry/routes.ts'
import { createFileAtomic, writeFileAtomic } from '../../platform/atomicFile.ts'
import { explainFileError, hasErrorCode } from '../../platform/fileErrors.ts'
import type { Delivery } from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'

/** What lies on this machine after a delivery was put into its place. */
export interface Placed {
  /** SHA-256 of what was read back: of the file, or of our lines in it. */
  readonly digest: string
  /** False: it was there already, and nothing was written. */
  readonly written: boolean
}

/** Tries to replace a file that somebody else keeps changing, as on the way over ssh. */
const mostRounds = 5

/** The file is not the one any more that the new one was made of. */
class ChangedMeanwhile extends Error {}

/**
 * Puts a text into its file, or its lines into the hosts file, and reads them back. Every byte of others stays, also of what
 * they write while we are at it; a reader sees the old file or the new one. A file that cannot be replaced (a bind mount) is
 * written in place. What lies there and was never ours is kept under another name.
 *
 * @param replace how a file is replaced as a whole
 * @throws AppError HOSTS_FILE_UNREADABLE, LOCAL_DISK_FULL, HOME_NOT_WRITABLE, REMOTE_PATH_INVALID for a hosts file that is
 * not there, REMOTE_FILE_CHANGED for one that changes whenever it is to be replaced, INVALID_INPUT for a directory, or a
 * link of another user
 */
export async function placeDelivery(
  delivery: Pick<Delivery, 'kind' | 'text'>,
  path: string,
  replace: typeof writeFileAtomic = writeFileAtomic,
): Promise<Placed> {
  const file = await behindLinks(path)
  for (let round = 1; round <= mostRounds; round += 1) {
    try {
      return await placeOnce(delivery, file, replace)
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error
    }
  }
  throw new AppError(
    'REMOTE_FILE_CHANGED',
    `Something keeps changing ${file}: it was another file each of the ${mostRounds} times it was to be replaced, and was left alone. Find out what writes there.`,
  )
}

async function placeOnce(
  { kind, text }: Pick<Delivery, 'kind' | 'text'>,
  file: string,
  replace: typeof writeFileAtomic,
): Promise<Placed> {
  const before = await contentOf(file)
  const wanted = kind === 'routes' ? Buffer.from(text) : hostsFile(before, text, file)
  const written = before === null || !before.equals(wanted)
  if (kind === 'routes' && before !== null && written) await setAside(file, before)
  if (written) await write({ file, before, replace }, wanted)
  const after = await contentOf(file)
  return { digest: hash('sha256', kind === 'routes' ? (after ?? '') : ownLines(after), 'hex'), written }
}

const mostLinks = 40

/**
 * As root we follow no link that somebody else has made: it could lead to any file of this machine. On the way to the file
 * those are followed that lie where only root can put one.
 */
async function behindLinks(path: string): Promise<string> {
  const isRoot = process.geteuid?.() === 0
  let file = path
  for (let links = 0; links < mostLinks; links += 1) {
    if (isRoot) await refuseStrangeWay(dirname(file))
    const found = await lstat(file).catch(() => null)
    if (found === null || !found.isSymbolicLink()) return file
    if (isRoot && found.uid !== 0) throw strangeLink(file)
    const target = await readlink(file)
    // As it is: a step back counts from where a link before it leads, which only the system knows.
    file = target.startsWith('/') ? target : `${dirname(file)}/${target}`
  }
  throw tooManyLinks(path)
}

async function refuseStrangeWay(directory: string): Promise<void> {
  const steps = directory.split('/')
  let at = ''
  for (let links = 0; steps.length > 0; ) {
    const step = steps.shift() ?? ''
    if (step === '' || step === '.') continue
    if (step === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')))
      continue
    }
    const found = await lstat(`${at}/${step}`).catch(() => null)
    if (found === null) return
    if (!found.isSymbolicLink()) {
      at = `${at}/${step}`
      continue
    }
    if (found.uid !== 0 && !(await onlyRootWrites(at === '' ? '/' : at))) throw strangeLink(`${at}/${step}`)
    links += 1
    if (links > mostLinks) throw tooManyLinks(directory)
    const target = await readlink(`${at}/${step}`)
    if (target.startsWith('/')) at = ''
    steps.unshift(...target.split('/'))
  }
}

async function onlyRootWrites(directory: string): Promise<boolean> {
  const { uid, mode } = await stat(directory)
  return uid === 0 && (mode & 0o022) === 0
}

const strangeLink = (link: string): AppError =>
  new AppError('INVALID_INPUT', `${link} is a link of another user. Name the file itself in agent.yaml.`)

const tooManyLinks = (path: string): AppError =>
  new AppError('INVALID_INPUT', `${path} leads through more than ${mostLinks} links. Name the file itself.`)

/** Under a name that Traefik does not read, and that the same content has again. */
async function setAside(file: string, before: Buffer): Promise<void> {
  if (before.length === 0 || writtenByUs(before.toString('utf8'))) return
  const kept = `${file}.before-lockstep-${hash('sha256', before, 'hex').slice(0, 8)}`
  await createFileAtomic(kept, before, await accessOf(file))
}

async function contentOf(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file)
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null
    if (hasErrorCode(error, 'EISDIR')) throw new AppError('INVALID_INPUT', `${file} is a directory. Name a file.`)
    throw explainFileError(error, file)
  }
}

/**
 * Bytes that are no UTF-8 survive as latin1. A new file would hold our lines alone, which no machine can live with; more
 * likely the path is wrong, or the disk with it is not mounted.
 */
function hostsFile(before: Buffer | null, text: string, file: string): Buffer {
  if (before === null)
    throw new AppError(
      'REMOTE_PATH_INVALID',
      `${file} is not there. Correct the path in agent.yaml, or make the file with the lines this machine needs for itself.`,
    )
  const change = withHostsBlock(before.toString('latin1'), Buffer.from(text).toString('latin1'))
  if (!change.ok) throw new AppError('HOSTS_FILE_UNREADABLE', `${file}: ${change.message}`)
  return Buffer.from(change.text, 'latin1')
}

/** No block at all stands for no lines: that is what a registry without services is delivered as. */
function ownLines(content: Buffer | null): Buffer {
  return Buffer.from(readHostsBlock((content ?? Buffer.alloc(0)).toString('latin1')) ?? '', 'latin1')
}

const usualMode = 0o644

/** Whoever could read the old file can read the new one; only root can give a file to somebody else. */
async function accessOf(file: string): Promise<NonNullable<Parameters<typeof writeFileAtomic>[2]>> {
  const found = await stat(file).catch(() => null)
  if (found === null) return { mode: usualMode }
  const mode = found.mode & 0o7777
  return process.geteuid?.() === 0 ? { mode, owner: { uid: found.uid, gid: found.gid } } : { mode }
}

interface Replacing {
  readonly file: string
  /** What the new content was made of; null: no file. */
  readonly before: Buffer | null
  readonly replace: typeof writeFileAtomic
}

async function write({ file, before, replace }: Replacing, content: Buffer): Promise<void> {
  const lastLook = async (): Promise<void> => {
    const now = await contentOf(file)
    if (now === null ? before !== null : before === null || !now.equals(before)) throw new ChangedMeanwhile(file)
  }
  try {
    await replace(file, content, { ...(await accessOf(file)), lastLook })
  } catch (error) {
    if (before === null || !cannotBeReplaced(error)) throw error
    await lastLook()
    await writeInPlace(file, content, before)
  }
}

const cannotBeReplaced = (error: unknown): boolean =>
  ['EBUSY', 'EXDEV'].some((code) => hasErrorCode(error, code) || hasErrorCode((error as Error).cause, code))

/** What cannot be written to its end is put back: the old bytes have their room still, as nothing was cut before. */
async function writeInPlace(path: string, content: Buffer, before: Buffer): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await overwrite(file, content)
  } catch (error) {
    await overwrite(file, before)
    throw explainFileError(error, path)
  } finally {
    await file.close()
  }
}

async function overwrite(file: FileHandle, content: Buffer): Promise<void> {
  for (let at = 0; at < content.length; ) {
    const { bytesWritten } = await file.write(content, at, content.length - at, at)
    at += bytesWritten
  }
  await file.truncate(content.length)
  await file.sync()
}
