import type { ErrorCode } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { DeletePreview } from '../../shared/model/run.ts'
import { deleteShare } from './safety.ts'

/*
 * The causes a run finds out by itself, in words. What ssh and rsync complain about is named by `core/diagnose`.
 */

const editPlan = { kind: 'edit-plan', label: 'Edit the plan' } as const
const resync = { kind: 'resync', label: 'Try again' } as const
const approve = { kind: 'approve-deletes', label: 'Look and approve' } as const
const none = { kind: 'none', label: '' } as const

interface Words {
  readonly sentence: string
  readonly short: string
  readonly evidence?: readonly string[]
  readonly nextAction?: Diagnosis['nextAction']
  readonly transient?: boolean
}

const mostLines = 100
const longestLine = 1_000

/** A node may say as much as it likes; what is kept with the run, the node and every event about them is bounded. */
export function boundedEvidence(lines: readonly string[]): string[] {
  const kept = lines.slice(0, mostLines)
  const bounded = kept.map((line) => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line))
  return lines.length > mostLines ? [...bounded, `and ${lines.length - mostLines} lines more`] : bounded
}

/** One cause with its words; not transient and without evidence unless said. */
export function runCause(
  code: ErrorCode,
  { sentence, short, evidence = [], nextAction = resync, transient = false }: Words,
): Diagnosis {
  return { code, sentence, short, evidence: boundedEvidence(evidence), nextAction, transient }
}

export const sourceMissing = (directory: string, evidence: readonly string[] = []): Diagnosis =>
  runCause('SOURCE_MISSING', {
    sentence: `The source ${directory} does not exist or cannot be read completely. Correct the plan or the source.`,
    short: 'source missing',
    evidence,
    nextAction: editPlan,
  })

export const sourceNotADirectory = (directory: string): Diagnosis =>
  runCause('SOURCE_NOT_A_DIRECTORY', {
    sentence: `The source ${directory} is not a directory. Only directories are synced; name the directory it lies in.`,
    short: 'source not directory',
    nextAction: editPlan,
  })

export const sourceEmpty = (directory: string, receiver: string): Diagnosis =>
  runCause('PRECONDITION_FAILED', {
    sentence: `The source ${directory} holds no files, but ${receiver} does. An unmounted disk looks like this. Check the source, or approve if it is meant.`,
    short: 'source is empty',
    nextAction: approve,
  })

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`

export function massDelete(preview: DeletePreview, receiver: string): Diagnosis {
  const usual = preview.usualShare === null ? '' : ` Usual is ${percent(preview.usualShare)}.`
  const counts = `${preview.filesDeleted} of ${preview.filesOnTarget} files (${percent(deleteShare(preview))})`
  return runCause('PRECONDITION_FAILED', {
    sentence: `This run would delete ${counts} on ${receiver}.${usual} Look at the list, then approve or cancel.`,
    short: 'would delete much',
    evidence: preview.sample.slice(0, 20),
    nextAction: approve,
  })
}

export const sourceChanged = (names: readonly string[]): Diagnosis =>
  runCause('SOURCE_CHANGED', {
    sentence:
      'The source changed while it was sent, so nothing can be proven. Run it again when the source is at rest.',
    short: 'source changed',
    evidence: names,
    transient: true,
  })

export const verifyMismatch = (nodeName: string, names: readonly string[]): Diagnosis =>
  runCause('VERIFY_MISMATCH', {
    sentence: `What ${nodeName} has is not what was sent: ${names.length} checked ${names.length === 1 ? 'file differs or is' : 'files differ or are'} missing. Something else writes there, or its disk fails.`,
    short: 'content differs',
    evidence: names,
  })

export const countDiffers = (
  nodeName: string,
  count: { readonly expected: number; readonly found: number },
): Diagnosis =>
  runCause('VERIFY_MISMATCH', {
    sentence: `${nodeName} holds ${count.found} files and links where ${count.expected} were sent. Something else writes there.`,
    short: 'other files there',
    evidence: [`sent ${count.expected}`, `found ${count.found}`],
  })

export const transferIncomplete = (names: readonly string[], evidence: readonly string[]): Diagnosis =>
  runCause('TRANSFER_INCOMPLETE', {
    sentence: `rsync could not transfer everything${names.length === 0 ? '' : `: ${names.length} ${names.length === 1 ? 'file' : 'files'}, first ${names[0]}`}. Correct the permissions or exclude them.`,
    short: 'files not transferred',
    evidence: [...names, ...evidence],
    transient: true,
  })

export const diskFull = (where: string, needBytes: number, freeBytes: number, local: boolean): Diagnosis =>
  runCause(local ? 'LOCAL_DISK_FULL' : 'REMOTE_DISK_FULL', {
    sentence: `${where} has ${megabytes(freeBytes)} free, and ${megabytes(needBytes)} are to come. Make room there, then try again.`,
    short: 'disk full',
  })

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`

export const noisyShell = (nodeName: string, lines: readonly string[]): Diagnosis =>
  runCause('SHELL_REFUSED', {
    sentence: `The login shell of ${nodeName} prints text of its own, which breaks rsync. Remove it from the start files of that user.`,
    short: 'shell prints text',
    evidence: lines,
    nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
  })

export const unsafeTarget = (nodeName: string, resolved: string): Diagnosis =>
  runCause('REMOTE_PATH_INVALID', {
    sentence: `The target on ${nodeName} is really ${resolved}, which must not be overwritten as a whole. Name a directory of its own.`,
    short: 'target not safe',
    nextAction: editPlan,
  })

export const stopNotConfirmed = (nodeName: string, evidence: readonly string[]): Diagnosis =>
  runCause('STOP_NOT_CONFIRMED', {
    sentence: `It is not proven that everything stopped on ${nodeName}. Look there before you start another run.`,
    short: 'stop not confirmed',
    evidence,
    nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
  })

export const canceledMidway = (by: string): Diagnosis =>
  runCause('CANCELED', {
    sentence: `${by} canceled the last run before it was verified, so nothing proves what is there now. Run it again.`,
    short: 'canceled midway',
  })

export const overwrittenBy = (node: { readonly name: string }, planName: string, otherName: string): Diagnosis =>
  runCause('REMOTE_FILE_CHANGED', {
    sentence: `The plan "${otherName}" has written on ${node.name} where "${planName}" was proven before. Give each of them a place of its own.`,
    short: 'overwritten by plan',
    evidence: [`${otherName} wrote over ${planName}`],
    nextAction: editPlan,
  })

export const planGone = (planName: string): Diagnosis =>
  runCause('NOT_FOUND', {
    sentence: `The plan "${planName}" or the node was removed, or the plan does not select the node any more.`,
    short: 'plan is gone',
    nextAction: none,
  })

/** Anything else that was thrown, as a cause. */
export const unexpected = (code: ErrorCode, message: string, evidence: readonly string[] = []): Diagnosis =>
  runCause(code, {
    sentence: message,
    short: code === 'INTERNAL' ? 'internal error' : code.toLowerCase().split('_').slice(0, 4).join(' '),
    evidence,
  })
