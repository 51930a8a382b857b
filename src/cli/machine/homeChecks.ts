import { access, constants, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readHomeLockOwner } from '../../platform/homeLock.ts'
import { readVaultKind } from '../../platform/keyVault.ts'
import { socketPathLimitBytes } from '../../platform/paths.ts'
import { isSameProcessAlive } from '../../platform/processIdentity.ts'
import { type ErrorCode, toAppError } from '../../shared/errors.ts'
import type { CliContext } from '../context.ts'
import { sizeWords } from '../output/words.ts'

export interface CheckResult {
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly detail: string
  readonly code?: ErrorCode
  readonly evidence?: readonly string[]
}

const notUsable = (detail: string): CheckResult => ({ status: 'failed', code: 'HOME_NOT_WRITABLE', detail })

export async function homeCheck({ home }: CliContext): Promise<CheckResult> {
  const lengthBytes = Math.max(...[home.engineSocket, home.agentSocket].map((path) => Buffer.byteLength(path))) + 1
  if (process.platform !== 'win32' && lengthBytes > socketPathLimitBytes) {
    const excess = lengthBytes - socketPathLimitBytes
    return {
      status: 'failed',
      code: 'HOME_PATH_TOO_LONG',
      detail: `${home.home} is ${excess} bytes too long for our sockets. Choose a shorter one with --home.`,
    }
  }
  const existing = await nearestExisting(home.home)
  if (!existing.isDirectory) return notUsable(`${existing.path} is not a directory. Choose another home with --home.`)
  const isWritable = await access(existing.path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isWritable) return notUsable(`${existing.path} cannot be written by this user. Choose another home with --home.`)
  return {
    status: 'ok',
    detail: existing.path === home.home ? home.home : `${home.home} does not exist yet and can be made`,
  }
}

async function nearestExisting(path: string): Promise<{ readonly path: string; readonly isDirectory: boolean }> {
  try {
    return { path, isDirectory: (await stat(path)).isDirectory() }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error
    return nearestExisting(dirname(path))
  }
}

export async function ownerCheck(context: CliContext): Promise<CheckResult> {
  const owner = await readHomeLockOwner(context.home.lockFile).catch(() => undefined)
  if (owner === undefined) return { status: 'ok', detail: 'nobody; commands bring their own engine' }
  if (!isSameProcessAlive(owner))
    return { status: 'ok', detail: `nobody; process ${owner.pid} is gone and left its lock, which the next one takes` }
  const answers = await context
    .withEngine({ whenUnowned: 'fail' }, (client) => client.system.status())
    .catch(toAppError)
  if (answers instanceof Error) {
    return {
      status: 'failed',
      code: 'ENGINE_UNAVAILABLE',
      detail: `process ${owner.pid} owns the home but does not answer: ${answers.message}`,
    }
  }
  return { status: 'ok', detail: `${answers.host}, process ${answers.pid}, version ${answers.version}` }
}

export async function vaultCheck({ home }: CliContext): Promise<CheckResult> {
  const kind = await readVaultKind(home.vaultFile)
  return { status: 'ok', detail: kind === undefined ? 'none yet; made with the first certificate' : kind }
}

const sqliteMagic = 'SQLite format 3\0'

/** The header is read as a file; then the engine that every command uses says whether it takes the database. */
export async function databaseCheck(context: CliContext): Promise<CheckResult> {
  const { databaseFile } = context.home
  const found = await stat(databaseFile).catch(() => null)
  if (found === null) return { status: 'ok', detail: 'none yet; made by the first command' }
  const header = await readHeader(databaseFile)
  if (found.size > 0 && header.toString('latin1', 0, 16) !== sqliteMagic) {
    return {
      status: 'failed',
      code: 'DATABASE_CORRUPT',
      detail: `${databaseFile} is not an SQLite database. Restore it from the backups beside it, or move it away.`,
    }
  }
  await context.withEngine({}, (client) => client.system.status())
  return { status: 'ok', detail: `${databaseFile}, ${sizeWords(found.size)}` }
}

async function readHeader(path: string): Promise<Buffer> {
  const header = Buffer.alloc(100)
  const file = await open(path, 'r')
  try {
    await file.read(header, 0, header.length, 0)
    return header
  } finally {
    await file.close()
  }
}
