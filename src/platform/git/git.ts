import { AppError } from '../../shared/errors.ts'
import { exec } from '../exec.ts'
import { LineReader } from './lineReader.ts'
import { type GitProtocol, gitEnvironment, settingArguments } from './settings.ts'

export interface GitRequest {
  /** The command first. Names of refs and paths stand behind `--end-of-options` or `--`, see {@link checkedRef}. */
  readonly args: readonly string[]
  /** Where git runs. */
  readonly directory: string
  /** A repository without a checkout, or one whose checkout is `workTree`. Without it git looks in `directory`. */
  readonly gitDirectory?: string
  readonly workTree?: string
  /** Ways that this call may take. Default: none. */
  readonly protocols?: readonly GitProtocol[]
  /** `name=value`, stronger than our own. Never a secret: it shows in the list of processes. */
  readonly settings?: readonly string[]
  /** The place for a token. */
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  readonly timeoutMs?: number
  /** Stopped when nothing was said for this long. */
  readonly idleMs?: number
  readonly signal?: AbortSignal
  /** What git tells a person, line by line, without figures of progress. */
  readonly onLine?: (line: string) => void
  /** Instead of `stdout` of the result. */
  readonly onStdout?: (chunk: Buffer) => void
}

export interface GitResult {
  readonly exitCode: number
  /** Byte-exact: names in it need not be UTF-8. */
  readonly stdout: Buffer
  /** Its end. */
  readonly stderr: string
}

const keptStderrBytes = 64 * 1024
const mostStdoutBytes = 1024 * 1024 * 1024
const stopGraceMs = 5_000

/**
 * Runs the git of this machine to its end; every exit code is a result. The one way to do so: fixed settings, an
 * environment without anything of the user's, no prompt, no hook, few protocols.
 *
 * @throws AppError PROGRAM_MISSING, TIMED_OUT (in all, or silence), CANCELED, INVALID_INPUT (NUL in an argument)
 */
export async function runGit(request: GitRequest): Promise<GitResult> {
  const { protocols = [], environment = {}, signal, idleMs, onLine } = request
  const chunks: Buffer[] = []
  let bytes = 0
  const collect = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > mostStdoutBytes) throw new AppError('INTERNAL', 'git wrote more than this program can take in')
    chunks.push(chunk)
  }
  const silence = new SilenceWatch(idleMs)
  const lines = new LineReader((line) => onLine?.(line))
  try {
    const { exitCode, stderr } = await exec({
      command: 'git',
      args: gitArguments(request),
      cwd: request.directory,
      env: { ...gitEnvironment(protocols), ...environment },
      okExitCodes: 'any',
      maxOutputBytes: keptStderrBytes,
      killGraceMs: stopGraceMs,
      onStdout: (chunk) => {
        silence.heard()
        const take = request.onStdout ?? collect
        take(chunk)
      },
      onStderr: (chunk) => {
        silence.heard()
        lines.push(chunk)
      },
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
      ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
    })
    lines.end()
    return { exitCode, stdout: Buffer.concat(chunks), stderr }
  } catch (thrown) {
    if (silence.signal.aborted && signal?.aborted !== true)
      throw new AppError('TIMED_OUT', `git said nothing for ${idleMs} ms and was stopped`, { cause: thrown })
    throw thrown
  } finally {
    silence.end()
  }
}

function gitArguments({ args, gitDirectory, workTree, settings }: GitRequest): string[] {
  return [
    '--no-pager',
    ...(gitDirectory === undefined ? [] : [`--git-dir=${gitDirectory}`]),
    ...(workTree === undefined ? [] : [`--work-tree=${workTree}`]),
    ...settingArguments(settings),
    ...args,
  ]
}

/** Aborts when nobody was heard for a while; never, when that while is not given. */
class SilenceWatch {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout | undefined

  constructor(idleMs: number | undefined) {
    this.#timer = idleMs === undefined ? undefined : setTimeout(() => this.#controller.abort(), idleMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  heard(): void {
    this.#timer?.refresh()
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/**
 * A name that is handed to git as a ref, never as an option or an expression over revisions.
 * @throws AppError INVALID_INPUT
 */
export function checkedRef(name: string): string {
  if (name === '' || name.startsWith('-') || /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{/.test(name))
    throw new AppError('INVALID_INPUT', `git takes no branch, tag or commit named ${JSON.stringify(name)}`, {
      data: { ref: name },
    })
  return name
}
