import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { explainFileError } from '../../platform/fileErrors.ts'

const keptLogs = 200

/** The log of one run on this machine; the control plane gets the same bytes, by offset. */
export class RunLog {
  readonly path: string
  readonly #redact: (text: string) => string
  #descriptor: number | null = null

  constructor(path: string, redact: (text: string) => string) {
    this.path = path
    this.#redact = redact
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      this.#descriptor = openSync(path, 'a+', 0o600)
    } catch (error) {
      throw explainFileError(error, path)
    }
  }

  /** A full disk costs lines, not the run. */
  write(text: string): void {
    if (this.#descriptor === null) return
    try {
      writeSync(this.#descriptor, this.#redact(text))
    } catch {
      // Nowhere left to say it.
    }
  }

  line(text: string): void {
    this.write(`${text}\n`)
  }

  get sizeBytes(): number {
    return this.#descriptor === null ? 0 : fstatSync(this.#descriptor).size
  }

  /** Up to `length` bytes from `offset` on. */
  read(offset: number, length: number): Uint8Array {
    return this.#descriptor === null ? new Uint8Array() : readAt(this.#descriptor, offset, length)
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }
}

export function runLogPath(logDirectory: string, key: string): string {
  return join(logDirectory, 'runs', `${key}.log`)
}

/** Bytes of a log that nobody has open any more; empty when it is gone. */
export function readLogFile(path: string, offset: number, length: number): Uint8Array {
  try {
    const descriptor = openSync(path, 'r')
    try {
      return readAt(descriptor, offset, length)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return new Uint8Array()
  }
}

function readAt(descriptor: number, offset: number, length: number): Uint8Array {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, readSync(descriptor, buffer, 0, length, offset))
}

/** Logs of runs are kept for a while; the oldest go. */
export function removeOldLogs(logDirectory: string): void {
  const directory = join(logDirectory, 'runs')
  try {
    const logs = readdirSync(directory)
      .filter((name) => name.endsWith('.log'))
      .map((name) => ({ path: join(directory, name), at: statSync(join(directory, name)).mtimeMs }))
      .sort((left, right) => right.at - left.at)
    for (const { path } of logs.slice(keptLogs)) rmSync(path, { force: true })
  } catch {
    // No directory yet, or somebody else removes them too.
  }
}
