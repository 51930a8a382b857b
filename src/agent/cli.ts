import { writeSync } from 'node:fs'
import { CommanderError } from 'commander'
import { printable, printableJson } from '../core/printable.ts'
import { AppError, toAppError } from '../shared/errors.ts'
import { createCommands } from './commands.ts'
import { exitCodeOfError, exitCodes } from './exitCodes.ts'
import { buildProgram } from './program.ts'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Whoever asks twice means it. */
const exitCodeOfImpatience = 130

/** Runs one command line to its end and leaves the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const stop = new AbortController()
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCodeOfImpatience)
      stop.abort()
    })
  }
  process.exit(await run(args, stop.signal))
}

async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  // Storage, and whoever wrote the lock file, choose some of these words: none of them may steer a terminal.
  const safe = args.includes('--json') ? printableJson : printable
  const terminal = { out: (text: string) => write(1, safe(text)), err: (text: string) => write(2, safe(text)) }
  let exitCode: number = exitCodes.ok
  const program = buildProgram(createCommands(terminal, signal), (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok
    const error = thrown instanceof CommanderError ? fromCommander(thrown) : toAppError(thrown)
    terminal.err(args.includes('--json') ? JSON.stringify(error.toBody()) : `lockstep-agent: ${error.message}`)
    return exitCodeOfError(error.code)
  }
}

function fromCommander({ code, message }: CommanderError): AppError {
  const text = code === 'commander.help' ? 'Name a command; --help shows them.' : message.replace(/^error: /, '')
  return new AppError('INVALID_INPUT', text)
}

/** At once, so that nothing is lost when the process ends. A closed pipe is no reason to fail. */
function write(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, `${text}\n`)
  } catch {
    // Nobody listens.
  }
}
