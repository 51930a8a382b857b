import { createHash } from 'node:crypto'
import { type BigIntStats, constants, lstatSync } from 'node:fs'
import { lstat, open, readlink } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { type ByteName, type ListedEntry, parseListLine } from '../../core/parse/rsync.ts'
import { listArguments } from '../../core/transfer/rsyncArguments.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'

/** A file, directory or link of a local tree as it was at one moment. */
export interface ManifestEntry extends ListedEntry {
  /** Nanoseconds; differs whenever content was written or, for directories, a name came or went. */
  readonly modifiedNs: bigint
  /** Changes even when somebody sets the modification time back. */
  readonly changedNs: bigint
  /** Permission bits. */
  readonly mode: number
}

export interface Manifest {
  /** Absolute. */
  readonly directory: string
  readonly entries: readonly ManifestEntry[]
  readonly files: number
  readonly totalBytes: number
  /** Devices, sockets and pipes lie there too; no transfer takes them along. */
  readonly holdsSpecials: boolean
}

/** Entries looked at between two turns of the event loop. */
const batchSize = 500
const mostChanges = 20

const isAscii = /^[\u0001-\u007f]*$/

const bytesOf = (name: ByteName): Buffer => Buffer.from(name, 'latin1')

/** Where an entry of a tree lies, byte for byte. */
export function pathOf(directory: string, name: ByteName): Buffer | string {
  // The same bytes, and cheaper.
  if (name !== '.' && isAscii.test(name)) return `${directory}/${name}`
  return name === '.' ? Buffer.from(directory) : Buffer.concat([Buffer.from(`${directory}/`), bytesOf(name)])
}

/**
 * Which files a transfer with these excludes means, by asking rsync itself, each with size and times.
 * @throws SOURCE_MISSING when the directory cannot be listed completely; CANCELED
 */
