import { AgentRunState } from '../../src/shared/agentApi/index.ts'
import { type RunState, runStates } from '../../src/shared/model/run.ts'

const digest = 'd'.repeat(64)

/** What an agent reports in the middle of its first attempt, in `state`. */
export function inState(state: RunState, startedAt: number, overrides: Record<string, unknown> = {}): AgentRunState {
  const past = runStates.slice(0, runStates.indexOf(state))
  const visits = [
    ...past.map((at, index) => ({
      state: at,
      attempt: 1,
      enteredAt: startedAt + index,
      leftAt: startedAt + index + 1,
      outcome: 'done',
    })),
    { state, attempt: 1, enteredAt: startedAt + past.length, leftAt: null, outcome: 'active' },
  ]
  return AgentRunState.parse({
    status: 'running',
    state,
    notBefore: null,
    tries: 1,
    visits,
    attempts: [{ number: 1, status: 'running', startedAt, finishedAt: null, diagnosis: null }],
    warnings: [],
    failure: null,
    certificateSerial: '7',
    summary: null,
    proof: null,
    startedAt,
    finishedAt: null,
    ...overrides,
  })
}

/** A run that went through all states and was proven. */
export function succeeded(startedAt: number, overrides: Record<string, unknown> = {}): AgentRunState {
  const running = inState('FINALIZE', startedAt)
  const finishedAt = startedAt + 20
  return AgentRunState.parse({
    ...running,
    status: 'succeeded',
    visits: running.visits.map((visit) => ({ ...visit, outcome: 'done', leftAt: visit.leftAt ?? finishedAt })),
    attempts: [{ number: 1, status: 'succeeded', startedAt, finishedAt, diagnosis: null }],
    summary: {
      filesTotal: 1_000,
      filesTransferred: 1_000,
      filesDeleted: 0,
      bytesTotal: 4_096,
      bytesTransferred: 4_200,
      durationMs: 20,
    },
    proof: {
      digest,
      filesVerified: 1_000,
      verify: { mode: 'agent', compared: 'checksum' },
      verifiedAt: startedAt + 15,
      certificateSerial: '7',
    },
    finishedAt,
    ...overrides,
  })
}

/** A run that ended in FAILED from `state`. */
export function failed(
  state: RunState,
  startedAt: number,
  failure: NonNullable<AgentRunState['failure']>,
): AgentRunState {
  const running = inState(state, startedAt)
  const finishedAt = startedAt + 20
  return AgentRunState.parse({
    ...running,
    status: 'failed',
    state: 'FAILED',
    failure,
    visits: [
      ...running.visits.map((visit) =>
        visit.outcome === 'active' ? { ...visit, outcome: 'failed', leftAt: finishedAt } : visit,
      ),
      { state: 'FAILED', attempt: 1, enteredAt: finishedAt, leftAt: finishedAt, outcome: 'done' },
    ],
    attempts: [{ number: 1, status: 'failed', startedAt, finishedAt, diagnosis: failure }],
    finishedAt,
  })
}
