import { displayName, filesComplainedAbout, type RsyncLine, rsyncSeverity } from '../../../../core/parse/rsync.ts'
import { boundedEvidence, massDelete, runCause, transferIncomplete } from '../../../../core/run/causes.ts'
import { ProgressMeter } from '../../../../core/run/progress.ts'
import { isApproved, mustHaltForDeletes, usualDeleteShare } from '../../../../core/run/safety.ts'
import { severityOf } from '../../../../core/run/severity.ts'
import type { diagnosisOf } from '../../../../core/run/thrown.ts'
import { shellQuote } from '../../../../core/transfer/remoteShell.ts'
import type { RsyncTransfer } from '../../../../core/transfer/rsyncArguments.ts'
import { addMoved, isContent, isDifference, Tally } from '../../../../core/transfer/tally.ts'
import type { DeletePreview, RunProgress, RunSummary } from '../../../../shared/model/run.ts'
import { countFiles } from '../../../transfer/manifest.ts'
import { localDirectory } from '../../../transfer/paths.ts'
import { remoteRsyncProgram } from '../../../transfer/remoteProcess.ts'
import { type RsyncResult, runRsync } from '../../../transfer/rsync.ts'
import { outcomeOf, type StepOutcome } from '../../executor.ts'
import type { TreeContext, TreeDependencies, TreeMemory } from './memory.ts'

type Direction = RunProgress['direction']

interface Step {
  readonly direction: Direction
  readonly dependencies: TreeDependencies
  readonly context: TreeContext
  readonly memory: TreeMemory
}

function legOf({ direction, context }: Pick<Step, 'direction' | 'context'>): {
  readonly local: string
  readonly remote: string
} {
  const { push, pull } = context.plan.spec
  const leg = direction === 'push' ? push : pull
  if (leg === null) throw new Error(`the plan has no ${direction}`)
  return direction === 'push'
    ? { local: localDirectory(leg.source, context.node.name), remote: leg.target }
    : { local: localDirectory(leg.target, context.node.name), remote: leg.source }
}

async function describeTransfer(step: Step): Promise<RsyncTransfer> {
  const { context, dependencies, memory, direction } = step
  const { local, remote } = legOf(step)
  const { sshCommand, hostAlias } = await dependencies.openSsh.prepare(context.node, 'automation')
  return {
    direction,
    localDirectory: local,
    remoteDirectory: remote,
    excludes: context.plan.spec.excludes,
    bandwidthKiBps: context.plan.spec.bandwidthKiBps,
    access: { sshCommand, hostAlias },
    remoteProgram: remoteRsyncProgram(context.run.id),
    deletes: null,
    dryRun: false,
    checksum: memory.compareContent,
    listEqual: direction === 'pull',
    replaceTogether: !memory.receiverWasEmpty[direction],
  }
}

/** Bytes that a transfer would move, by asking rsync. */
export async function measureTransfer(direction: Direction, step: Omit<Step, 'direction'>): Promise<number> {
  const transfer = { ...(await describeTransfer({ ...step, direction })), dryRun: true, listEqual: false }
  const tally = new Tally()
  const result = await runRsync({
    transfer,
    signal: step.context.signal,
    onLine: (line) => tally.take(line),
  })
  const known = tally.stats.has('Total transferred file size')
  return result.exitCode === 0 || known ? tally.stat('Total transferred file size') : 0
}

/**
 * What rsync would still do after a transfer, deletes included; null when it could not say. Lists both trees once
 * more, so it is asked only where a sample cannot tell.
 */
export async function leftToDo(direction: Direction, step: Omit<Step, 'direction'>): Promise<string[] | null> {
  const { delete: deletes } = step.context.plan.spec
  const described = await describeTransfer({ ...step, direction })
  const transfer = { ...described, dryRun: true, listEqual: false, deletes: deletes ? { atMost: null } : null }
  const left: string[] = []
  step.context.log(`last dry run: is anything left to do (${direction})?`)
  const result = await runRsync({
    transfer,
    signal: step.context.signal,
    onLine: (line) => {
      if ((line.kind === 'item' || line.kind === 'delete') && isDifference(line)) left.push(displayName(line.name))
    },
  })
  return result.exitCode === 0 ? left : null
}

