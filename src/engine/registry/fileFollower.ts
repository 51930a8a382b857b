import { createHash } from 'node:crypto'
import { constants, type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { MakeFollower, SourceFollower, SourceListener } from '../ports.ts'
import { failingState } from './sourceDiagnosis.ts'

export interface FileFollowerDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly pollIntervalMs: number
}

/** As much as the contract takes of a text. */
const largestBytes = 64 * 1024 * 1024
/** A file that was written within this time may not be whole yet. */
const quietMs = 150
/** So long is a file waited for that is written all the time; then the next poll looks again. */
const mostQuietLooks = 40

/** Follows one file each (S1.29, S1.34): its directory is watched, and it is read every poll interval in any case. */
export function fileFollowers(dependencies: FileFollowerDependencies): MakeFollower {
  return ({ name, place }, listener) => {
    if (place.kind !== 'file') throw new AppError('INTERNAL', `${name} is no file`)
    return new FileFollower({ path: place.path, name }, listener, dependencies)
  }
}

interface Seen {
  readonly text: string
  readonly version: string
}

class FileFollower implements SourceFollower {
  readonly #path: string
  readonly #name: string
  readonly #listener: SourceListener
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #pollIntervalMs: number
  #stopped = false
  #watcher: FSWatcher | null = null
  #poll: Timer | null = null
  #settle: Timer | null = null
  /** Looks one after another; each sees everything that was written before it was asked for. */
  #looking: Promise<void> = Promise.resolve()
  #queued: Promise<void> | null = null
  #lastVersion: string | null = null

  constructor(
    { path, name }: { readonly path: string; readonly name: string },
    listener: SourceListener,
    { clock, logger, pollIntervalMs }: FileFollowerDependencies,
  ) {
    this.#path = path
    this.#name = name
    this.#listener = listener
    this.#clock = clock
    this.#logger = logger
    this.#pollIntervalMs = pollIntervalMs
  }

  start(): Promise<void> {
    this.#stopped = false
    this.#watch()
    this.#schedulePoll()
    return this.refresh()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#watcher?.close()
    this.#watcher = null
    this.#poll?.cancel()
    this.#settle?.cancel()
    await this.#looking
  }

  refresh(): Promise<void> {
    if (this.#queued !== null) return this.#queued
    const queued = this.#looking.then(() => {
      this.#queued = null
      return this.#look()
    })
    this.#queued = queued
    this.#looking = queued
    return queued
  }

  /** The directory, because editors put a new file in the place of the old one; a mount does so with a link beside it. */
  #watch(): void {
    if (this.#watcher !== null || this.#stopped) return
    try {
      const watcher = watch(dirname(this.#path), { persistent: false }, () => this.#lookSoon())
      watcher.on('error', () => this.#watchAgainLater(watcher))
      this.#watcher = watcher
    } catch {
      // A directory that is not there yet: every poll tries again.
    }
  }

  #watchAgainLater(watcher: FSWatcher): void {
    watcher.close()
    if (this.#watcher === watcher) this.#watcher = null
  }

  #lookSoon(): void {
    this.#settle?.cancel()
    if (!this.#stopped) this.#settle = this.#clock.setTimer(quietMs, () => void this.refresh(), { unref: true })
  }

  #schedulePoll(): void {
    const again = (): void => {
      // Anew, because a watch says nothing when its directory was replaced by another one.
      this.#watcher?.close()
      this.#watcher = null
      this.#watch()
      this.#schedulePoll()
      void this.refresh()
    }
    if (!this.#stopped) this.#poll = this.#clock.setTimer(this.#pollIntervalMs, again, { unref: true })
  }

  async #look(): Promise<void> {
    if (this.#stopped) return
    try {
      const { text, version } = await this.#readWhole()
      if (this.#lastVersion !== null && this.#lastVersion !== version)
        this.#logger.info({ source: this.#name, path: this.#path }, 'registry file changed, triggering sync...')
      this.#lastVersion = version
      await this.#listener.read(text, version, { kind: 'file', path: this.#path })
    } catch (error) {
      if (!this.#stopped) this.#listener.state(failingState(explained(error, this.#path), this.#clock.nowMs()))
    }
  }

  /** Half of a YAML file is a registry too, one with half of its services: it is read when nobody writes it any more. */
  async #readWhole(): Promise<Seen> {
    for (let look = 0; look < mostQuietLooks && !this.#stopped; look += 1) {
      const seen = await readSettled(this.#path, this.#clock.nowMs())
      if (seen !== null) return seen
      await new Promise<void>((resolve) => this.#clock.setTimer(quietMs, resolve))
    }
    throw new AppError('REGISTRY_SOURCE_UNREACHABLE', `${this.#path} is being written all the time.`)
  }
}

/** Null: somebody is writing it, or has just done so. */
async function readSettled(path: string, nowMs: number): Promise<Seen | null> {
  // Without O_NONBLOCK a named pipe would keep us here for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const before = await file.stat()
    if (!before.isFile()) throw new AppError('REGISTRY_SOURCE_REFUSED', `${path} is no regular file. Name a file.`)
    if (before.size > largestBytes)
      throw new AppError('REGISTRY_SOURCE_REFUSED', `${path} is larger than 64 MiB, which no registry is.`)
    const ageMs = nowMs - before.mtimeMs
    // A time in the future says nothing: clocks and copies differ.
    if (ageMs >= 0 && ageMs < quietMs) return null
    const bytes = await readAtMost(file)
    const after = await file.stat()
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs || bytes.length !== after.size) return null
    return { text: decoded(bytes, path), version: createHash('sha256').update(bytes).digest('hex').slice(0, 16) }
  } finally {
    await file.close()
  }
}

/** A file may grow while it is read. */
async function readAtMost(file: FileHandle): Promise<Buffer> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of file.createReadStream({ autoClose: false, end: largestBytes }) as AsyncIterable<Buffer>) {
    parts.push(part)
    sizeBytes += part.length
  }
  return Buffer.concat(parts, sizeBytes)
}

function decoded(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new AppError('REGISTRY_SOURCE_REFUSED', `${path} is no UTF-8 text.`, { cause })
  }
}

function explained(error: unknown, path: string): AppError {
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof AppError) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const message = `${path} is not there (any more). Put it back, or remove the source.`
    return new AppError('REGISTRY_SOURCE_UNREACHABLE', message, { cause: error })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `${path} may not be read. Give the user that Lockstep runs as the permission to.`
    return new AppError('REGISTRY_SOURCE_REFUSED', message, { cause: error })
  }
  const { message } = toAppError(error)
  return new AppError('REGISTRY_SOURCE_UNREACHABLE', `${path} cannot be read: ${message}.`, { cause: error })
}
