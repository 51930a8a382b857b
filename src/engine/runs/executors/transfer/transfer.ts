import { displayName, type RsyncLine } from '../../../../core/parse/rsync.ts'
import { massDelete } from '../../../../core/run/causes.ts'
import { ProgressMeter } from '../../../../core/run/progress.ts'
import { isApproved, mustHaltForDeletes, usualDeleteShare } from '../../../../core/run/safety.ts'
import { shellQuote } from '../../../../core/transfer/remoteShell.ts'
import type { RsyncTransfer } from '../../../../core/transfer/rsyncArguments.ts'
import { addMoved, isDifference, Tally } from '../../../../core/transfer/tally.ts'
import type { DeleteLimits } from '../../../../shared/model/plan.ts'
import type { DeletePreview, RunSummary } from '../../../../shared/model/run.ts'
import { remoteRsyncProgram } from '../../../transfer/remoteProcess.ts'
import { type RsyncResult, runRsync } from '../../../transfer/rsync.ts'
import type { StepOutcome } from '../../executor.ts'
import { judge, warningsOf } from './judge.ts'
import type { TransferStep } from './step.ts'

/** What one rsync came to. */
export interface Moved {
  readonly result: RsyncResult
  readonly tally: Tally
  /** Counted on from what the run had moved before. */
  readonly summary: RunSummary
  readonly outcome: StepOutcome
}

/** How rsync gets to the node, and where the run's own processes can be found there. */
export async function accessOf({
  dependencies,
  context,
}: Pick<TransferStep, 'dependencies' | 'context'>): Promise<Pick<RsyncTransfer, 'access' | 'remoteProgram'>> {
  const { sshCommand, hostAlias } = await dependencies.openSsh.prepare(context.node, 'automation')
  return { access: { sshCommand, hostAlias }, remoteProgram: remoteRsyncProgram(context.run.id) }
}

/** Bytes that a transfer would move, by asking rsync. */
export async function measureTransfer({ context }: TransferStep, transfer: RsyncTransfer): Promise<number> {
  const tally = new Tally()
  const result = await runRsync({
    transfer: { ...transfer, dryRun: true, listEqual: false },
    signal: context.signal,
    onLine: (line) => tally.take(line),
  })
  const known = tally.stats.has('Total transferred file size')
  return result.exitCode === 0 || known ? tally.stat('Total transferred file size') : 0
}

/**
 * What rsync would still do after a transfer, deletes included; null when it could not say. Lists both trees once
 * more, so it is asked only where a sample cannot tell.
 */
export async function leftToDo(step: TransferStep, transfer: RsyncTransfer): Promise<string[] | null> {
  const left: string[] = []
  step.context.log(`last dry run: is anything left to do (${step.direction})?`)
  const result = await runRsync({
    transfer: { ...transfer, dryRun: true, listEqual: false },
    signal: step.context.signal,
    onLine: (line) => {
      if ((line.kind === 'item' || line.kind === 'delete') && isDifference(line)) left.push(displayName(line.name))
    },
  })
  return result.exitCode === 0 ? left : null
}

interface PreviewRequest {
  readonly limits: DeleteLimits
  readonly onLine?: (line: RsyncLine) => void
  /** Files of the receiver, deleted ones included. */
  readonly filesOnTarget: (tally: Tally) => number | Promise<number>
}

/** What a dry run said: so many deletes are allowed, and whether anything is to be done at all. */
export type Preview =
  | {
      readonly outcome: null
      readonly deletes: number
      readonly unchanged: boolean
      readonly result: RsyncResult
      readonly tally: Tally
    }
  | { readonly outcome: StepOutcome }

