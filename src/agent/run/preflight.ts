import { lookup } from 'node:dns/promises'
import { constants } from 'node:fs'
import { access, mkdir, readdir, realpath, stat, statfs } from 'node:fs/promises'
import { homedir } from 'node:os'
import type { StorageDirectory, StorageFacts } from '../../core/agent/remoteFacts.ts'
import { diagnoseProgram } from '../../core/diagnose/program.ts'
import {
  diskFull,
  runCause,
  sourceEmpty,
  sourceMissing,
  sourceNotADirectory,
  unexpected,
  unsafeTarget,
} from '../../core/run/causes.ts'
import { isApproved, mustHaltForEmptySource } from '../../core/run/safety.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { Tally } from '../../core/transfer/tally.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { Run } from '../../shared/model/run.ts'
import { type Leg, type StepContext, storageOf } from './context.ts'
import { legsOf, transferOf } from './legs.ts'
import type { StepOutcome } from './outcome.ts'
import { listLocalTree, runRsync } from './rsync.ts'
import { askStorage } from './ssh.ts'
import { judgeExit } from './transfer.ts'

/** Less than this, and neither journal nor logs can be kept. */
const leastFreeBytes = 8 * 1024 * 1024
/** A clock further off than this is worth a word: certificates and file times depend on it. */
const tolerableSkewMs = 60_000

/** Thrown by a check that did not pass; every one of them is non-negotiable (S0.61). */
class CheckFailed extends Error {
  readonly outcome: StepOutcome
  constructor(outcome: StepOutcome) {
    super('a pre-flight check failed')
    this.outcome = outcome
  }
}

const refuse = (diagnosis: Diagnosis): never => {
  throw new CheckFailed({ kind: 'fatal', diagnosis })
}

/** PRE_FLIGHT_CHECK: disk, access, name, login; whatever fails ends the run (S0.61-65). */
export async function preflight(context: StepContext): Promise<StepOutcome> {
  try {
    await checkOwnDisk(context)
    await checkLocalSources(context)
    await checkLocalTargets(context)
    await resolveStorage(context)
    const asked = await askStorage(context)
    const warnings = asked === null ? [await checkWithoutCommands(context)] : await checkStorage(context, asked)
    await checkPullSpace(context)
    return { kind: 'done', patch: { warnings } }
  } catch (error) {
    if (error instanceof CheckFailed) return error.outcome
    return { kind: 'fatal', diagnosis: diagnosisOf(error) }
  }
}

/** S0.62, this machine. */
async function checkOwnDisk({ setup, log }: StepContext): Promise<void> {
  const { bavail, bsize } = await statfs(setup.state.directory)
  const free = bavail * bsize
  if (free < leastFreeBytes) refuse(diskFull('This machine', leastFreeBytes, free, true))
  log(`free here: ${Math.floor(free / 1_048_576)} MiB`)
}

/** S0.63, S0.69: sources are directories that can be listed completely. */
async function checkLocalSources(context: StepContext): Promise<void> {
  const { setup, memory, signal, log } = context
  memory.sources = []
  for (const leg of legsOf(setup, 'push')) {
    const stats = await stat(leg.local).catch(() => null)
    if (stats === null) refuse(sourceMissing(leg.local))
    else if (!stats.isDirectory()) refuse(sourceNotADirectory(leg.local))
    const tree = await listLocalTree(leg.local, setup.config.sync.excludes, signal)
    memory.sources.push(tree)
    log(`source ${leg.local}: ${tree.files} files, ${tree.bytes} bytes`)
  }
}

async function checkLocalTargets({ setup, memory }: StepContext): Promise<void> {
  memory.receiverWasEmpty.pull = []
  for (const { local } of legsOf(setup, 'pull')) {
    try {
      await mkdir(local, { recursive: true })
      await access(local, constants.W_OK | constants.X_OK)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      refuse(
        unexpected('PRECONDITION_FAILED', `The directory ${local} cannot be written. Correct its permissions.`, [
          reason,
        ]),
      )
    }
    if (await holdsHome(local)) {
      refuse(
        unexpected('PRECONDITION_FAILED', `${local} is a home directory or holds one. Name a directory of its own.`),
      )
    }
    memory.receiverWasEmpty.pull.push((await readdir(local)).length === 0)
  }
}

async function holdsHome(directory: string): Promise<boolean> {
  const [target, home] = await Promise.all([realpath(directory), realpath(homedir())])
  return target === '/' || target === home || home.startsWith(`${target}/`)
}

/** S0.64. */
async function resolveStorage(context: StepContext): Promise<void> {
  const { address } = storageOf(context)
  try {
    const { address: found } = await lookup(address)
    context.log(`${address} is ${found}`)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    refuse(
      unexpected(
        'NAME_NOT_RESOLVED',
        `The name of storage was not found: no answer for "${address}". Check DNS and storage.host.`,
        [reason],
      ),
    )
  }
}

/** What storage said about itself, and whether the work can be done there (S0.62, S0.63). */
async function checkStorage(context: StepContext, facts: StorageFacts): Promise<Run['warnings']> {
  const { setup, memory, log } = context
  if (!facts.hasRsync) refuse(complaint(context, 'rsync', 127, 'sh: rsync: not found'))
  const pushes = legsOf(setup, 'push')
  memory.receiverWasEmpty.push = facts.targets.map((target) => target.status === 'ok' && !target.hasFiles)
  for (const [index, target] of facts.targets.entries()) checkTarget(context, target, pushes[index])
  for (const [index, source] of facts.sources.entries())
    checkRemoteSource(context, source, legsOf(setup, 'pull')[index])
  checkEmptySources(context, facts)
  for (const [index, leg] of pushes.entries())
    await checkRemoteSpace(context, leg, facts.targets[index]?.freeBytes ?? null)
  log('storage is ready')
  return clockWarning(context, facts)
}

