import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { agentSpecOf } from '../core/agent/config.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import { explainFileError } from '../platform/fileErrors.ts'
import { createIdSource, type IdSource } from '../platform/ids.ts'
import { createLogging, type Logging } from '../platform/logger.ts'
import { AppError } from '../shared/errors.ts'
import { IdempotencyKey } from '../shared/model/ids.ts'
import { type HaltReason, isFinal } from '../shared/model/run.ts'
import { type AgentSetup, findConfigDirectory, loadSetup } from './config.ts'
import { Session } from './control/session.ts'
import { type AgentRuntime, executeRun, type RunResult } from './run/agentRun.ts'
import { abandonedRuns, type JournalRecord, newRecord } from './run/journal.ts'
import { removeOldLogs } from './run/runLog.ts'
import { sendSpooled, spooledReports } from './run/spool.ts'

/** An agent that is configured and enrolled. */
export interface OpenAgent {
  readonly setup: AgentSetup
  readonly session: Session
  readonly clock: Clock
  readonly logging: Logging
  readonly newId: IdSource
  close(): void
}

export interface OpenOptions {
  readonly configDirectory: string | undefined
  /** Log lines go to standard error too. */
  readonly stderr: boolean
}

/** S0.42-44. @throws AppError naming what is wrong with the configuration, the enrolment or a directory */
export async function openAgent({ configDirectory, stderr }: OpenOptions): Promise<OpenAgent> {
  const setup = await loadSetup(findConfigDirectory(configDirectory))
  for (const directory of [setup.state.directory, setup.state.runs, setup.state.spool, setup.logDirectory]) {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw explainFileError(error, directory)
    })
  }
  const logging = openLogging(setup, stderr)
  const clock = systemClock
  const session = await Session.open({ setup, clock, logger: logging.logger })
  return { setup, session, clock, logging, newId: createIdSource(clock), close: () => logging.close() }
}

function openLogging(setup: AgentSetup, stderr: boolean): Logging {
  const file = join(setup.logDirectory, 'agent.log')
  try {
    const logging = createLogging({ level: 'info', file, stderr })
    const passwordFile = setup.config.ssh.provisioner_password_file
    if (passwordFile !== null) registerPassword(logging, passwordFile)
    return logging
  } catch (error) {
    throw explainFileError(error, file)
  }
}

function registerPassword(logging: Logging, path: string): void {
  try {
    logging.registerSecret(readFileSync(path, 'utf8').trim())
  } catch {
    // Said where it is needed.
  }
}

/** Whoever typed the command. */
export function whoAmI(): string {
  return `${userInfo().username}@${hostname()}`
}

export interface RunWish {
  readonly key?: string
  readonly requestedBy: string
  /** Lifts this safety stop of the halted run. */
  readonly approve?: HaltReason
  readonly signal: AbortSignal
  readonly onChange?: AgentRuntime['onChange']
}

/**
 * `run`: what a crash left is finished first, under its own run id; then what was asked for. Without a key a run that was
 * taken up again is what was asked for.
 *
 * @throws AppError CONFLICT while a run is halted that this wish does not mean
 */
export async function runOnce(agent: OpenAgent, wish: RunWish): Promise<RunResult> {
  const { setup, session, clock, logging } = agent
  if ((await spooledReports(setup.state.spool)) > 0)
    await sendSpooled(setup.state.spool, session.controlPlane, logging.logger)
  removeOldLogs(setup.logDirectory)
  const runtime: AgentRuntime = {
    setup,
    controlPlane: session.controlPlane,
    clock,
    logging,
    ...(wish.onChange === undefined ? {} : { onChange: wish.onChange }),
  }
  const left = await abandonedRuns(setup.state.runs)
  if (wish.approve !== undefined) return approve(runtime, left, { ...wish, approve: wish.approve })
  const resumed = await resume(runtime, left, wish)
  if (resumed !== null) return resumed
  const key = IdempotencyKey.safeParse(wish.key ?? agent.newId())
  if (!key.success) throw new AppError('INVALID_INPUT', `--key: ${key.error.issues[0]?.message ?? 'not a key'}`)
  const { requestedBy, signal } = wish
  const spec = agentSpecOf(setup.config)
  const record = newRecord({ key: key.data, requestedBy, spec, hostname: hostname(), nowMs: clock.nowMs() })
  return executeRun(runtime, { record, signal })
}

async function approve(
  runtime: AgentRuntime,
  left: readonly JournalRecord[],
  wish: RunWish & { readonly approve: HaltReason },
): Promise<RunResult> {
  const record = left.findLast(({ run }) => run.status === 'halted' && run.halt?.reason === wish.approve)
  if (record === undefined) {
    throw new AppError('PRECONDITION_FAILED', `No run is halted for ${wish.approve}, so there is nothing to approve.`)
  }
  const first = { kind: 'approved', reason: wish.approve, by: wish.requestedBy } as const
  return executeRun(runtime, { record, signal: wish.signal, first })
}

/** @returns what answers the wish already, or null when a new run is to begin */
async function resume(
  runtime: AgentRuntime,
  left: readonly JournalRecord[],
  { key, requestedBy, signal }: RunWish,
): Promise<RunResult | null> {
  for (const record of left) {
    const isWanted = key === undefined ? !isFinal(record.run.status) : record.key === key
    if (record.run.status === 'halted') {
      if (record.key === key) return { kind: 'ended', run: record.run, reported: true, problem: null }
      // A person starts anew instead of approving: the halted run is over.
      const first = { kind: 'cancelRequested', by: requestedBy } as const
      await executeRun(runtime, { record, signal, first })
      continue
    }
    const result = await executeRun(runtime, { record, signal })
    if (isWanted || result.kind !== 'ended') return result
  }
  return null
}

/** True while a run waits for a person. */
export async function haltedRun(setup: AgentSetup): Promise<JournalRecord | null> {
  return (await abandonedRuns(setup.state.runs)).find(({ run }) => run.status === 'halted') ?? null
}
