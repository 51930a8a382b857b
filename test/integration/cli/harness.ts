import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { z } from 'zod'
import { ErrorBody } from '../../../src/shared/errors.ts'
import { waitFor } from '../../support/waitFor.ts'

export const cliEntry = join(import.meta.dirname, '../../../src/cli/main.ts')

export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process, to interrupt it. */
  readonly onStart?: (child: ChildProcess) => void
  readonly onStdout?: (soFar: string, child: ChildProcess) => void
}

/** Nothing of the developer's own settings reaches the command. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { LOCKSTEP_HOME: _home, LOCKSTEP_PASSPHRASE_FILE: _file, FORCE_COLOR: _color, ...rest } = process.env
  return { ...rest, ...extra }
}

export function start(home: string, args: readonly string[], options: CliOptions = {}): ChildProcess {
  return spawn(process.execPath, [cliEntry, '--home', home, ...args], { env: environment(options.env), stdio: 'pipe' })
}

/** Runs one command to its end. */
export function runCli(home: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = start(home, args, options)
  options.onStart?.(child)
  child.stdin?.end(options.stdin ?? '')
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    options.onStdout?.(stdout, child)
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}

/** The command's JSON value, checked; the exit code has to be the expected one. */
export async function json<T extends z.ZodType>(
  home: string,
  args: readonly string[],
  schema: T,
  options: CliOptions & { readonly exitCode?: number } = {},
): Promise<z.output<T>> {
  const result = await runCli(home, [...args, '--json'], options)
  expect(result, `lockstep ${args.join(' ')}`).toMatchObject({ exitCode: options.exitCode ?? 0 })
  return schema.parse(JSON.parse(result.stdout))
}

/** A refused command: nothing on standard output, one error on standard error. */
export async function refused(
  home: string,
  args: readonly string[],
  options: CliOptions = {},
): Promise<{ readonly exitCode: number | null; readonly error: ErrorBody }> {
  const result = await runCli(home, [...args, '--json'], options)
  expect(result.stdout, `lockstep ${args.join(' ')}`).toBe('')
  return { exitCode: result.exitCode, error: ErrorBody.parse(JSON.parse(result.stderr)) }
}

export interface Daemon {
  readonly link: string
  readonly output: () => string
  /** @returns its exit code */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export async function serveDaemon(
  home: string,
  args: readonly string[] = [],
  options: CliOptions = {},
): Promise<Daemon> {
  const child = start(home, ['serve', ...args], options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const link = await waitFor(
    'the link of the daemon',
    () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`)
      return /^http:\/\/127\.0\.0\.1:\d+\/\S+$/m.exec(output)?.[0]
    },
    { timeoutMs: 30_000 },
  )
  return {
    link,
    output: () => output,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return ended
    },
  }
}

/** A private home; what lies in it is removed after the demo fleet in it was taken down. */
export async function makeHome(): Promise<{ readonly home: string; readonly remove: () => Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'ls-cli-'))
  return { home, remove: () => rm(home, { recursive: true, force: true }) }
}
