import { type RunState, runStates } from '../../../shared/model/run.ts'

/** How an invented run may end. */
export type FakeOutcome = 'succeeded' | 'failed' | 'canceled' | 'halted'

export const contentStates: readonly RunState[] = runStates.filter((state) => state !== 'FAILED')
