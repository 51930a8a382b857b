import { diagnoseProgram } from '../../core/diagnose/program.ts'
import { filesComplainedAbout, rsyncSeverity } from '../../core/parse/rsync.ts'
import { boundedEvidence, massDelete, runCause, transferIncomplete } from '../../core/run/causes.ts'
import { isApproved, mustHaltForDeletes } from '../../core/run/safety.ts'
import { shellQuote } from '../../core/transfer/remoteShell.ts'
import { addMoved, Tally } from '../../core/transfer/tally.ts'
import { DeleteLimits } from '../../shared/model/plan.ts'
import type { DeletePreview, Run, RunSummary } from '../../shared/model/run.ts'
import { type Direction, type Leg, type StepContext, storageOf } from './context.ts'
import { legsOf, transferOf } from './legs.ts'
import { outcomeOf, type StepOutcome } from './outcome.ts'
import { listLocalTree, type RsyncResult, runRsync } from './rsync.ts'
import { evidenceOf } from './ssh.ts'

const limits = DeleteLimits.parse({})

/** PUSH_SYNC and PULL_SYNC: each directory by rsync, with a dry run first when deletes are on (S0.66-72). */
export async function transferStep(context: StepContext, direction: Direction): Promise<StepOutcome> {
  const legs = legsOf(context.setup, direction)
  if (legs.length === 0) return { kind: 'skipped' }
  let summary: RunSummary | null = context.run.summary
  const warnings: Run['warnings'] = []
  for (const leg of legs) {
    const allowed = context.setup.config.sync.delete ? await previewDeletes(context, leg) : { deletes: null }
    if ('kind' in allowed) return { ...allowed, patch: { ...(summary === null ? {} : { summary }), warnings } }
    const { result, tally } = await transfer(context, leg, allowed.deletes)
    summary = addMoved(summary, tally)
    const problem = judgeExit(context, leg, result, { allowPartial: false })
    if (problem !== null) return { ...problem, patch: { summary, warnings } }
    warnings.push(...warningsOf(result, tally))
  }
  return { kind: 'done', patch: { summary: summary as RunSummary, warnings } }
}

async function transfer(
  context: StepContext,
  leg: Leg,
  deletes: number | null,
): Promise<{ readonly result: RsyncResult; readonly tally: Tally }> {
  const tally = new Tally()
  const result = await runRsync({
    transfer: transferOf(leg, context, { deletes: deletes === null ? null : { atMost: deletes } }),
    lockFile: context.setup.config.lock_file,
    signal: context.signal,
    onArguments: (args) => context.log(`$ rsync ${args.map(shellQuote).join(' ')}`),
    onOutput: context.output,
    onLine: (line) => tally.take(line),
  })
  context.log(`rsync ended with exit code ${result.exitCode}`)
  return { result, tally }
}

/** What the real run may delete at most, or why there will be none (F76, N9). */
async function previewDeletes(context: StepContext, leg: Leg): Promise<{ readonly deletes: number } | StepOutcome> {
  const tally = new Tally()
  context.log(`dry run first, because files are deleted: ${leg.local}`)
  const result = await runRsync({
    transfer: transferOf(leg, context, { dryRun: true, deletes: { atMost: null } }),
    lockFile: context.setup.config.lock_file,
    signal: context.signal,
    onLine: (line) => tally.take(line),
  })
  const problem = judgeExit(context, leg, result, { allowPartial: true })
  if (problem !== null) return problem
  const preview: DeletePreview = {
    filesDeleted: tally.filesDeleted,
    filesOnTarget: await filesOnTarget(context, leg, tally),
    usualShare: null,
    sample: tally.deletedPaths,
  }
  context.log(`would delete ${preview.filesDeleted} of ${preview.filesOnTarget} files`)
  const approved = isApproved(context.run.approvals, 'mass-delete', {
    state: context.run.state,
    filesDeleted: preview.filesDeleted,
  })
  if (approved || !mustHaltForDeletes(preview, limits))
    return { deletes: tally.filesDeleted + tally.directoriesDeleted }
  return haltForDeletes(context, leg, preview)
}

/** In a pull what storage says of our directory counts for nothing: its word could make any share look small. */
async function filesOnTarget({ setup, signal }: StepContext, leg: Leg, tally: Tally): Promise<number> {
  if (leg.direction === 'push') return tally.existing + tally.filesDeleted
  return (await listLocalTree(leg.local, setup.config.sync.excludes, signal)).files
}

function haltForDeletes(context: StepContext, leg: Leg, preview: DeletePreview): StepOutcome {
  const receiver = leg.direction === 'push' ? `${leg.remote} on ${storageOf(context).name}` : leg.local
  const diagnosis = massDelete(preview, receiver)
  const sentence = `${diagnosis.sentence} To approve, on this machine: lockstep-agent run --approve mass-delete`
  return { kind: 'halt', reason: 'mass-delete', diagnosis: { ...diagnosis, sentence }, deletePreview: preview }
}

/** Null when the exit code of rsync is no reason to stop (S0.66, S0.67, S0.73). */
export function judgeExit(
  context: StepContext,
  leg: Leg,
  result: RsyncResult,
  options: { readonly allowPartial: boolean },
): StepOutcome | null {
  const severity = rsyncSeverity(result.exitCode)
  if (severity === 'ok' || severity === 'warning') return null
  if (severity === 'partial' && options.allowPartial) return null
  if (severity === 'delete-limit')
    return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: moreDeletesThanSeen(leg) }
  const evidence = evidenceOf(context, 'rsync', result.exitCode, result.stderr)
  const found = diagnoseProgram(storageOf(context), evidence)
  const isDisk = found.code === 'REMOTE_DISK_FULL' || found.code === 'REMOTE_READ_ONLY'
  if (isDisk) return { kind: 'fatal', diagnosis: onRightSide(leg, found) }
  if (severity === 'partial') {
    return { kind: 'retry', diagnosis: transferIncomplete(filesComplainedAbout(result.stderr), found.evidence) }
  }
  const diagnosis = found.code === 'REMOTE_COMMAND_FAILED' ? { ...found, code: 'TRANSFER_FAILED' as const } : found
  return severity === 'fatal' ? { kind: 'fatal', diagnosis } : outcomeOf(diagnosis)
}

/** In a pull the disk that is full is ours. */
function onRightSide({ direction }: Leg, diagnosis: ReturnType<typeof diagnoseProgram>) {
  if (direction === 'push' || diagnosis.code !== 'REMOTE_DISK_FULL') return diagnosis
  const sentence = 'The disk of this machine is full. Make room, then try again.'
  return { ...diagnosis, code: 'LOCAL_DISK_FULL' as const, sentence }
}

const moreDeletesThanSeen = (leg: Leg) =>
  runCause('TRANSFER_INCOMPLETE', {
    sentence: `More would have been deleted in ${leg.direction === 'push' ? leg.remote : leg.local} than the dry run showed a moment before. Something else changes files there.`,
    short: 'more deletes than seen',
    transient: true,
  })

function warningsOf(result: RsyncResult, tally: Tally): Run['warnings'] {
  const vanished = {
    code: 'FILES_VANISHED',
    message: 'Files vanished from the source while it was sent.',
    evidence: boundedEvidence(filesComplainedAbout(result.stderr)),
  }
  const skipped = {
    code: 'SPECIAL_FILES_SKIPPED',
    message: `${tally.skippedSpecial} devices, sockets or pipes were left out.`,
    evidence: [],
  }
  return [...(result.exitCode === 24 ? [vanished] : []), ...(tally.skippedSpecial > 0 ? [skipped] : [])]
}
