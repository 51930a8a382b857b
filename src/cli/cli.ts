import { type Command, CommanderError } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { parseTarget, type RemoteTarget } from '../daemon/remote/target.ts'
import { homePaths, resolveHomeDirectory } from '../platform/paths.ts'
import { AppError } from '../shared/errors.ts'
import type { CliContext, Work } from './context.ts'
import { connect, type EngineAccess, withEngine } from './engine.ts'
import { toCliError } from './errors.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exitCodes.ts'
import { createOutput, type Output } from './output/output.ts'
import { buildProgram } from './program.ts'
import { confirmOnTerminal, passphraseSource } from './terminal.ts'

interface GlobalOptions {
  readonly home?: string
  readonly json?: boolean
  readonly passphraseFile?: string
  readonly host?: string
  readonly remoteHome?: string
}

/** Runs one command line to its end and leaves the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const stop = new AbortController()
  watchForTheEnd(stop)
  // Known before the line is parsed, so that a mistake in it is said in the form that was asked for.
  const output = createOutput(wantsJson(args))
  const code = await run(args, output, stop.signal)
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit(code)
}

async function run(args: readonly string[], output: Output, signal: AbortSignal): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok
  const program: Command = buildProgram(packageJson.version, async (work: Work) => {
    code = (await work(contextFor(program.opts<GlobalOptions>(), output, signal))) ?? exitCodes.ok
  })
  program.hook('preAction', (_, command) => refuseElsewhere(command, program.opts<GlobalOptions>()))
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok
    const error = signal.aborted && !(thrown instanceof AppError) ? interrupted() : toCliError(thrown)
    output.error(error)
    return exitCodeOf(error.code)
  }
}

function contextFor(options: GlobalOptions, output: Output, signal: AbortSignal): CliContext {
  const access: EngineAccess = {
    home: homePaths(resolveHomeDirectory(options.home)),
    version: packageJson.version,
    passphrase: passphraseSource(options.passphraseFile),
    signal,
    remote: remoteOf(options),
  }
  return {
    ...access,
    output,
    confirm: output.isJson ? null : confirmOnTerminal(),
    connect: (needs) => connect(access, needs),
    withEngine: (needs, work) => withEngine(access, needs, work),
  }
}

function remoteOf({ host, remoteHome }: GlobalOptions): RemoteTarget | null {
  if (host !== undefined) return parseTarget(host, remoteHome ?? null)
  if (remoteHome === undefined) return null
  throw new AppError('INVALID_INPUT', '--remote-home goes with --host only.')
}

/** @throws AppError INVALID_INPUT for what can be done on its own machine only */
function refuseElsewhere(command: Command, { host }: GlobalOptions): void {
  const words = pathOf(command)
  if (host === undefined || !isLocalOnly(words, command.args.length)) return
  throw new AppError(
    'INVALID_INPUT',
    `"lockstep ${words.join(' ')}" is about the machine it runs on. Leave --host away, or run it there over ssh.`,
  )
}

const pathOf = (command: Command): string[] =>
  command.parent === null ? [] : [...pathOf(command.parent), command.name()]

/** `doctor` without a node examines the machine. */
const isLocalOnly = ([first = '']: readonly string[], argumentCount: number): boolean =>
  ['serve', 'service', 'open-link', 'demo'].includes(first) || (first === 'doctor' && argumentCount === 0)

const interrupted = (): AppError => new AppError('CANCELED', 'Interrupted.')

function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).includes('--json')
}

function watchForTheEnd(stop: AbortController): void {
  const end = (): void => stop.abort(interrupted())
  // A second Ctrl-C ends the process at once: the engine is made for that, too.
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  process.once('SIGHUP', end)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') end()
      else throw error
    })
  }
}

/** Resolves when everything written so far has left this process, or nobody reads it any more. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
