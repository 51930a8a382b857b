import type { RunEvent } from '../../core/run/machine.ts'
import { assertNever } from '../../shared/errors.ts'
import type { RunState } from '../../shared/model/run.ts'
import type { RunConfig } from './dependencies.ts'
import type { StepOutcome } from './executor.ts'

/** What the outcome of a state is to the machine. */
export function eventOf(outcome: StepOutcome, { retryDelayMs }: Pick<RunConfig, 'retryDelayMs'>): RunEvent {
  const patch = outcome.patch === undefined ? {} : { patch: outcome.patch }
  switch (outcome.kind) {
    case 'done':
      return { kind: 'stepDone', ...patch }
    case 'skipped':
      return { kind: 'stepSkipped', ...patch }
    case 'retry': {
      const from: { from?: RunState } = outcome.from === undefined ? {} : { from: outcome.from }
      return { kind: 'stepRetry', afterMs: retryDelayMs, diagnosis: outcome.diagnosis, ...from, ...patch }
    }
    case 'fatal':
      return { kind: 'stepFatal', diagnosis: outcome.diagnosis, ...patch }
    case 'halt':
      return {
        kind: 'stepHalted',
        reason: outcome.reason,
        diagnosis: outcome.diagnosis,
        deletePreview: outcome.deletePreview ?? null,
      }
    default:
      return assertNever(outcome)
  }
}
