import type { RunEvent, RunPatch } from '../../core/run/machine.ts'
import { severityOf } from '../../core/run/severity.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { DeletePreview, HaltReason, RunState } from '../../shared/model/run.ts'

/** How the work of one state ended. */
export type StepOutcome = { readonly patch?: RunPatch } & (
  | { readonly kind: 'done' | 'skipped' }
  /** `from`: an earlier state that has to be done again first. */
  | { readonly kind: 'retry'; readonly diagnosis: Diagnosis; readonly from?: RunState }
  | { readonly kind: 'fatal'; readonly diagnosis: Diagnosis }
  | {
      readonly kind: 'halt'
      readonly reason: HaltReason
      readonly diagnosis: Diagnosis
      readonly deletePreview?: DeletePreview
    }
)

/** An ordinary failure is tried again, whatever else it is (S0.66); the rest needs a person (S0.67). */
export function outcomeOf(diagnosis: Diagnosis): StepOutcome {
  const severity = severityOf(diagnosis.code)
  const again = severity === 'retryable' || severity === 'unreachable'
  return { kind: again ? 'retry' : 'fatal', diagnosis }
}

/** What the machine is told about the end of a step. `retryAfterMs` counts when it is tried again. */
export function eventOf(outcome: StepOutcome, retryAfterMs: number): RunEvent {
  const patch = outcome.patch === undefined ? {} : { patch: outcome.patch }
  switch (outcome.kind) {
    case 'done':
      return { kind: 'stepDone', ...patch }
    case 'skipped':
      return { kind: 'stepSkipped', ...patch }
    case 'retry': {
      const from = outcome.from === undefined ? {} : { from: outcome.from }
      return { kind: 'stepRetry', afterMs: retryAfterMs, diagnosis: outcome.diagnosis, ...from, ...patch }
    }
    case 'fatal':
      return { kind: 'stepFatal', diagnosis: outcome.diagnosis, ...patch }
    case 'halt': {
      const { reason, diagnosis, deletePreview = null } = outcome
      return { kind: 'stepHalted', reason, diagnosis, deletePreview }
    }
  }
}