/** PUSH_SYNC and PULL_SYNC: a dry run first when deletes are on, then the transfer if there is any (S0.66-72). */
export async function transferStep(step: Step): Promise<StepOutcome> {
  const transfer = await describeTransfer(step)
  step.memory.nothingToDo[step.direction] = false
  if (!step.context.plan.spec.delete) return runTransfer(step, transfer)
  const preview = await previewDeletes(step, transfer)
  if ('outcome' in preview) return preview.outcome
  if (preview.nothingToDo !== null) return preview.nothingToDo()
  return runTransfer(step, { ...transfer, deletes: { atMost: preview.deletes } })
}

/** What the real run may delete at most, or why there will be none. */
async function previewDeletes(
  step: Step,
  transfer: RsyncTransfer,
): Promise<
  { readonly deletes: number; readonly nothingToDo: (() => StepOutcome) | null } | { readonly outcome: StepOutcome }
> {
  const { context, dependencies } = step
  const tally = new Tally()
  const entries: TreeMemory['pullEntries'] = []
  context.log('dry run first: the plan deletes')
  const result = await runRsync({
    transfer: { ...transfer, dryRun: true, deletes: { atMost: null } },
    signal: context.signal,
    onLine: (line) => {
      tally.take(line)
      if (line.kind === 'item' && isContent(line)) entries.push({ type: line.type, name: line.name })
    },
  })
  const problem = judge(step, result, { allowPartial: true })
  if (problem !== null) return { outcome: problem }
  const shares = await dependencies.store.recentDeleteShares(context.plan.id, context.node.id, 20)
  const preview: DeletePreview = {
    filesDeleted: tally.filesDeleted,
    filesOnTarget: await filesOnTarget(step, transfer, tally),
    usualShare: usualDeleteShare(shares),
    sample: tally.deletedPaths,
  }
  context.log(
    `would delete ${tally.filesDeleted} of ${preview.filesOnTarget} files, and ${tally.directoriesDeleted} directories`,
  )
  const allowed =
    isApproved(context.run.approvals, 'mass-delete', {
      planRevision: context.run.planRevision,
      state: context.run.state,
      filesDeleted: preview.filesDeleted,
    }) || !mustHaltForDeletes(preview, context.plan.spec.deleteLimits)
  if (allowed) {
    const unchanged = result.exitCode === 0 && tally.changes === 0
    return {
      deletes: tally.filesDeleted + tally.directoriesDeleted,
      nothingToDo: unchanged ? () => doneWithoutTransfer(step, { result, tally, entries }) : null,
    }
  }
  const receiver = step.direction === 'push' ? context.node.name : 'this machine'
  return {
    outcome: { kind: 'halt', reason: 'mass-delete', diagnosis: massDelete(preview, receiver), deletePreview: preview },
  }
}

/** In a pull what the node says of our directory counts for nothing: its word could make any share look small. */
async function filesOnTarget({ direction, context }: Step, transfer: RsyncTransfer, tally: Tally): Promise<number> {
  if (direction === 'push') return tally.existing + tally.filesDeleted
  return tally.filesDeleted === 0
    ? tally.existing
    : countFiles(transfer.localDirectory, transfer.excludes, { signal: context.signal })
}

/** The dry run has looked at everything: a transfer would do no more than look again. */
function doneWithoutTransfer(
  { direction, context, memory }: Step,
  seen: { readonly result: RsyncResult; readonly tally: Tally; readonly entries: TreeMemory['pullEntries'] },
): StepOutcome {
  context.log('nothing to send and nothing to delete: 0 files transferred, no second rsync')
  memory.nothingToDo[direction] = true
  if (direction === 'pull') memory.pullEntries = seen.entries
  const summary = addToSummary(context.run.summary, seen.tally)
  return { kind: 'done', patch: { summary, warnings: warningsOf(seen.result, seen.tally) } }
}

async function runTransfer(step: Step, transfer: RsyncTransfer): Promise<StepOutcome> {
  const { context, memory, direction } = step
  const tally = new Tally()
  if (direction === 'pull') memory.pullEntries = []
  const report = progressReporter(step)
  const result = await runRsync({
    transfer,
    signal: context.signal,
    onArguments: (args) => context.log(`$ rsync ${args.map(shellQuote).join(' ')}`),
    onOutput: context.output,
    onLine: (line) => {
      tally.take(line)
      remember(step, line)
      report(line)
    },
  })
  context.log(`rsync ended with exit code ${result.exitCode}`)
  const problem = judge(step, result, { allowPartial: false })
  const summary = addToSummary(context.run.summary, tally)
  if (problem !== null) return { ...problem, patch: { summary } }
  return { kind: 'done', patch: { summary, warnings: warningsOf(result, tally) } }
}

