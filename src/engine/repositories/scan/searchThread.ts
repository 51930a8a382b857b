import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { AppError } from '../../../shared/errors.ts'
import { Progress } from './progress.ts'
import type { Searched, SearchMessage, SearchOrder, SearchRequest } from './protocol.ts'

export interface ThreadOptions {
  readonly signal?: AbortSignal | undefined
  /** For one file. A pattern that a file makes slow must not hold a sync for ever. */
  readonly fileLimitMs: number
  /** The program of the thread; as a rule ours. */
  readonly program?: string | undefined
}

/** A text of 5 MiB takes 10 as UTF-16, and its pieces and lines several times that. */
const memory = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 }

/** How long a thread that was told to end is waited for. */
const endLimitMs = 5_000

/** Beside this module as source, beside or above it as a bundle. */
function ownProgram(): string {
  const candidates = ['./scanWorker.ts', './scanWorker.js', '../scanWorker.js'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new AppError(
    'SCAN_FAILED',
    'This installation lacks scanWorker.js, which searches for secrets: install it again.',
  )
}

/**
 * Searches in a thread of its own: patterns over megabytes would hold up everything else that the engine does. The thread
 * ends with the search, and what it held in memory goes with it.
 *
 * @throws AppError SCAN_FAILED with the file it happened at, CANCELED
 */
export function searchInThread(request: SearchRequest, options: ThreadOptions): Promise<Searched> {
  const { signal, fileLimitMs } = options
  if (signal?.aborted === true) return Promise.reject(canceled(signal))
  const progress = new Progress()
  const order: SearchOrder = { request, progress: progress.memory }
  const worker = new Worker(options.program ?? ownProgram(), {
    workerData: order,
    // Nothing of the environment switches on a debug output of a library, and what it prints anyway is read by nobody.
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: memory,
  })
  worker.stdout.resume()
  worker.stderr.resume()
  return new Promise((resolve, reject) => {
    let settled = false
    let begun = 0
    const settle = (act: () => void): void => {
      if (settled) return
      settled = true
      clearInterval(timer)
      signal?.removeEventListener('abort', onAbort)
      // Then nobody writes into the copy any more. A loop of a kind that never looks up is not waited for.
      void Promise.race([worker.terminate(), sleep(endLimitMs, undefined, { ref: false })]).then(act, act)
    }
    const fail = (reason: string, file = progress.file): void => settle(() => reject(failed(file, reason)))
    const onAbort = (): void => settle(() => reject(canceled(signal)))
    const timer = setInterval(() => {
      if (progress.count === begun) fail(`it takes longer than ${fileLimitMs / 1_000} s`)
      begun = progress.count
    }, fileLimitMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    worker.on('message', (message: SearchMessage) => {
      if (message.kind === 'failed') fail(message.reason, message.file)
      else settle(() => resolve(message.searched))
    })
    worker.on('messageerror', () => fail('its result cannot be read'))
    worker.on('error', (error) => fail(nameOf(error)))
    worker.on('exit', () => fail('the search ended before its time'))
  })
}

/** Never the message: it may quote the file. */
function nameOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown error'
}

function failed(file: string | null, reason: string): AppError {
  const what = file === null ? 'The search for secrets did not begin' : `${file} could not be searched for secrets`
  const advice = 'Nothing was sent. Look at the file, or have gitleaks search instead.'
  return new AppError('SCAN_FAILED', `${what} (${reason}). ${advice}`, { data: { file, reason } })
}

export function canceled(signal: AbortSignal | undefined): AppError {
  return new AppError('CANCELED', 'the search for secrets was canceled', { cause: signal?.reason })
}
