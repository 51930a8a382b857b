import type { Run } from '../../shared/model/run.ts'
import { bad, paintRunStatus, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { durationWords, isoTime, plural, sizeWords } from './words.ts'

const statusCell = (run: Run): Cell => ({ text: run.status, paint: paintRunStatus(run.status) })

/** What there is to say in one line: the proof, the cause, or where it is. */
export function outcomeOf(run: Run): string {
  if (run.failure !== null) return run.failure.sentence
  if (run.halt !== null && run.status === 'halted') return `${run.halt.reason}: ${run.halt.diagnosis.sentence}`
  if (run.cancellation !== null)
    return `by ${run.cancellation.by}${run.cancellation.stopConfirmed === false ? ', stop not confirmed' : ''}`
  if (run.proof !== null) return `${plural(run.proof.filesVerified, 'file')} read back`
  return run.state
}

export function renderRuns(runs: readonly Run[]): string {
  if (runs.length === 0) return 'No run.\n'
  return renderTable(
    ['RUN', 'CREATED', 'NODE', 'PLAN', 'STATUS', 'OUTCOME'],
    runs.map((run) => [
      run.id,
      isoTime(run.createdAt),
      run.nodeName,
      `${run.planName} r${run.planRevision}`,
      statusCell(run),
      outcomeOf(run),
    ]),
  )
}

export function renderRun(run: Run): string {
  const facts = renderFacts([
    ['run', run.id],
    ['node', run.nodeName],
    ['plan', `${run.planName}, revision ${run.planRevision}`],
    ['status', statusCell(run)],
    ['state', run.state],
    ['asked by', `${run.requestedBy} (${run.trigger}), ${isoTime(run.createdAt)}`],
    ['key', run.idempotencyKey],
    ['batch', run.batchId],
    ['tries', `${run.tries}, ${run.attempts.length} attempts`],
    ['failure', run.failure === null ? null : { text: run.failure.sentence, paint: bad }],
    ['next', run.failure === null || run.failure.nextAction.kind === 'none' ? null : run.failure.nextAction.label],
    ['halted', run.halt === null || run.status !== 'halted' ? null : { text: outcomeOf(run), paint: bad }],
    ['canceled', run.cancellation === null ? null : outcomeOf({ ...run, failure: null, halt: null })],
    ['proof', proofWords(run)],
    ['volume', volumeWords(run)],
  ])
  return `${facts}${evidence(run)}${warnings(run)}\n${visits(run)}`
}

function proofWords({ proof }: Run): string | null {
  if (proof === null) return null
  return `${proof.filesVerified} files (${proof.verify.mode}) at ${isoTime(proof.verifiedAt)}, ${proof.staticKey === undefined ? `certificate ${proof.certificateSerial}` : `static key ${proof.staticKey}`}, digest ${proof.digest}`
}

function volumeWords({ summary }: Run): string | null {
  if (summary === null) return null
  const { filesTransferred, filesTotal, filesDeleted, bytesTransferred, durationMs } = summary
  return `${filesTransferred} of ${filesTotal} files sent, ${filesDeleted} deleted, ${sizeWords(bytesTransferred)} in ${durationWords(durationMs)}`
}

function evidence(run: Run): string {
  const lines = (run.failure ?? (run.status === 'halted' ? run.halt?.diagnosis : undefined))?.evidence ?? []
  return lines.length === 0 ? '' : `\n${renderFacts(lines.map((line) => ['evidence', line] as const))}`
}

const warnings = (run: Run): string =>
  renderFacts(run.warnings.map((warning) => ['warning', { text: warning.message, paint: waiting }] as const))

const visits = (run: Run): string =>
  renderTable(
    ['STATE', 'ATTEMPT', 'OUTCOME', 'TIME'],
    run.visits.map(({ state, attempt, outcome, enteredAt, leftAt }) => [
      state,
      String(attempt),
      outcome,
      leftAt === null ? '' : durationWords(leftAt - enteredAt),
    ]),
  )
