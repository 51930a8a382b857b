import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface RotatingFileOptions {
  /** Start a new file before this one would grow past it. */
  readonly maxSizeBytes: number
  /** Older files kept beside it, as `name.1` (newest) to `name.<n>`. */
  readonly keepFiles: number
}

/** A log file of bounded size. Writes are synchronous, so that the last line before a crash is on disk. */
export class RotatingFile {
  readonly #path: string
  readonly #options: RotatingFileOptions
  #descriptor: number | undefined
  #sizeBytes = 0

  constructor(path: string, options: RotatingFileOptions) {
    this.#path = path
    this.#options = options
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#open()
  }

  /** A log that cannot be written (disk full) must not take the engine down: the line is lost, not the process. */
  write(line: string): void {
    const bytes = Buffer.from(line, 'utf8')
    try {
      if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#options.maxSizeBytes) this.#rotate()
      if (this.#descriptor === undefined) this.#open()
      if (this.#descriptor !== undefined) this.#sizeBytes += writeSync(this.#descriptor, bytes)
    } catch {
      // Nowhere left to say it.
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #open(): void {
    this.#descriptor = openSync(this.#path, 'a', 0o600)
    this.#sizeBytes = fstatSync(this.#descriptor).size
  }

  #rotate(): void {
    this.close()
    const { keepFiles } = this.#options
    rmSync(`${this.#path}.${keepFiles}`, { force: true })
    for (let index = keepFiles - 1; index >= 1; index -= 1)
      renameIfPresent(`${this.#path}.${index}`, `${this.#path}.${index + 1}`)
    if (keepFiles > 0) renameIfPresent(this.#path, `${this.#path}.1`)
    else rmSync(this.#path, { force: true })
    this.#open()
  }
}

function renameIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