export async function readManifest(
  directory: string,
  excludes: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Manifest> {
  const listed: ListedEntry[] = []
  let holdsSpecials = false
  await list({ directory, excludes, ...options }, (entry) => {
    if (entry === null) holdsSpecials = true
    else listed.push(entry)
  })
  return { ...(await complete(directory, listed)), holdsSpecials }
}

/**
 * Files and links of a local tree that a transfer with these excludes may touch.
 * @throws SOURCE_MISSING when the directory cannot be listed completely; CANCELED
 */
export async function countFiles(
  directory: string,
  excludes: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<number> {
  let files = 0
  await list({ directory, excludes, ...options }, (entry) => {
    if (entry !== null && entry.type !== 'directory') files += 1
  })
  return files
}

interface ListRequest {
  readonly directory: string
  readonly excludes: readonly string[]
  readonly signal?: AbortSignal
}

/** Null stands for what is neither file, directory nor link. */
async function list(
  { directory, excludes, ...options }: ListRequest,
  onEntry: (entry: ListedEntry | null) => void,
): Promise<void> {
  const lines = new LineReader((line) => onEntry(parseListLine(line)))
  const result = await exec({
    command: 'rsync',
    args: listArguments(directory, excludes),
    env: { LC_ALL: 'C', LANG: 'C' },
    okExitCodes: 'any',
    maxOutputBytes: 64 * 1024,
    onStdout: (chunk) => lines.push(chunk),
    ...options,
  })
  lines.end()
  if (result.exitCode !== 0) throw notListed(directory, result.stderr)
}

function notListed(directory: string, stderr: string): AppError {
  const evidence = stderr.split('\n').filter((line) => line.trim() !== '')
  return new AppError('SOURCE_MISSING', `${directory} cannot be read completely.`, { data: { evidence } })
}

async function complete(directory: string, listed: readonly ListedEntry[]): Promise<Omit<Manifest, 'holdsSpecials'>> {
  const entries: ManifestEntry[] = []
  let totalBytes = 0
  let files = 0
  for (const [index, entry] of listed.entries()) {
    if (index % batchSize === batchSize - 1) await setImmediate()
    const stats = look(directory, entry.name)
    if (stats === undefined) continue
    const sizeBytes = Number(stats.size)
    const { mtimeNs: modifiedNs, ctimeNs: changedNs } = stats
    entries.push({ ...entry, sizeBytes, modifiedNs, changedNs, mode: Number(stats.mode) & 0o7777 })
    if (entry.type === 'directory') continue
    files += 1
    totalBytes += sizeBytes
  }
  return { directory, entries, files, totalBytes }
}

function look(directory: string, name: ByteName): BigIntStats | undefined {
  return lstatSync(pathOf(directory, name), { bigint: true, throwIfNoEntry: false })
}

/**
 * Names that are not as they were when the manifest was made: written, replaced, gone, or a directory that lost or
 * gained a name. Empty when the tree that was sent is still the tree that is there. The first twenty.
 *
 * @param options `mayGainLinks`: other names for the same file may come and go, which moves its change time
 */
export async function changedSince(
  manifest: Manifest,
  options: { readonly mayGainLinks?: boolean } = {},
): Promise<ByteName[]> {
  const changed: ByteName[] = []
  for (const [index, entry] of manifest.entries.entries()) {
    if (index % batchSize === batchSize - 1) await setImmediate()
    const same =
      options.mayGainLinks === true ? looksSame(manifest.directory, entry) : isUntouched(manifest.directory, entry)
    if (!same) changed.push(entry.name)
    if (changed.length >= mostChanges) break
  }
  return changed
}

function isUntouched(directory: string, { name, modifiedNs, changedNs, sizeBytes }: ManifestEntry): boolean {
  const stats = look(directory, name)
  return (
    stats !== undefined &&
    stats.mtimeNs === modifiedNs &&
    stats.ctimeNs === changedNs &&
    Number(stats.size) === sizeBytes
  )
}

/** To the microsecond: half the price of nanoseconds. */
function looksSame(directory: string, { name, modifiedNs, sizeBytes }: ManifestEntry): boolean {
  const stats = lstatSync(pathOf(directory, name), { throwIfNoEntry: false })
  return (
    stats !== undefined && stats.size === sizeBytes && Math.abs(stats.mtimeMs - Number(modifiedNs) / 1_000_000) < 0.001
  )
}

/** What stands for a file when trees are compared: the hash of its content, or what a link points to. */
export type Fingerprint = string

const largestChunkBytes = 1024 * 1024
const smallestChunkBytes = 4 * 1024

interface Remembered {
  readonly sizeBytes: bigint
  readonly modifiedNs: bigint
  readonly changedNs: bigint
  readonly inode: bigint
  readonly hash: string
}

/** A file changed less than this before it was hashed may change again within one tick of its clock. */
const settledNs = 2_000_000_000n
const mostRemembered = 200_000

/**
 * Hashes of local files that have not changed since: one tree goes to many nodes, and is the same in most runs. Known
 * by size, times and inode together; the change time cannot be set back, so other content never passes as known.
 */
export class FingerprintCache {
  readonly #known = new Map<string, Remembered>()

  /** SHA-256 of the file. Rejects when it cannot be read. */
  async hash(path: Buffer | string): Promise<string> {
    const key = Buffer.from(path).toString('latin1')
    const stats = await lstat(path, { bigint: true })
    const known = this.#known.get(key)
    if (known !== undefined && isSame(known, stats)) return known.hash
    const startedNs = BigInt(Date.now()) * 1_000_000n
    const hash = await hashFile(path)
    if (this.#known.size >= mostRemembered) this.#known.clear()
    if (startedNs - stats.ctimeNs > settledNs) {
      this.#known.set(key, {
        sizeBytes: stats.size,
        modifiedNs: stats.mtimeNs,
        changedNs: stats.ctimeNs,
        inode: stats.ino,
        hash,
      })
    }
    return hash
  }
}

function isSame(known: Remembered, stats: BigIntStats): boolean {
  return (
    known.sizeBytes === stats.size &&
    known.modifiedNs === stats.mtimeNs &&
    known.changedNs === stats.ctimeNs &&
    known.inode === stats.ino
  )
}

/** SHA-256 of a local file, or `-> target` of a link; null when it is not there or not readable. */
async function fingerprintLocal(
  directory: string,
  entry: Pick<ListedEntry, 'type' | 'name'>,
  cache: FingerprintCache,
): Promise<Fingerprint | null> {
  const path = pathOf(directory, entry.name)
  try {
    if (entry.type === 'symlink') return `-> ${(await readlink(path, 'buffer')).toString('latin1')}`
    return await cache.hash(path)
  } catch {
    return null
  }
}

/** Somebody may put a link or a pipe where a file was: the link is not followed, the pipe not waited for. */
const readOnlyAsItIs = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

async function hashFile(path: Buffer | string): Promise<string> {
  const file = await open(path, readOnlyAsItIs)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new Error('not a regular file')
    const hash = createHash('sha256')
    // One more than it has, so that a small file ends with its second read. A megabyte for each of thousands of small
    // files stays with the process long after they are hashed.
    const chunkBytes = Math.min(largestChunkBytes, Math.max(smallestChunkBytes, stats.size + 1))
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, null)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** Fingerprints many files, a few at a time. */
export async function fingerprintAllLocal(
  directory: string,
  entries: readonly Pick<ListedEntry, 'type' | 'name'>[],
  { cache, signal }: { readonly cache: FingerprintCache; readonly signal?: AbortSignal },
): Promise<Map<ByteName, Fingerprint>> {
  const found = new Map<ByteName, Fingerprint>()
  const waiting = entries.values()
  const work = async (): Promise<void> => {
    for (const entry of waiting) {
      signal?.throwIfAborted()
      const fingerprint = await fingerprintLocal(directory, entry, cache)
      if (fingerprint !== null) found.set(entry.name, fingerprint)
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return found
}

class LineReader {
  readonly #onLine: (line: string) => void
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#onLine(line)
  }

  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest)
  }
}
