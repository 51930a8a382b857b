import { remoteScript, shellQuote } from '../../../core/transfer/remoteShell.ts'
import { exec } from '../../../platform/exec.ts'
import { type GitResult, runGit } from '../../../platform/git/git.ts'
import { LineReader } from '../../../platform/git/lineReader.ts'
import { fixedGitEnvironment, settingArguments } from '../../../platform/git/settings.ts'
import { AppError, toAppError } from '../../../shared/errors.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { SshPool } from '../../ports/ssh.ts'
import type { MirrorLimits } from './dependencies.ts'
import type { WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'

interface Call extends WorkOptions {
  readonly args: readonly string[]
  /** Where git runs: absolute. */
  readonly directory: string
  /** For calls that reach a remote. */
  readonly access?: RemoteAccess
}

/** The machine on which a checkout lies: its git and its `sh`, here or on a node. Every exit code is a result. */
export interface Runner {
  /** `this machine`, or the name of the node. */
  readonly machine: string
  git(call: Call): Promise<GitResult>
  /** `$1`, `$2`… of the script are the words. */
  script(text: string, words: readonly string[], options: WorkOptions): Promise<GitResult>
}

/** A directory inside of somebody else's checkout is not one itself. */
const ceiling = (directory: string): Record<string, string> => ({
  GIT_CEILING_DIRECTORIES: directory.replace(/\/[^/]+\/?$/, '') || '/',
})

const redacting = (access: RemoteAccess | undefined, { onOutput }: WorkOptions): ((line: string) => void) => {
  if (onOutput === undefined) return () => undefined
  return (line) => onOutput(access === undefined ? line : access.redact(line))
}

export function localRunner(limits: MirrorLimits): Runner {
  return {
    machine: 'this machine',
    git: (call) =>
      runGit({
        args: call.args,
        directory: call.directory,
        protocols: call.access?.protocols ?? [],
        settings: call.access?.settings ?? [],
        environment: { ...ceiling(call.directory), ...call.access?.environment },
        timeoutMs: call.access === undefined ? limits.localMs : limits.networkMs,
        ...(call.access === undefined ? {} : { idleMs: limits.silenceMs }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        onLine: redacting(call.access, call),
      }),
    script: async (text, words, { signal }) => {
      const chunks: Buffer[] = []
      const { exitCode, stderr } = await exec({
        command: 'sh',
        args: ['-c', text, 'lockstep', ...words],
        cwd: '/',
        okExitCodes: 'any',
        timeoutMs: limits.localMs,
        onStdout: (chunk) => chunks.push(chunk),
        ...(signal === undefined ? {} : { signal }),
      })
      return { exitCode, stderr, stdout: Buffer.concat(chunks) }
    },
  }
}

/** What the login shell of a node prints of its own accord stands before this line. */
const begin = 'lockstep-begin'

/** The same on a node, over the pool. Scripts travel on standard input: no token and no path shows over there. */
export function nodeRunner(pool: Pick<SshPool, 'exec'>, node: FleetNode, limits: MirrorLimits): Runner {
  const run = async (
    text: string,
    timeoutMs: number,
    { signal, onLine }: { readonly signal: AbortSignal | undefined; readonly onLine: (line: string) => void },
  ): Promise<GitResult> => {
    const { command, stdin } = remoteScript(`echo ${begin}\n${text}`)
    const lines = new LineReader(onLine)
    const result = await pool
      .exec(node, command, {
        stdin,
        timeoutMs,
        maxOutputBytes: 256 * 1024 * 1024,
        onStderr: (bytes) => lines.push(bytes),
        ...(signal === undefined ? {} : { signal }),
      })
      .catch((thrown: unknown) => {
        throw unreachable(node, thrown)
      })
    lines.end()
    const stdout = Buffer.from(result.stdout)
    const at = stdout.indexOf(`${begin}\n`)
    const stderr = new TextDecoder().decode(result.stderr)
    if (result.exitCode === 127)
      throw new AppError(
        'PROGRAM_MISSING',
        `${node.name} has no git in PATH, and the checkout lies there. Install it there.`,
      )
    return {
      exitCode: result.exitCode ?? 128,
      stderr,
      stdout: at < 0 ? Buffer.alloc(0) : stdout.subarray(at + begin.length + 1),
    }
  }
  return {
    machine: node.name,
    git: (call) => {
      const environment = {
        ...fixedGitEnvironment(call.access?.protocols ?? []),
        ...ceiling(call.directory),
        ...call.access?.environment,
      }
      const settings = settingArguments(call.access?.settings)
      const text = [
        // Nothing of the login user's own git variables; authorities for TLS are the machine's.
        `for v in $(env | sed -n '/^GIT_SSL_CA/d; s/^\\(GIT_[A-Z0-9_]*\\)=.*/\\1/p'); do unset "$v"; done`,
        ...Object.entries(environment).map(([name, value]) => `${name}=${shellQuote(value)}; export ${name}`),
        call.access?.prologue ?? '',
        'command -v git >/dev/null 2>&1 || exit 127',
        `cd ${shellQuote(call.directory)} || exit 1`,
        `git ${['--no-pager', ...settings, ...call.args].map(shellQuote).join(' ')} </dev/null`,
      ].join('\n')
      return run(text, call.access === undefined ? limits.localMs : limits.networkMs, {
        signal: call.signal,
        onLine: redacting(call.access, call),
      })
    },
    script: (text, words, { signal }) =>
      run(`set -- ${words.map(shellQuote).join(' ')}\n${text}`, limits.localMs, { signal, onLine: () => undefined }),
  }
}

function unreachable(node: FleetNode, thrown: unknown): AppError {
  const error = toAppError(thrown)
  if (error.code === 'CANCELED' || error.code === 'TIMED_OUT' || error.code === 'INTERNAL') return error
  return new AppError(
    'REPOSITORY_UNREACHABLE',
    `${node.name}, where the checkout lies, cannot be reached: ${error.message}`,
    {
      cause: error,
      data: { ...error.data, nodeId: node.id, reason: error.code },
      retry: { kind: 'after', delayMs: 30_000 },
    },
  )
}
