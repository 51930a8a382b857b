import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { z } from 'zod'
import { AppError } from '../shared/errors.ts'
import { explainFileError, hasErrorCode } from './fileErrors.ts'

export interface AtomicFileOptions {
  /** Permission bits, whatever the umask says. Default 0600: most of what we write is nobody else's business. */
  readonly mode?: number
  /** Whose it is from the first byte on; only root gives files away. Default: ours. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Called when the new content is on disk and only the rename is left; when it throws, the old file stays. */
  readonly lastLook?: () => Promise<void>
}

/**
 * Replaces a file so that a reader, and a machine that loses power, see the old content or the new and nothing
 * else: temporary file beside it, fsync, rename, fsync of the directory. A symbolic link is replaced, not followed.
 * Where the file system cannot fsync a directory (Windows, some network mounts) that last step is left out.
 * Rename is never replaced by writing in place.
 *
 * @throws AppError LOCAL_DISK_FULL or HOME_NOT_WRITABLE; the old content is then untouched
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<void> {
  await withDurableTemporary(path, contentOf(content, options), async (temporary) => {
    await options.lastLook?.()
    await rename(temporary, path)
  })
}

/**
 * Like {@link writeFileAtomic}, but never over an existing file.
 *
 * @returns false when the file already existed; it was not touched
 */
export async function createFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: AtomicFileOptions = {},
): Promise<boolean> {
  try {
    await withDurableTemporary(path, contentOf(content, options), (temporary) => link(temporary, path))
    return true
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false
    throw error
  }
}

interface TemporaryContent {
  readonly content: string | Uint8Array
  readonly mode: number
  readonly owner: AtomicFileOptions['owner']
}

const contentOf = (
  content: TemporaryContent['content'],
  { mode = 0o600, owner }: AtomicFileOptions,
): TemporaryContent => ({ content, mode, owner })

async function withDurableTemporary(
  path: string,
  content: TemporaryContent,
  publish: (temporaryPath: string) => Promise<void>,
): Promise<void> {
  const directory = dirname(path)
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    await writeDurably(temporary, content)
    await publish(temporary)
    await syncDirectory(directory)
  } catch (error) {
    throw explainFileError(error, path)
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

async function writeDurably(path: string, { content, mode, owner }: TemporaryContent): Promise<void> {
  const file = await open(path, 'wx', mode & 0o600)
  try {
    if (owner !== undefined) await file.chown(owner.uid, owner.gid)
    await file.chmod(mode)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

const directorySyncUnsupported = ['EINVAL', 'EPERM', 'EISDIR', 'EACCES', 'ENOTSUP', 'EBADF']

async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r')
    await directory.sync().finally(() => directory.close())
  } catch (error) {
    if (!directorySyncUnsupported.some((code) => hasErrorCode(error, code))) throw error
  }
}

/**
 * Reads and checks a JSON file.
 *
 * @returns undefined when there is no such file
 * @throws AppError INVALID_INPUT naming the file and each wrong field; the content itself is not quoted
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readIfPresent(path)
  if (text === undefined) return undefined
  const parsed = schema.safeParse(parseJson(text, path))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
  throw new AppError('INVALID_INPUT', `${path} is not valid: ${problems.join('; ')}`, { data: { path, problems } })
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text around the mistake, which may be a secret.
    throw new AppError('INVALID_INPUT', `${path} is not valid JSON`, { data: { path } })
  }
}