function complaint(context: StepContext, program: string, exitCode: number, stderr: string): Diagnosis {
  return diagnoseProgram(storageOf(context), { program, exitCode, stderr, nowMs: context.clock.nowMs() })
}

function checkTarget(context: StepContext, target: StorageDirectory, leg: Leg | undefined): void {
  const { name } = storageOf(context)
  if (target.status === 'not-a-directory') {
    refuse(
      runCause('REMOTE_PATH_INVALID', {
        sentence: `The target ${leg?.remote} on ${name} exists and is not a directory. Correct the path.`,
        short: 'target not directory',
      }),
    )
  }
  if (target.status !== 'ok') refuse(complaint(context, 'mkdir', 1, target.complaint))
  if (!target.safe) refuse(unsafeTarget(name, target.resolved))
}

function checkRemoteSource(context: StepContext, source: StorageDirectory, leg: Leg | undefined): void {
  const named = `${leg?.remote} on ${storageOf(context).name}`
  if (source.status === 'missing') refuse(sourceMissing(named))
  if (source.status === 'not-a-directory') refuse(sourceNotADirectory(named))
  if (source.status !== 'ok') refuse(complaint(context, 'ls', 1, source.complaint))
}

/** An emptied mount looks like this (U35). Whatever is not known counts as holding files. */
function checkEmptySources(context: StepContext, facts: Pick<StorageFacts, 'targets' | 'sources'> | null): void {
  const { setup, memory, run } = context
  if (isApproved(run.approvals, 'source-empty')) return
  const { name } = storageOf(context)
  for (const leg of legsOf(setup, 'push')) {
    const sourceFiles = memory.sources[leg.index]?.files ?? 0
    const receiverHasFiles = facts?.targets[leg.index]?.hasFiles ?? true
    if (mustHaltForEmptySource({ sourceFiles, receiverHasFiles })) haltForEmpty(leg.local, `${leg.remote} on ${name}`)
  }
  for (const leg of legsOf(setup, 'pull')) {
    const source = facts?.sources[leg.index]
    if (source === undefined) continue
    const receiverHasFiles = memory.receiverWasEmpty.pull[leg.index] !== true
    if (mustHaltForEmptySource({ sourceFiles: source.hasFiles ? 1 : 0, receiverHasFiles }))
      haltForEmpty(`${leg.remote} on ${name}`, leg.local)
  }
}

function haltForEmpty(source: string, receiver: string): never {
  const diagnosis = sourceEmpty(source, receiver)
  const sentence = `${diagnosis.sentence} To approve, on this machine: lockstep-agent run --approve source-empty`
  throw new CheckFailed({ kind: 'halt', reason: 'source-empty', diagnosis: { ...diagnosis, sentence } })
}

/** Only when the whole tree would not fit, rsync is asked what really has to come (S0.62). */
async function checkRemoteSpace(context: StepContext, leg: Leg, freeBytes: number | null): Promise<void> {
  if (freeBytes === null || (context.memory.sources[leg.index]?.bytes ?? 0) <= freeBytes) return
  const needBytes = await measure(leg, context)
  if (needBytes > freeBytes) refuse(diskFull(storageOf(context).name, needBytes, freeBytes, false))
}

async function checkPullSpace(context: StepContext): Promise<void> {
  for (const leg of legsOf(context.setup, 'pull')) {
    const { bavail, bsize } = await statfs(leg.local)
    const needBytes = await measure(leg, context)
    if (needBytes > bavail * bsize) refuse(diskFull('This machine', needBytes, bavail * bsize, true))
  }
}

/** Bytes that a transfer would move, by asking rsync; a dry run that fails is a failed check. */
async function measure(leg: Leg, context: StepContext): Promise<number> {
  const tally = new Tally()
  const result = await runRsync({
    transfer: transferOf(leg, context, { dryRun: true }),
    lockFile: context.setup.config.lock_file,
    signal: context.signal,
    onLine: (line) => tally.take(line),
  })
  const problem = judgeExit(context, leg, result, { allowPartial: true })
  if (problem !== null && 'diagnosis' in problem) refuse(problem.diagnosis)
  return tally.stat('Total transferred file size')
}

/** The login runs rsync and nothing else: what rsync says in a dry run has to do, and space there stays unknown. */
async function checkWithoutCommands(context: StepContext): Promise<Run['warnings'][number]> {
  context.log('storage runs no commands for us: its free space is not known, access is tried with rsync')
  context.memory.receiverWasEmpty.push = []
  checkEmptySources(context, null)
  for (const leg of legsOf(context.setup, 'push')) await measure(leg, context)
  return {
    code: 'STORAGE_RUNS_NO_COMMANDS',
    message: 'The login on storage runs no commands, so its free disk space could not be checked.',
    evidence: [],
  }
}

function clockWarning({ clock, memory, log }: StepContext, { clockSeconds }: StorageFacts): Run['warnings'] {
  if (clockSeconds === null) return []
  const skewMs = clockSeconds * 1000 - clock.nowMs()
  memory.clockSkewMs = skewMs
  if (Math.abs(skewMs) <= tolerableSkewMs) return []
  const seconds = Math.round(skewMs / 1000)
  const message = `The clock of storage is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}. Set it: certificates and file times depend on it.`
  log(message)
  return [{ code: 'CLOCK_SKEW', message, evidence: [`skew ${skewMs} ms`] }]
}
