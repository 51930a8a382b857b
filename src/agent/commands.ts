import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { text } from 'node:stream/consumers'
import { describeHolder } from '../core/agent/lock.ts'
import { writeFileAtomic } from '../platform/atomicFile.ts'
import { systemClock } from '../platform/clock.ts'
import { parseRootFingerprint } from '../platform/stepCa/pinnedRoot.ts'
import { AppError, assertNever } from '../shared/errors.ts'
import { openAgent, runOnce, whoAmI } from './agent.ts'
import { findConfigDirectory, loadSetup } from './config.ts'
import { type FetchedDelivery, fetchDeliveries } from './deliveries/fetch.ts'
import { formatDoctor, runDoctor } from './doctor.ts'
import { enroll } from './enroll/enroll.ts'
import { exitCodeOfRun, exitCodes } from './exitCodes.ts'
import { trustHostKey } from './hostKeys.ts'
import { layoutOf } from './layout.ts'
import { breakLock, holderFacts, readLock } from './lockFile.ts'
import type { BreakLockOptions, Commands, CommonOptions, DoctorOptions, EnrollOptions, RunOptions } from './program.ts'
import type { RunResult } from './run/agentRun.ts'
import { type JournalRecord, unregisteredId } from './run/journal.ts'
import { serve } from './serve.ts'
import { describeFoundLock, formatStatus, readStatus } from './status.ts'

interface Terminal {
  out(text: string): void
  err(text: string): void
}

/** The commands, over one place to write to and one signal that ends them. */
export function createCommands(terminal: Terminal, signal: AbortSignal): Commands {
  return {
    enroll: (options) => enrollCommand(options, terminal),
    run: (options) => runCommand(options, terminal, signal),
    fetch: (options) => fetchCommand(options, terminal),
    serve: (options) => serveCommand(options, terminal, signal),
    status: (options) => statusCommand(options, terminal),
    doctor: (options) => doctorCommand(options, terminal),
    breakLock: (options) => breakLockCommand(options, terminal),
  }
}

const print = (terminal: Terminal, json: boolean | undefined, value: unknown, text: string): void =>
  terminal.out(json === true ? JSON.stringify(value) : text)

async function enrollCommand(options: EnrollOptions, terminal: Terminal): Promise<number> {
  const configDirectory = findConfigDirectory(options.config)
  const layout = layoutOf(configDirectory)
  const file = await enroll(layout, await joinSecretOf(options), systemClock)
  if (options.caFingerprint !== undefined) {
    await writeFileAtomic(layout.caFingerprint, `${parseRootFingerprint(options.caFingerprint)}\n`, { mode: 0o644 })
  }
  if (options.storageHostKey !== undefined) await trustHostKey(await loadSetup(configDirectory), options.storageHostKey)
  print(
    terminal,
    options.json,
    file,
    `Enrolled at ${file.url} as ${file.nodeName}. Next: write ${layout.configFile}, then lockstep-agent doctor`,
  )
  return exitCodes.ok
}

async function joinSecretOf({ join, joinFile }: EnrollOptions): Promise<string> {
  if (join !== undefined && join !== '-') return join
  const path = joinFile ?? join
  if (path === undefined)
    throw new AppError('INVALID_INPUT', 'Name the join token: --join <token> or --join-file <file>')
  try {
    return path === '-' ? await text(process.stdin) : await readFile(path, 'utf8')
  } catch {
    throw new AppError('INVALID_INPUT', `--join-file: ${path} cannot be read`)
  }
}

async function runCommand(options: RunOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const agent = await openAgent({ configDirectory: options.config, stderr: false })
  try {
    const heartbeat = agent.session.heartbeat({ status: 'idle', nextRunAt: null }).catch((error: unknown) => {
      agent.logging.logger.warn({ err: error }, 'heartbeat')
    })
    const result = await runOnce(agent, {
      requestedBy: whoAmI(),
      signal,
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(options.approve === undefined ? {} : { approve: options.approve }),
      ...(options.json === true ? {} : { onChange: stateTeller(terminal) }),
    })
    await heartbeat
    print(terminal, options.json, jsonOf(result), agent.logging.redact(describeResult(result)))
    return exitCodeOfRun(result)
  } finally {
    agent.close()
  }
}

/** A line on standard error for every state that is entered. */
function stateTeller(terminal: Terminal): (record: JournalRecord) => void {
  let last = ''
  return ({ run }) => {
    const now = `${run.state} ${run.attempts.length}`
    if (now !== last && run.status !== 'queued') terminal.err(run.state)
    last = now
  }
}