/** What the real run may delete at most, or why there will be none (F76, N9). */
export async function previewDeletes(
  step: TransferStep,
  transfer: RsyncTransfer,
  request: PreviewRequest,
): Promise<Preview> {
  const { context, dependencies } = step
  const tally = new Tally()
  context.log('dry run first: the plan deletes')
  const result = await runRsync({
    transfer: { ...transfer, dryRun: true, deletes: { atMost: null } },
    signal: context.signal,
    onLine: (line) => {
      tally.take(line)
      request.onLine?.(line)
    },
  })
  const problem = judge(step, result, { allowPartial: true })
  if (problem !== null) return { outcome: problem }
  const shares = await dependencies.store.recentDeleteShares(context.plan.id, context.node.id, 20)
  const preview: DeletePreview = {
    filesDeleted: tally.filesDeleted,
    filesOnTarget: await request.filesOnTarget(tally),
    usualShare: usualDeleteShare(shares),
    sample: tally.deletedPaths,
  }
  context.log(
    `would delete ${tally.filesDeleted} of ${preview.filesOnTarget} files, and ${tally.directoriesDeleted} directories`,
  )
  if (mustHaltForDeletes(preview, request.limits) && !isDeleteApproved(step, preview))
    return { outcome: haltForDeletes(step, preview) }
  const deletes = tally.filesDeleted + tally.directoriesDeleted
  return { outcome: null, deletes, unchanged: result.exitCode === 0 && tally.changes === 0, result, tally }
}

function isDeleteApproved({ context: { run } }: TransferStep, { filesDeleted }: DeletePreview): boolean {
  return isApproved(run.approvals, 'mass-delete', { planRevision: run.planRevision, state: run.state, filesDeleted })
}

function haltForDeletes({ direction, context }: TransferStep, deletePreview: DeletePreview): StepOutcome {
  const receiver = direction === 'push' ? context.node.name : 'this machine'
  return { kind: 'halt', reason: 'mass-delete', diagnosis: massDelete(deletePreview, receiver), deletePreview }
}

/** One rsync that changes something, live in the log of the run. @param names of a transfer that is `onlyNamed` */
export async function moveTree(
  step: TransferStep,
  transfer: RsyncTransfer,
  onLine: (line: RsyncLine) => void,
  names?: Uint8Array,
): Promise<Moved> {
  const { context } = step
  const tally = new Tally()
  const report = progressReporter(step)
  const result = await runRsync({
    transfer,
    ...(names === undefined ? {} : { names }),
    signal: context.signal,
    onArguments: (args) => context.log(`$ rsync ${args.map(shellQuote).join(' ')}`),
    onOutput: context.output,
    onLine: (line) => {
      tally.take(line)
      onLine(line)
      report(line)
    },
  })
  context.log(`rsync ended with exit code ${result.exitCode}`)
  const problem = judge(step, result, { allowPartial: false })
  const summary = addToSummary(context.run.summary, tally)
  const outcome: StepOutcome =
    problem === null
      ? { kind: 'done', patch: { summary, warnings: warningsOf(result, tally) } }
      : { ...problem, patch: { summary } }
  return { result, tally, summary, outcome }
}

/** Figures of rsync's own progress line. Its percentage is of the whole tree, equal files included. */
function progressReporter({ direction, context, dependencies }: TransferStep): (line: RsyncLine) => void {
  const meter = new ProgressMeter(direction)
  let files = 0
  return (line) => {
    if (line.kind !== 'progress') return
    files = line.filesDone ?? files
    const totalBytes = line.percent === 0 ? null : Math.max(line.bytes, Math.round((line.bytes * 100) / line.percent))
    context.progress(meter.measure({ bytes: line.bytes, totalBytes, files }, dependencies.clock.monotonicMs()))
  }
}

/** Over both directions and all tries: what lies there counts once, what was moved counts every time. */
export function addToSummary(before: RunSummary | null, tally: Tally): RunSummary {
  return {
    ...addMoved(before, tally),
    filesTotal: Math.max(before?.filesTotal ?? 0, tally.stat('Number of files (regular)')),
    bytesTotal: Math.max(before?.bytesTotal ?? 0, tally.stat('Total file size')),
  }
}
