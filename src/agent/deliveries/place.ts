import { hash } from 'node:crypto'
import { open, readFile, realpath, stat } from 'node:fs/promises'
import { readHostsBlock, withHostsBlock } from '../../core/registry/hostsBlock.ts'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
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

/**
 * Puts a text into its file, or its lines into the hosts file, and reads them back. Every byte of others stays; a reader
 * sees the old file or the new one. A file that cannot be replaced (a bind mount) is written in place.
 *
 * @throws AppError HOSTS_FILE_UNREADABLE, LOCAL_DISK_FULL, HOME_NOT_WRITABLE, INVALID_INPUT for a directory
 */
export async function placeDelivery({ kind, text }: Pick<Delivery, 'kind' | 'text'>, path: string): Promise<Placed> {
  const file = await realpath(path).catch(() => path)
  const before = await contentOf(file)
  const wanted = kind === 'routes' ? Buffer.from(text) : hostsFile(before, text, file)
  const written = before === null || !before.equals(wanted)
  if (written) await write(file, wanted)
  const after = await contentOf(file)
  return { digest: hash('sha256', kind === 'routes' ? (after ?? '') : ownLines(after), 'hex'), written }
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

/** Bytes that are no UTF-8 survive as latin1. */
function hostsFile(before: Buffer | null, text: string, file: string): Buffer {
  const change = withHostsBlock((before ?? Buffer.alloc(0)).toString('latin1'), Buffer.from(text).toString('latin1'))
  if (!change.ok) throw new AppError('HOSTS_FILE_UNREADABLE', `${file}: ${change.message}`)
  return Buffer.from(change.text, 'latin1')
}

/** No block at all stands for no lines: that is what a registry without services is delivered as. */
function ownLines(content: Buffer | null): Buffer {
  return Buffer.from(readHostsBlock((content ?? Buffer.alloc(0)).toString('latin1')) ?? '', 'latin1')
}

const usualMode = 0o644

async function write(file: string, content: Buffer): Promise<void> {
  const mode = await stat(file).then(
    (found) => found.mode & 0o7777,
    () => usualMode,
  )
  try {
    await writeFileAtomic(file, content, { mode })
  } catch (error) {
    if (!cannotBeReplaced(error)) throw error
    await writeInPlace(file, content)
  }
}

const cannotBeReplaced = (error: unknown): boolean =>
  ['EBUSY', 'EXDEV'].some((code) => hasErrorCode(error, code) || hasErrorCode((error as Error).cause, code))

async function writeInPlace(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(0)
    await file.write(content, 0, content.length, 0)
    await file.sync()
  } catch (error) {
    throw explainFileError(error, path)
  } finally {
    await file.close()
  }
}