function jsonOf(result: RunResult): unknown {
  if (result.kind === 'locked-out') return { lockedOut: true, holder: result.holder }
  const { id, idempotencyKey, status, state, summary, proof, failure, halt, warnings, visits } = result.run
  const reported = result.kind === 'ended' && result.reported
  const problem = result.kind === 'ended' ? result.problem : null
  const run = { runId: id, key: idempotencyKey, status, state, summary, proof, failure, halt, warnings, visits }
  return { lockedOut: false, ...run, reported, problem }
}

function describeResult(result: RunResult): string {
  switch (result.kind) {
    case 'locked-out':
      return `Another agent works: ${describeHolder(result.holder)}. Nothing to do here.`
    case 'interrupted':
      return `Run ${result.run.id} was interrupted; the next start goes on with it.`
    case 'ended':
      return [describeEnd(result.run), ...(result.problem === null ? [] : [result.problem])].join('\n')
    default:
      return assertNever(result)
  }
}

function describeEnd(run: Extract<RunResult, { kind: 'ended' }>['run']): string {
  const { id, status, summary, proof, failure, halt } = run
  if (status === 'succeeded' && proof !== null) {
    const sent = summary === null ? '' : `, ${summary.filesTransferred} sent, ${summary.durationMs} ms`
    return `Run ${id} succeeded: ${proof.filesVerified} files verified${sent}.`
  }
  const sentence = halt?.diagnosis.sentence ?? failure?.sentence
  const which = id === unregisteredId ? 'The run was not registered and has' : `Run ${id}`
  return `${which} ${status}${sentence === undefined ? '.' : `: ${sentence}`}`
}

async function fetchCommand(options: CommonOptions, terminal: Terminal): Promise<number> {
  const agent = await openAgent({ configDirectory: options.config, stderr: false })
  try {
    await agent.session.heartbeat({ status: 'idle', nextRunAt: null })
    const fetched = await fetchDeliveries(agent)
    print(terminal, options.json, { deliveries: fetched }, describeFetched(fetched))
    return fetched.every(({ report }) => report.outcome.status === 'verified') ? exitCodes.ok : exitCodes.failed
  } finally {
    agent.close()
  }
}

function describeFetched(fetched: readonly FetchedDelivery[]): string {
  if (fetched.length === 0)
    return 'Nothing to fetch: no plan of kind routes or hosts selects this machine, or agent.yaml names no file under deliveries.'
  return fetched
    .map(({ planName, file, report: { outcome, revision } }) => {
      if (outcome.status === 'failed') return `${planName}: failed, ${outcome.message}`
      return `${planName}: revision ${revision} is in ${file}, ${outcome.written ? 'written and read back' : 'as it was'}`
    })
    .join('\n')
}

async function serveCommand(options: CommonOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const agent = await openAgent({ configDirectory: options.config, stderr: true })
  try {
    const { schedule } = agent.setup.config.sync
    terminal.err(
      `serving ${agent.setup.layout.configFile}, ${schedule === null ? 'no schedule' : `schedule ${schedule}`}`,
    )
    await serve(agent, signal)
    return exitCodes.ok
  } finally {
    agent.close()
  }
}

async function statusCommand(options: CommonOptions, terminal: Terminal): Promise<number> {
  const status = await readStatus(options.config)
  print(terminal, options.json, status, formatStatus(status))
  return exitCodes.ok
}

async function doctorCommand(options: DoctorOptions, terminal: Terminal): Promise<number> {
  if (options.trust !== undefined) {
    const key = await trustHostKey(await loadSetup(findConfigDirectory(options.config)), options.trust)
    terminal.err(`accepted ${key.keyType} ${key.fingerprint}`)
  }
  const report = await runDoctor(options.config)
  print(terminal, options.json, report, formatDoctor(report))
  return report.diagnosis === null ? exitCodes.ok : exitCodes.failed
}

async function breakLockCommand(options: BreakLockOptions, terminal: Terminal): Promise<number> {
  const { config } = await loadSetup(findConfigDirectory(options.config))
  const found = await readLock(config.lock_file)
  if (found.status === 'held' && holderLivesHere(found) && options.force !== true) {
    throw new AppError(
      'LOCK_HELD',
      `An agent works on this machine (${describeHolder(found.content)}). Stop it first; --force removes the lock all the same.`,
    )
  }
  const broken = await breakLock(config.lock_file)
  print(
    terminal,
    options.json,
    { lockFile: config.lock_file, found: broken },
    describeFoundLock(config.lock_file, broken),
  )
  return exitCodes.ok
}

function holderLivesHere(found: Extract<Awaited<ReturnType<typeof readLock>>, { status: 'held' }>): boolean {
  const facts = holderFacts(found)
  const { process, hostname: host } = found.content
  return host === hostname() && facts.alive && (process === undefined || process === facts.process)
}
