import { existsSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Cron } from 'croner'
import { type AgentConfig, describeProblems, readAgentConfig } from '../core/agent/config.ts'
import { shellQuote } from '../core/transfer/remoteShell.ts'
import { hasErrorCode } from '../platform/fileErrors.ts'
import { AppError } from '../shared/errors.ts'
import { type AgentLayout, configDirectories, layoutOf, type StateLayout, stateLayoutOf } from './layout.ts'

const othersMayWrite = 0o002

/** What an agent works with: its configuration and where its files lie. */
export interface AgentSetup {
  readonly layout: AgentLayout
  readonly state: StateLayout
  readonly config: AgentConfig
  readonly logDirectory: string
}

/** The directory named on the command line, else the first that holds an `agent.yaml`, else the first of all (S0.30). */
export function findConfigDirectory(named: string | undefined): string {
  if (named !== undefined) return withoutSigns(resolve(named))
  return configDirectories.find((directory) => existsSync(layoutOf(directory).configFile)) ?? configDirectories[0]
}

/** Paths in there are written for `ssh`, which has no way to quote these. @throws AppError INVALID_INPUT */
function withoutSigns(directory: string): string {
  if (!/["\\\u0000-\u001f\u007f]|\$\{/.test(directory)) return directory
  throw new AppError(
    'INVALID_INPUT',
    `--config: ${JSON.stringify(directory)} holds a quote, a backslash, a line break or "\${", which ssh cannot take. Use another directory.`,
  )
}

/**
 * Loads the configuration (S0.42).
 * @throws AppError NOT_FOUND, or INVALID_INPUT naming every mistake with its line
 */
export async function loadSetup(configDirectory: string): Promise<AgentSetup> {
  const layout = layoutOf(configDirectory)
  const reading = readAgentConfig(await readConfigFile(layout.configFile), whyNotSchedule)
  if (!reading.ok) {
    throw new AppError('INVALID_INPUT', describeProblems(layout.configFile, reading.problems), {
      data: { problems: reading.problems },
    })
  }
  const { config } = reading
  return {
    layout,
    config,
    state: stateLayoutOf(config.state_directory),
    logDirectory: config.log_directory ?? layout.logs,
  }
}

async function readConfigFile(path: string): Promise<string> {
  try {
    const file = await open(path, 'r')
    try {
      refuseForeign(path, await file.stat())
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    if (hasErrorCode(error, 'ENOENT')) {
      throw new AppError('NOT_FOUND', `${path} does not exist. Write it, or name its directory with --config.`)
    }
    throw new AppError('INVALID_INPUT', `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

/** As `ssh` does with its own: whoever may write this file decides what we read, write and delete with our rights. */
function refuseForeign(path: string, { mode, uid }: Pick<Stats, 'mode' | 'uid'>): void {
  const isOurs = process.getuid === undefined || uid === 0 || uid === process.getuid()
  if (isOurs && (mode & othersMayWrite) === 0) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `${path} can be written by other users, who would decide what this agent does. Correct it: chown root ${shellQuote(path)}; chmod o-w ${shellQuote(path)}`,
  )
}

function whyNotSchedule(schedule: string): string | null {
  try {
    return new Cron(schedule, { paused: true }).nextRun() === null ? 'there is no time that it means' : null
  } catch (error) {
    return `not a cron expression: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** The first time a cron expression means after `afterMs`, on the clock of this machine. */
export function nextTimeOf(expression: string, afterMs: number): number | null {
  return new Cron(expression, { paused: true }).nextRun(new Date(afterMs))?.getTime() ?? null
}
