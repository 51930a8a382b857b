import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { AppError } from '../shared/errors.ts'
import { BoundedOutput } from './boundedOutput.ts'
import { minimalEnvironment } from './environment.ts'
import { endProcessGroup, signalProcessGroup } from './processGroup.ts'

export interface ExecRequest {
  /** Program name (looked up in PATH) or path. Never a command line: nothing here goes through a shell. */
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to {@link minimalEnvironment}. The place for secrets, next to `stdin`; never shown in an error. */
  readonly env?: Readonly<Record<string, string>>
  /** Written to the program, then closed. Without it the program reads end-of-file at once. */
  readonly stdin?: string | Uint8Array
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Exit codes that are a result and not an error. Default `[0]`. With `'any'` nothing but our own stop throws. */
  readonly okExitCodes?: readonly number[] | 'any'
  /** Kept in memory per stream, the last bytes win. Default 16 MiB. Callbacks see every byte all the same. */
  readonly maxOutputBytes?: number
  readonly onStdout?: (chunk: Buffer) => void
  readonly onStderr?: (chunk: Buffer) => void
  /** Between TERM and KILL when the program has to stop. Default 2000. */
  readonly killGraceMs?: number
}

export interface ExecResult {
  /** As a shell counts: 128 + n when signal n ended the program. */
  readonly exitCode: number
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Earlier bytes of stdout or stderr were dropped because of `maxOutputBytes`. */
  readonly truncated: boolean
}

type Child = ChildProcessByStdio<Writable | null, Readable, Readable>
type StopReason = 'timeout' | 'abort' | 'callback'

const defaultMaxOutputBytes = 16 * 1024 * 1024
const defaultKillGraceMs = 2_000
const stderrTailBytes = 4_096
/** After the program's end a stranger may hold its pipes open (`ssh` masters do): how long silence is waited for. */
const orphanedPipeIdleMs = 500

const livingGroups = new Set<number>()
let exitHookInstalled = false

/** Programs run in groups of their own, so no terminal ends them with us: the last thing this process does is to. */
function endWithThisProcess(processGroupId: number): void {
  livingGroups.add(processGroupId)
  if (exitHookInstalled) return
  exitHookInstalled = true
  process.once('exit', () => {
    for (const group of livingGroups) signalProcessGroup(group, 'SIGTERM')
  })
}

/**
 * Runs a program to its end: the one way to do so. It gets a process group of its own, and the whole group is
 * ended (TERM, then KILL) when time is up or the caller aborts; the promise settles after that.
 *
 * @throws AppError PROGRAM_MISSING, PROGRAM_FAILED (other exit code or signal), TIMED_OUT, CANCELED,
 *   PRECONDITION_FAILED (no such `cwd`), INVALID_INPUT (an argument no program can be given).
 *   `data` holds command, exitCode, signal and the end of stderr; never arguments, environment or stdin.
 */
export async function exec(request: ExecRequest): Promise<ExecResult> {
  if (request.signal?.aborted === true) throw canceled(request, '')
  const execution = new Execution(request, start(request))
  return execution.result()
}

