import { open } from 'node:fs/promises'
import { exec } from '../../../platform/exec.ts'
import { bytePath } from './bytePath.ts'

/** Above this it is faster to have the whole file system written. */
const mostFilesOneByOne = 64

/**
 * To the disk: the rename of a snapshot that outlives a loss of power must not name files that do not. Where the system
 * has no way to do so the rename still comes last.
 *
 * @param fresh files below the directory, as bytes
 */
export async function settle(directory: string, fresh: readonly string[]): Promise<void> {
  if (process.platform === 'win32') return
  if (fresh.length > mostFilesOneByOne) {
    const args = process.platform === 'linux' ? ['-f', directory] : []
    await exec({ command: 'sync', args, okExitCodes: 'any', timeoutMs: 600_000 }).catch(() => undefined)
    return
  }
  for (const path of [...fresh, '']) {
    const file = await open(bytePath(directory, path), 'r')
    await file.sync().finally(() => file.close())
  }
}
