import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { hasErrorCode } from './fileErrors.ts'

const mostBytes = 65_536

/** What Windows has not is 0. */
const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/**
 * The text of a small file in a directory where others may put things too, such as `/run/lock`: no link is followed,
 * no pipe is waited for, nothing large is read. Whatever is no small file reads as empty.
 *
 * @throws the error of the system when it is missing, a directory, or may not be read
 */
export async function readSharedFile(path: string): Promise<string> {
  const file = await open(path, flags).catch((error: unknown) => {
    // ELOOP: a link. ENXIO: a socket.
    if (hasErrorCode(error, 'ELOOP') || hasErrorCode(error, 'ENXIO')) return null
    throw error
  })
  if (file === null) return ''
  try {
    const stats = await file.stat()
    if (!stats.isDirectory() && (!stats.isFile() || stats.size > mostBytes)) return ''
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}
