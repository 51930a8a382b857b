import { type Attempt, isFinal, type Run, type RunState } from '../../../shared/model/run.ts'
import { formatCount } from '../../components/format.ts'

/** What a state is called on the track; the name of the machine's state is on hover. */
export const stateWords: Readonly<Record<RunState, string>> = {
  INIT: 'init',
  ENSURE_CERT: 'certificate',
  ACQUIRE_LOCK: 'lock',
  REGISTER_RUN: 'register',
  PRE_FLIGHT_CHECK: 'preflight',
  PUSH_SYNC: 'push',
  PULL_SYNC: 'pull',
  VERIFY: 'verify',
  REPORT: 'report',
  FINALIZE: 'finalize',
  FAILED: 'failed',
}

export const attemptWords: Readonly<Record<Attempt['status'], string>> = {
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
  halted: 'held back',
  interrupted: 'interrupted',
}

/** `0.2 %`, `40 %`; a share of 0 to 1. */
export function formatShare(share: number): string {
  const percent = share * 100
  return `${percent === 0 || percent >= 10 ? Math.round(percent) : percent.toPrecision(1)} %`
}

/** Why a run waits for a person. The figures of a dry run say more than any name for the stop. */
export function haltSentence(run: Run): string {
  const { halt } = run
  if (halt === null) return ''
  const preview = halt.deletePreview
  if (halt.reason !== 'mass-delete' || preview === null) return halt.diagnosis.sentence
  const usual = preview.usualShare === null ? '' : ` (usually ${formatShare(preview.usualShare)})`
  return `Held back: this push would delete ${formatCount(preview.filesDeleted)} of ${formatCount(preview.filesOnTarget)} files${usual}. Nothing was changed.`
}

/** Time from the start to the end, or until now. Null before it has started. */
export function runDurationMs(run: Run, nowMs: number): number | null {
  if (run.startedAt === null) return null
  return Math.max(0, (run.finishedAt ?? nowMs) - run.startedAt)
}

/** A few words on where a run stands, for one cell of a table. */
export function runReason(run: Run): string {
  if (run.status === 'halted') return run.halt?.diagnosis.short ?? 'held back'
  if (run.status === 'failed') return run.failure?.short ?? 'failed'
  if (run.status === 'canceled') return run.cancellation?.stopConfirmed === false ? 'stop not confirmed' : ''
  if (run.status === 'running') return stateWords[run.state]
  if (run.warnings.length > 0) return run.warnings[0]?.message ?? ''
  return ''
}

/** Its agent does the work: from here it can be watched and asked to stop, and nothing else. */
export const isAgentRun = ({ trigger }: Pick<Run, 'trigger'>): boolean => trigger === 'agent'

/** Said of a canceled run, and true: that nothing runs any more is only claimed when it was proven. */
export function cancellationSentence(run: Run): string | null {
  const { cancellation } = run
  if (cancellation === null) return null
  if (isAgentRun(run) && !isFinal(run.status))
    return `${cancellation.by} asked the agent on ${run.nodeName} to stop. It hears that with its next report, stops by itself and says so.`
  if (cancellation.stopConfirmed === true)
    return `Canceled by ${cancellation.by}. Stop confirmed: nothing of it runs on ${run.nodeName} any more.`
  if (cancellation.stopConfirmed === false) {
    return `Canceled by ${cancellation.by}. Stop not confirmed: ${run.nodeName} could not be asked whether its part has ended. It may still be writing.`
  }
  return `${cancellation.by} asked to stop. Waiting for proof that nothing runs on ${run.nodeName} any more.`
}
