import { open } from 'node:fs/promises'
import { AppError } from '../../shared/errors.ts'

const largestBytes = 32 * 1024 * 1024

/** The text of a file, or of standard input for `-`. @throws AppError INVALID_INPUT, NOT_FOUND */
export async function readText(path: string, what: string): Promise<string> {
  const bytes = path === '-' ? await readAll(process.stdin, what) : await readFileBounded(path, what)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new AppError('INVALID_INPUT', `${what} ${nameOf(path)} is not UTF-8 text.`, { data: { path } })
  }
}

const nameOf = (path: string): string => (path === '-' ? 'on standard input' : path)

async function readFileBounded(path: string, what: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      return await readAll(file.createReadStream({ autoClose: false }), what)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw explained(error, path, what)
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>, what: string): Promise<Buffer> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of stream) {
    const bytes = Buffer.from(part)
    sizeBytes += bytes.length
    if (sizeBytes > largestBytes) throw new AppError('INVALID_INPUT', `${what} is larger than ${largestBytes} bytes.`)
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

function explained(error: unknown, path: string, what: string): unknown {
  if (error instanceof AppError) return error
  const reason = (error as NodeJS.ErrnoException).code
  const data = { path, reason }
  if (reason === 'ENOENT') return new AppError('NOT_FOUND', `${what} ${path} does not exist.`, { data })
  if (reason === 'EISDIR') return new AppError('INVALID_INPUT', `${what} ${path} is a directory.`, { data })
  return new AppError('INVALID_INPUT', `${what} ${path} cannot be read (${reason ?? 'unknown reason'}).`, { data })
}
