import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  createReadStream,
  createWriteStream,
  lstatSync,
  openSync,
  readSync,
  utimesSync,
} from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { utf8 } from '../../../core/parse/gitTree.ts'
import { type LargeFilePointer, parsePointer } from '../../../core/parse/largeFiles.ts'
import { AppError } from '../../../shared/errors.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'
import { bytePath } from './bytePath.ts'
import { canceled, shortList } from './failure.ts'
import { exists } from './layout.ts'
import type { MirrorGit, WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'
import { inTurns } from './turns.ts'

/** No pointer is longer (Git LFS specification, version 1). */
const mostPointerBytes = 1024

export interface PointerFile extends LargeFilePointer {
  /** Bytes. */
  readonly path: string
}

/** Which of the files hold a pointer of Git LFS in the place of content. */
export async function findPointers(
  directory: string,
  paths: readonly string[],
  options: WorkOptions,
): Promise<PointerFile[]> {
  const found: PointerFile[] = []
  const buffer = Buffer.alloc(mostPointerBytes)
  await inTurns(
    paths,
    (path) => {
      const file = bytePath(directory, path)
      const { size } = lstatSync(file)
      if (size === 0 || size >= mostPointerBytes) return
      const descriptor = openSync(file, 'r')
      try {
        const read = readSync(descriptor, buffer, 0, mostPointerBytes, 0)
        const pointer = parsePointer(buffer.toString('latin1', 0, read))
        if (pointer !== null) found.push({ ...pointer, path })
      } finally {
        closeSync(descriptor)
      }
    },
    options,
  )
  return found
}

export function pointersRefused(commit: CommitHash, pointers: readonly string[]): AppError {
  const names = shortList(pointers.map((path) => JSON.stringify(utf8(path))))
  return new AppError(
    'LARGE_FILE_POINTERS',
    `The commit ${commit.slice(0, 12)} holds pointers of Git LFS in the place of files: ${names}. Have their content fetched, or deliver the pointers, in the settings of the repository.`,
    { data: { commit, files: pointers.slice(0, 20).map(utf8) } },
  )
}

interface LargeFileOrder {
  readonly mirror: MirrorGit
  readonly access: RemoteAccess
  readonly commit: CommitHash
  readonly directory: string
  readonly scratch: string
  readonly stamp: number
}

/** Fetches what the pointers stand for, compares it with them, and puts it into their places. */
export async function fetchLargeFiles(
  order: LargeFileOrder,
  pointers: readonly PointerFile[],
  options: WorkOptions,
): Promise<void> {
  if (pointers.length === 0) return
  await download(order, options)
  const store = join(order.mirror.directory, 'lfs', 'objects')
  for (const pointer of pointers) {
    if (options.signal?.aborted === true) throw canceled(options.signal)
    const source = join(store, pointer.sha256.slice(0, 2), pointer.sha256.slice(2, 4), pointer.sha256)
    if (!(await exists(source))) throw missing(pointer)
    await place(order, pointer, source)
  }
}

async function download({ mirror, access, commit }: LargeFileOrder, { signal, onOutput }: WorkOptions): Promise<void> {
  const there = await mirror.run({ args: ['lfs', 'version'] })
  if (there.exitCode !== 0)
    throw new AppError(
      'PROGRAM_MISSING',
      'git-lfs is not installed on the machine of the engine, and the repository wants its large files fetched. Install it, or change that setting.',
    )
  const url = access.protocols.includes('file') ? `file://${access.url}` : access.url
  const result = await mirror.run({
    args: ['lfs', 'fetch', 'origin', commit],
    protocols: access.protocols,
    settings: [...access.settings, `remote.origin.url=${url}`],
    environment: access.environment,
    ...(signal === undefined ? {} : { signal }),
    ...(onOutput === undefined ? {} : { onLine: (line: string) => onOutput(access.redact(line)) }),
  })
  if (result.exitCode !== 0) throw access.error(result)
}

const missing = ({ path }: PointerFile): AppError =>
  new AppError(
    'LARGE_FILE_POINTERS',
    `The server has no content for the large file ${JSON.stringify(utf8(path))}. Have it pushed with git lfs.`,
    { data: { files: [utf8(path)] } },
  )

async function place(
  { directory, scratch, stamp }: LargeFileOrder,
  pointer: PointerFile,
  source: string,
): Promise<void> {
  const target = bytePath(directory, pointer.path)
  const copy = join(scratch, 'large')
  const hash = createHash('sha256')
  let sizeBytes = 0
  await pipeline(
    createReadStream(source),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk)
        sizeBytes += chunk.length
        yield chunk
      }
    },
    createWriteStream(copy, { flush: true }),
  )
  if (hash.digest('hex') !== pointer.sha256 || sizeBytes !== pointer.sizeBytes) throw missing(pointer)
  chmodSync(copy, lstatSync(target).mode & 0o777)
  utimesSync(copy, stamp, stamp)
  await rename(copy, target)
}
