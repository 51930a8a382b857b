import type { Run, RunState } from '../../shared/model/run.ts'
import { type RunEffect, type RunEvent, type Transition, transition } from './machine.ts'

/*
 * Runs whose delivery is one round trip are committed twice: before anything is sent, and when the answer is there. Between
 * the two they stand in PUSH_SYNC, so that after a crash no node counts as untouched that may have been written to.
 */

/** States a run can be in when its round trip is begun. */
const firstStates: readonly RunState[] = ['INIT', 'ENSURE_CERT', 'ACQUIRE_LOCK']

/** False for runs that go on behind the round trip: what is left of them is done state by state. */
export function mayTakeRoundTrip(run: Pick<Run, 'state'>): boolean {
  return firstStates.includes(run.state)
}

/** Several transitions as one: the last run, and the effects of all of them in order. */
export class TransitionChain {
  #run: Run
  readonly #effects: RunEffect[] = []

  constructor(run: Run) {
    this.#run = run
  }

  get run(): Run {
    return this.#run
  }

  get result(): Transition {
    return { run: this.#run, effects: this.#effects }
  }

  /** @returns false when the run does not work any more: it is final, waits, or was not touched by the event. */
  add(event: RunEvent, nowMs: number): boolean {
    const next = transition(this.#run, event, { nowMs })
    if (next.run === this.#run) return false
    this.#run = next.run
    this.#effects.push(...next.effects)
    return this.#run.status === 'running'
  }
}

interface RoundTrip {
  /** As it was before PRE_FLIGHT_CHECK had an outcome. */
  readonly run: Run
  /** When the orders left. */
  readonly sentAt: number
}

/**
 * The run with its PRE_FLIGHT_CHECK open again, now that it is known how that went: what failed there has touched nothing.
 * @returns null for a run that is not on its round trip (any more): canceled, cut, or ended by somebody else.
 */
export function roundTripOf(run: Run): RoundTrip | null {
  if (run.status !== 'running' || run.cancellation !== null || run.state !== 'PUSH_SYNC') return null
  const [check, push] = run.visits.slice(-2)
  if (check?.state !== 'PRE_FLIGHT_CHECK' || push?.outcome !== 'active') return null
  const visits: Run['visits'] = [...run.visits.slice(0, -2), { ...check, leftAt: null, outcome: 'active' }]
  return { run: { ...run, state: 'PRE_FLIGHT_CHECK', visits }, sentAt: push.enteredAt }
}
