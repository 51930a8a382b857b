import type { RsyncLine } from '../../../../core/parse/rsync.ts'
import type { RsyncTransfer } from '../../../../core/transfer/rsyncArguments.ts'
import { isContent, type Tally } from '../../../../core/transfer/tally.ts'
import type { RunProgress } from '../../../../shared/model/run.ts'
import { countFiles } from '../../../transfer/manifest.ts'
import { localDirectory } from '../../../transfer/paths.ts'
import type { StepOutcome } from '../../executor.ts'
import { warningsOf } from '../transfer/judge.ts'
import * as shared from '../transfer/transfer.ts'
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
  const { context, memory, direction } = step
  const { local, remote } = legOf(step)
  return {
    direction,
    localDirectory: local,
    remoteDirectory: remote,
    excludes: context.plan.spec.excludes,
    bandwidthKiBps: context.plan.spec.bandwidthKiBps,
    ...(await shared.accessOf(step)),
    deletes: null,
    dryRun: false,
    checksum: memory.compareContent,
    listEqual: direction === 'pull',
    replaceTogether: !memory.receiverWasEmpty[direction],
  }
}

/** Bytes that a transfer would move. */
export async function measureTransfer(direction: Direction, without: Omit<Step, 'direction'>): Promise<number> {
  const step = { ...without, direction }
  return shared.measureTransfer(step, await describeTransfer(step))
}

/** What rsync would still do after a transfer, deletes included; null when it could not say. */
export async function leftToDo(direction: Direction, without: Omit<Step, 'direction'>): Promise<string[] | null> {
  const step = { ...without, direction }
  const deletes = step.context.plan.spec.delete ? { atMost: null } : null
  return shared.leftToDo(step, { ...(await describeTransfer(step)), deletes })
}

/** PUSH_SYNC and PULL_SYNC: a dry run first when deletes are on, then the transfer if there is any (S0.66-72). */
export async function transferStep(step: Step): Promise<StepOutcome> {
  const transfer = await describeTransfer(step)
  step.memory.nothingToDo[step.direction] = false
  if (!step.context.plan.spec.delete) return runTransfer(step, transfer)
  const entries: TreeMemory['pullEntries'] = []
  const preview = await shared.previewDeletes(step, transfer, {
    limits: step.context.plan.spec.deleteLimits,
    filesOnTarget: (tally) => filesOnTarget(step, transfer, tally),
    onLine: (line) => {
      if (line.kind === 'item' && isContent(line)) entries.push({ type: line.type, name: line.name })
    },
  })
  if (preview.outcome !== null) return preview.outcome
  if (preview.unchanged) return doneWithoutTransfer(step, { ...preview, entries })
  return runTransfer(step, { ...transfer, deletes: { atMost: preview.deletes } })
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
  seen: Pick<shared.Moved, 'result' | 'tally'> & { readonly entries: TreeMemory['pullEntries'] },
): StepOutcome {
  context.log('nothing to send and nothing to delete: 0 files transferred, no second rsync')
  memory.nothingToDo[direction] = true
  if (direction === 'pull') memory.pullEntries = seen.entries
  const summary = shared.addToSummary(context.run.summary, seen.tally)
  return { kind: 'done', patch: { summary, warnings: warningsOf(seen.result, seen.tally) } }
}

async function runTransfer(step: Step, transfer: RsyncTransfer): Promise<StepOutcome> {
  if (step.direction === 'pull') step.memory.pullEntries = []
  const moved = await shared.moveTree(step, transfer, (line) => remember(step, line))
  return moved.outcome
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
