import { randomUUID } from 'node:crypto'
import { open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteName } from '../../core/parse/rsync.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'

/** Entries of a tree, as `tar` unpacks them. */
export interface Archive {
  /** Until it is released. */
  readonly path: string
  readonly sizeBytes: number
  /** From the beginning, as often as asked. @throws what the system says when the disk cannot be read */
  read(): AsyncIterable<Uint8Array>
  /** Safe to repeat. */
  release(): void
}

export interface ArchiveRequest {
  /** Absolute; nobody writes there any more. */
  readonly directory: string
  /** Entries below it. The same list asks for the same archive. */
  readonly names: readonly ByteName[]
  /** A directory for the file. What a process that was killed has left there is nobody's. */
  readonly scratch: string
}

interface Made {
  readonly path: string
  readonly sizeBytes: number
  /** Of a small one. */
  readonly content: Buffer | null
}

/** Up to this size an archive is kept in memory: many nodes read it, a piece at a time. */
const mostKeptBytes = 4 * 1024 * 1024

const pieceBytes = 64 * 1024

/** Archives of trees that do not change: each is made once for all who send it at the same time, and gone with the last. */
export class Archives {
  readonly #kept = new Map<readonly ByteName[], { readonly made: Promise<Made | null>; users: number }>()
  #program: Promise<boolean> | null = null

  /** @returns null where this machine has no `tar` of GNU @throws PROGRAM_FAILED when it could not read the entries */
  async take(request: ArchiveRequest): Promise<Archive | null> {
    this.#program ??= hasGnuTar()
    if (!(await this.#program)) return null
    const kept = this.#kept.get(request.names) ?? { made: make(request), users: 0 }
    this.#kept.set(request.names, kept)
    kept.users += 1
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      kept.users -= 1
      if (kept.users > 0) return
      if (this.#kept.get(request.names) === kept) this.#kept.delete(request.names)
      kept.made.then((made) => (made === null ? undefined : rm(made.path, { force: true }))).catch(() => undefined)
    }
    try {
      const made = await kept.made
      if (made !== null) return { path: made.path, sizeBytes: made.sizeBytes, read: () => pieces(made), release }
    } catch (thrown) {
      release()
      throw thrown
    }
    release()
    return null
  }
}

async function* pieces({ path, sizeBytes, content }: Made): AsyncGenerator<Uint8Array> {
  if (content !== null) return yield content
  await using file = await open(path, 'r')
  for (let at = 0; at < sizeBytes; ) {
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, sizeBytes - at))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) throw new Error('the archive is shorter than it was')
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

const environment = { LC_ALL: 'C', LANG: 'C' }

async function hasGnuTar(): Promise<boolean> {
  try {
    const { stdout } = await exec({ command: 'tar', args: ['--version'], env: environment })
    return stdout.includes('GNU tar')
  } catch {
    return false
  }
}

async function make({ directory, names, scratch }: ArchiveRequest): Promise<Made> {
  const path = join(scratch, `${randomUUID()}.tar`)
  let isMade = false
  try {
    const { exitCode, stderr } = await exec({
      command: 'tar',
      args: [
        '--create',
        `--file=${path}`,
        '--force-local',
        // Whole names and times, to the nanosecond where there are any.
        '--format=posix',
        '--pax-option=delete=atime,delete=ctime',
        '--hard-dereference',
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        `--directory=${directory}`,
        '--no-recursion',
        '--null',
        '--verbatim-files-from',
        '--files-from=-',
      ],
      env: environment,
      stdin: Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'),
      okExitCodes: 'any',
    })
    // 1: it noticed that a file was given another name meanwhile, which moves its change time; the content is looked at
    // by who reads it back.
    if (exitCode > 1) {
      const [first = `exit code ${exitCode}`] = stderr.split('\n')
      throw new AppError('PROGRAM_FAILED', `tar could not put the files together: ${first}`, { data: { exitCode } })
    }
    const { size } = await stat(path)
    const content = size <= mostKeptBytes ? await readFile(path) : null
    isMade = true
    return { path, sizeBytes: size, content }
  } finally {
    if (!isMade) await rm(path, { force: true })
  }
}
