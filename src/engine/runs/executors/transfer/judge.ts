import { filesComplainedAbout, rsyncSeverity } from '../../../../core/parse/rsync.ts'
import { boundedEvidence, runCause, transferIncomplete } from '../../../../core/run/causes.ts'
import { severityOf } from '../../../../core/run/severity.ts'
import type { Tally } from '../../../../core/transfer/tally.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { RsyncResult } from '../../../transfer/rsync.ts'
import { outcomeOf, type StepOutcome } from '../../executor.ts'
import type { TransferStep } from './step.ts'

/** Null when the exit code is no reason to stop. */
export function judge(
  step: TransferStep,
  result: RsyncResult,
  options: { readonly allowPartial: boolean },
): StepOutcome | null {
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
function onRightSide({ direction }: TransferStep, diagnosis: Diagnosis): Diagnosis {
  if (direction !== 'pull' || diagnosis.code !== 'REMOTE_DISK_FULL') return diagnosis
  return {
    ...diagnosis,
    code: 'LOCAL_DISK_FULL',
    sentence: 'The disk of this machine is full. Make room, then try again.',
  }
}

function moreDeletesThanSeen({ context }: TransferStep): Diagnosis {
  return runCause('TRANSFER_INCOMPLETE', {
    sentence: `More would have been deleted on ${context.node.name} than the dry run showed a moment before. Something else changes files there.`,
    short: 'more deletes than seen',
    transient: true,
  })
}

/** What an rsync that ended well has left out. */
export function warningsOf(result: RsyncResult, tally: Tally): Run['warnings'] {
  const warnings: Run['warnings'] = []
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
