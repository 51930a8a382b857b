import { closeSync, existsSync, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { explainFileError, hasErrorCode } from '../../platform/fileErrors.ts'
import type { Logger } from '../../platform/logger.ts'
import { RunId } from '../../shared/model/ids.ts'
import type { LogStore } from '../ports.ts'
import { ShortLogs } from './shortLogs.ts'

export interface LogStoreOptions {
  /** Holds one file for each run, `<run id>.log`. Created when missing. */
  readonly directory: string
  /** Of one run; what comes after is dropped, and the output says so. Default 1 GiB. */
  readonly maxRunBytes?: number
  /** Default 64. */
  readonly maxOpenFiles?: number
  /** Hears of listeners that throw. */
  readonly logger?: Pick<Logger, 'error'>
}

export interface StoredLog {
  readonly runId: RunId
  readonly sizeBytes: number
  readonly modifiedAt: number
}

interface OpenLog {
  readonly descriptor: number
  sizeBytes: number
}

type SizeListener = (sizeBytes: number) => void

const fileSuffix = '.log'

/** What is longer gets a file of its own. */
const longestShortBytes = 64 * 1024

/**
 * Output of runs in plain files. Each append is one write to the end: it survives a killed engine, and after a power loss
 * the file may end early but never holds anything out of order. Runs that have little to say share one file; the log of
 * a run is always whole in one place.
 */
export class FileLogStore implements LogStore {
  readonly #directory: string
  readonly #maxRunBytes: number
  readonly #maxOpenFiles: number
  readonly #logger: Pick<Logger, 'error'> | undefined
  /** In order of use: the first was used longest ago. */
  readonly #open = new Map<RunId, OpenLog>()
  readonly #listeners = new Map<RunId, Set<SizeListener>>()
  readonly #short: ShortLogs

  constructor({ directory, maxRunBytes = 1024 ** 3, maxOpenFiles = 64, logger }: LogStoreOptions) {
    this.#directory = directory
    this.#maxRunBytes = maxRunBytes
    this.#maxOpenFiles = maxOpenFiles
    this.#logger = logger
    this.#short = new ShortLogs(directory)
  }

  /** @throws AppError LOCAL_DISK_FULL or HOME_NOT_WRITABLE; part of the bytes may then have been kept */
  async append(runId: RunId, bytes: Uint8Array): Promise<number> {
    const log = this.#acquire(runId)
    const sizeBefore = log.sizeBytes
    try {
      this.#write(log, this.#withinLimit(log, bytes))
    } catch (error) {
      throw explainFileError(error, this.#path(runId))
    } finally {
      if (log.sizeBytes !== sizeBefore) this.#notify(runId, log.sizeBytes)
    }
    return log.sizeBytes
  }

  /** @throws AppError LOCAL_DISK_FULL or HOME_NOT_WRITABLE; some of them may then have been kept */
  async appendAll(entries: readonly { readonly runId: RunId; readonly bytes: Uint8Array }[]): Promise<number[]> {
    const sizes = new Map<RunId, number>()
    const short = entries.filter((entry) => this.#isShort(entry))
    const atMs = Date.now()
    try {
      const kept = this.#short.appendAll(short.map((entry) => ({ ...entry, atMs })))
      short.forEach(({ runId }, index) => void sizes.set(runId, kept[index] ?? 0))
    } catch (error) {
      throw explainFileError(error, this.#directory)
    }
    for (const { runId } of short) this.#notify(runId, sizes.get(runId) ?? 0)
    for (const entry of entries) {
      if (!short.includes(entry)) sizes.set(entry.runId, await this.append(entry.runId, entry.bytes))
    }
    return entries.map(({ runId }) => sizes.get(runId) ?? 0)
  }

  async read(runId: RunId, offset: number, maxBytes: number): Promise<Uint8Array> {
    const short = this.#short.read(runId)
    if (short !== null) return short.subarray(offset, offset + maxBytes)
    const file = await open(this.#path(runId), 'r').catch((error: unknown) => {
      if (hasErrorCode(error, 'ENOENT')) return undefined
      throw error
    })
    if (file === undefined) return new Uint8Array(0)
    try {
      const available = Math.max(0, (await file.stat()).size - offset)
      const buffer = new Uint8Array(Math.min(maxBytes, available))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  async sizeBytes(runId: RunId): Promise<number> {
    const known = this.#open.get(runId)
    if (known !== undefined) return known.sizeBytes
    const shortBytes = this.#short.sizeBytes(runId)
    if (shortBytes > 0) return shortBytes
    try {
      return (await stat(this.#path(runId))).size
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return 0
      throw error
    }
  }

  onAppended(runId: RunId, listener: SizeListener): () => void {
    const entry: SizeListener = (sizeBytes) => listener(sizeBytes)
    const listeners = this.#listeners.get(runId) ?? new Set()
    this.#listeners.set(runId, listeners.add(entry))
    return () => {
      listeners.delete(entry)
      if (listeners.size === 0 && this.#listeners.get(runId) === listeners) this.#listeners.delete(runId)
    }
  }

  async remove(runId: RunId): Promise<void> {
    this.#close(runId)
    this.#short.remove(runId)
    await rm(this.#path(runId), { force: true })
  }

  /** All logs there are, for whoever decides what is kept; oldest first. */
  async list(): Promise<StoredLog[]> {
    const names = await readdir(this.#directory)
    const logs = names.map(async (name): Promise<StoredLog[]> => {
      const runId = RunId.safeParse(name.endsWith(fileSuffix) ? name.slice(0, -fileSuffix.length) : '')
      const found = runId.success ? await stat(join(this.#directory, name)).catch(() => undefined) : undefined
      return runId.success && found !== undefined
        ? [{ runId: runId.data, sizeBytes: found.size, modifiedAt: Math.round(found.mtimeMs) }]
        : []
    })
    return [...(await Promise.all(logs)).flat(), ...this.#short.list()].sort(
      (left, right) => left.modifiedAt - right.modifiedAt,
    )
  }

  async close(): Promise<void> {
    for (const runId of [...this.#open.keys()]) this.#close(runId)
    this.#listeners.clear()
    this.#short.close()
  }

  #isShort({ runId, bytes }: { readonly runId: RunId; readonly bytes: Uint8Array }): boolean {
    if (this.#open.has(runId) || existsSync(this.#path(runId))) return false
    return this.#short.sizeBytes(runId) + bytes.length <= longestShortBytes
  }

  /** An id becomes a file name: nothing but a UUID may. */
  #path(runId: RunId): string {
    return join(this.#directory, `${RunId.parse(runId)}${fileSuffix}`)
  }

  #acquire(runId: RunId): OpenLog {
    const known = this.#open.get(runId)
    if (known !== undefined) {
      this.#open.delete(runId)
      this.#open.set(runId, known)
      return known
    }
    const [leastRecent] = this.#open.keys()
    if (leastRecent !== undefined && this.#open.size >= this.#maxOpenFiles) this.#close(leastRecent)
    const opened = openLog(this.#path(runId))
    this.#open.set(runId, opened)
    this.#moveShort(runId, opened)
    return opened
  }

  /** It says more than was thought: from now on in a file of its own. */
  #moveShort(runId: RunId, log: OpenLog): void {
    const short = this.#short.read(runId)
    if (short === null) return
    // Not empty: an engine was killed here before.
    if (log.sizeBytes === 0) this.#write(log, short)
    this.#short.remove(runId)
  }

  #close(runId: RunId): void {
    const log = this.#open.get(runId)
    if (log === undefined) return
    this.#open.delete(runId)
    closeSync(log.descriptor)
  }

  #withinLimit(log: OpenLog, bytes: Uint8Array): Uint8Array {
    const roomBytes = this.#maxRunBytes - log.sizeBytes
    if (bytes.length <= roomBytes) return bytes
    if (roomBytes <= 0) return new Uint8Array(0)
    const notice = `\n[lockstep: the output is larger than ${this.#maxRunBytes} bytes; the rest was not kept]\n`
    return Buffer.concat([bytes.subarray(0, roomBytes), Buffer.from(notice)])
  }

  #write(log: OpenLog, bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length; ) {
      const count = writeSync(log.descriptor, bytes, written)
      written += count
      log.sizeBytes += count
    }
  }

  #notify(runId: RunId, sizeBytes: number): void {
    for (const listener of [...(this.#listeners.get(runId) ?? [])]) {
      try {
        listener(sizeBytes)
      } catch (error) {
        // Whoever watches must not stop what is watched.
        this.#logger?.error({ err: error, runId }, 'a listener of run output failed')
      }
    }
  }
}

function openLog(path: string): OpenLog {
  try {
    const descriptor = openSync(path, 'a', 0o600)
    return { descriptor, sizeBytes: fstatSync(descriptor).size }
  } catch (error) {
    throw explainFileError(error, path)
  }
}

/** Opens the logs of a home. */
export async function openLogStore(options: LogStoreOptions): Promise<FileLogStore> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  return new FileLogStore(options)
}