function remember({ direction, memory }: Step, line: RsyncLine): void {
  if (line.kind !== 'item' || !isContent(line)) return
  const changed = !line.change.startsWith('.')
  if (direction === 'push') {
    if (changed) memory.sent.add(line.name)
    return
  }
  memory.pullEntries.push({ type: line.type, name: line.name })
  if (changed) memory.received.add(line.name)
}

/** Figures of rsync's own progress line. Its percentage is of the whole tree, equal files included. */
function progressReporter({ direction, context, dependencies }: Step): (line: RsyncLine) => void {
  const meter = new ProgressMeter(direction)
  let files = 0
  return (line) => {
    if (line.kind !== 'progress') return
    files = line.filesDone ?? files
    const totalBytes = line.percent === 0 ? null : Math.max(line.bytes, Math.round((line.bytes * 100) / line.percent))
    context.progress(meter.measure({ bytes: line.bytes, totalBytes, files }, dependencies.clock.monotonicMs()))
  }
}

/** Null when the exit code is no reason to stop. */
function judge(step: Step, result: RsyncResult, options: { readonly allowPartial: boolean }): StepOutcome | null {
  const { context, dependencies } = step
  const severity = rsyncSeverity(result.exitCode)
  if (severity === 'ok' || severity === 'warning') return null
  if (severity === 'partial' && options.allowPartial) return null
  if (severity === 'delete-limit')
    return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: moreDeletesThanSeen(step) }
  const diagnosis = dependencies.diagnose(context.node, {
    program: 'rsync',
    exitCode: result.exitCode,
    stderr: result.stderr,
  })
  if (severity === 'partial') {
    const names = filesComplainedAbout(result.stderr)
    // A full or read-only disk explains every file; everything else is a matter of the files.
    if (diagnosis.code === 'REMOTE_DISK_FULL' || diagnosis.code === 'REMOTE_READ_ONLY')
      return outcomeOf(onRightSide(step, diagnosis))
    return { kind: 'retry', diagnosis: transferIncomplete(names, diagnosis.evidence) }
  }
  if (severity === 'retryable' && diagnosis.code !== 'REMOTE_COMMAND_FAILED')
    return outcomeOf(onRightSide(step, diagnosis))
  const failed = {
    ...diagnosis,
    code: diagnosis.code === 'REMOTE_COMMAND_FAILED' ? ('TRANSFER_FAILED' as const) : diagnosis.code,
  }
  if (severity === 'retryable') return { kind: 'retry', diagnosis: { ...failed, transient: true } }
  return severityOf(failed.code) === 'halt'
    ? outcomeOf(failed)
    : { kind: 'fatal', diagnosis: onRightSide(step, failed) }
}

/** In a pull the disk that is full is ours. */
function onRightSide({ direction }: Step, diagnosis: StepOutcomeDiagnosis): StepOutcomeDiagnosis {
  if (direction !== 'pull' || diagnosis.code !== 'REMOTE_DISK_FULL') return diagnosis
  return {
    ...diagnosis,
    code: 'LOCAL_DISK_FULL',
    sentence: 'The disk of this machine is full. Make room, then try again.',
  }
}

type StepOutcomeDiagnosis = ReturnType<typeof diagnosisOf>

function moreDeletesThanSeen({ context }: Step): StepOutcomeDiagnosis {
  return runCause('TRANSFER_INCOMPLETE', {
    sentence: `More would have been deleted on ${context.node.name} than the dry run showed a moment before. Something else changes files there.`,
    short: 'more deletes than seen',
    transient: true,
  })
}

function warningsOf(result: RsyncResult, tally: Tally): TreeContext['run']['warnings'] {
  const warnings: TreeContext['run']['warnings'] = []
  if (result.exitCode === 24) {
    warnings.push({
      code: 'FILES_VANISHED',
      message: 'Files vanished from the source while it was sent.',
      evidence: boundedEvidence(filesComplainedAbout(result.stderr)),
    })
  }
  if (tally.skippedSpecial > 0) {
    warnings.push({
      code: 'SPECIAL_FILES_SKIPPED',
      message: `${tally.skippedSpecial} devices, sockets or pipes were left out.`,
      evidence: [],
    })
  }
  return warnings
}

/** Over both directions and all tries: what lies there counts once, what was moved counts every time. */
function addToSummary(before: RunSummary | null, tally: Tally): RunSummary {
  return {
    ...addMoved(before, tally),
    filesTotal: Math.max(before?.filesTotal ?? 0, tally.stat('Number of files (regular)')),
    bytesTotal: Math.max(before?.bytesTotal ?? 0, tally.stat('Total file size')),
  }
}