function start(request: ExecRequest): Child {
  try {
    return spawn(request.command, [...request.args], {
      cwd: request.cwd,
      env: { ...minimalEnvironment(), ...request.env },
      stdio: [request.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    }) as Child
  } catch (error) {
    throw startError(request, error as NodeJS.ErrnoException)
  }
}

class Execution {
  readonly #request: ExecRequest
  readonly #child: Child
  readonly #stdout: BoundedOutput
  readonly #stderr: BoundedOutput
  #stopReason: StopReason | undefined
  #callbackError: unknown
  #stopping: Promise<boolean> | undefined
  #idleTimer: NodeJS.Timeout | undefined

  constructor(request: ExecRequest, child: Child) {
    this.#request = request
    this.#child = child
    const limitBytes = request.maxOutputBytes ?? defaultMaxOutputBytes
    this.#stdout = new BoundedOutput(limitBytes)
    this.#stderr = new BoundedOutput(limitBytes)
  }

  async result(): Promise<ExecResult> {
    const { timeoutMs, signal } = this.#request
    const ended = this.#waitForEnd()
    const abort = (): void => this.#stop('abort')
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.#stop('timeout'), timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    if (this.#child.pid !== undefined) endWithThisProcess(this.#child.pid)
    try {
      const { exitCode, endSignal } = await ended
      const everybodyGone = (await this.#stopping) ?? true
      return this.#judge(exitCode, endSignal, everybodyGone)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (this.#child.pid !== undefined) livingGroups.delete(this.#child.pid)
    }
  }

  #stop(reason: StopReason): void {
    if (this.#stopReason !== undefined) return
    this.#stopReason = reason
    const { pid } = this.#child
    if (pid !== undefined) this.#stopping = endProcessGroup(pid, this.#request.killGraceMs ?? defaultKillGraceMs)
  }

  #waitForEnd(): Promise<{ exitCode: number; endSignal: NodeJS.Signals | null }> {
    const child = this.#child
    this.#collect(child.stdout, this.#stdout, this.#request.onStdout)
    this.#collect(child.stderr, this.#stderr, this.#request.onStderr)
    // A program may end without reading its input; its exit code tells the story, not the broken pipe.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(this.#request.stdin)
    return new Promise((resolve, reject) => {
      child.once('error', (error) => reject(startError(this.#request, error)))
      child.once('exit', () => this.#watchForOrphanedPipes())
      child.once('close', (exitCode, endSignal) => {
        clearTimeout(this.#idleTimer)
        resolve({ exitCode: exitCode ?? 128 + signalNumber(endSignal), endSignal })
      })
    })
  }

  #collect(stream: Readable, output: BoundedOutput, callback: ((chunk: Buffer) => void) | undefined): void {
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => {
      output.append(chunk)
      this.#idleTimer?.refresh()
      try {
        callback?.(chunk)
      } catch (error) {
        this.#callbackError ??= error
        this.#stop('callback')
      }
    })
  }

  #watchForOrphanedPipes(): void {
    this.#idleTimer = setTimeout(() => {
      this.#child.stdout.destroy()
      this.#child.stderr.destroy()
    }, orphanedPipeIdleMs)
  }

  #judge(exitCode: number, signal: NodeJS.Signals | null, everybodyGone: boolean): ExecResult {
    const stderr = this.#stderr.bytes().toString('utf8')
    if (this.#stopReason === 'callback') throw this.#callbackError
    if (this.#stopReason === 'timeout') throw timedOut(this.#request, stderr, everybodyGone)
    if (this.#stopReason === 'abort') throw canceled(this.#request, stderr, everybodyGone)
    const { okExitCodes = [0] } = this.#request
    if (okExitCodes !== 'any' && (signal !== null || !okExitCodes.includes(exitCode))) {
      throw failed(this.#request, exitCode, { signal, stderr })
    }
    const truncated = this.#stdout.truncated || this.#stderr.truncated
    return { exitCode, signal, stdout: this.#stdout.bytes().toString('utf8'), stderr, truncated }
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal]
}

function tail(stderr: string): string {
  return stderr.length <= stderrTailBytes ? stderr : `…${stderr.slice(-stderrTailBytes)}`
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? ''
}

function failed(
  { command }: ExecRequest,
  exitCode: number,
  { signal, stderr }: { readonly signal: NodeJS.Signals | null; readonly stderr: string },
): AppError {
  const how = signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`
  const said = lastLine(stderr)
  const message = said === '' ? `${command} ${how}` : `${command} ${how}: ${said}`
  return new AppError('PROGRAM_FAILED', message, { data: { command, exitCode, signal, stderr: tail(stderr) } })
}

function timedOut({ command, timeoutMs }: ExecRequest, stderr: string, stopConfirmed: boolean): AppError {
  const message = `${command} did not end within ${timeoutMs} ms and was stopped`
  const data = { command, timeoutMs, exitCode: null, signal: null, stderr: tail(stderr), stopConfirmed }
  return new AppError('TIMED_OUT', message, { data })
}

function canceled({ command, signal }: ExecRequest, stderr: string, stopConfirmed = true): AppError {
  return new AppError('CANCELED', `${command} was canceled`, {
    data: { command, exitCode: null, signal: null, stderr: tail(stderr), stopConfirmed },
    cause: signal?.reason,
  })
}

/** Why a program could not be started. The system says ENOENT for a missing program and a missing cwd alike. */
export function startError(
  { command, cwd }: Pick<ExecRequest, 'command' | 'cwd'>,
  error: NodeJS.ErrnoException,
): AppError {
  const data = { command, exitCode: null, signal: null, stderr: '' }
  if (cwd !== undefined && !existsSync(cwd)) {
    return new AppError('PRECONDITION_FAILED', `the working directory ${cwd} does not exist`, { data })
  }
  if (error.code === 'ENOENT') {
    return new AppError('PROGRAM_MISSING', `${command} is not installed, or not in PATH`, { data })
  }
  if (error.code === 'EACCES') {
    return new AppError('PROGRAM_MISSING', `${command} may not be executed`, { data })
  }
  if (error.code === 'ERR_INVALID_ARG_VALUE' || error.code === 'ERR_INVALID_ARG_TYPE') {
    // Node's own message quotes the argument, which may be a secret.
    return new AppError('INVALID_INPUT', `an argument of ${command} holds a NUL byte`, { data })
  }
  return new AppError('PROGRAM_FAILED', `${command} could not be started (${error.code ?? 'unknown reason'})`, { data })
}
