import { describe, expect, it } from 'vitest'
import { failed, inState, succeeded } from '../../../test/fakes/anAgentRun.ts'
import { aDiagnosis, aRun } from '../../../test/fakes/aRun.ts'
import type { AgentRunState } from '../../shared/agentApi/index.ts'
import { runStates } from '../../shared/model/run.ts'
import { isOutdated, reportFlaws, withReport, withSilence } from './reportCheck.ts'

const startedAt = 1_000_000
const nowMs = startedAt + 60_000
const stored = aRun({ planKind: 'agent', status: 'running', state: 'REGISTER_RUN', startedAt })
const flaws = (reported: AgentRunState, run = stored, demanded: 'listing' | 'checksum' | null = 'checksum'): string[] =>
  reportFlaws(run, reported, { nowMs, demanded })

const visit = (state: string, attempt: number, outcome = 'done', enteredAt = startedAt) => ({
  state,
  attempt,
  enteredAt,
  leftAt: outcome === 'active' ? null : enteredAt + 1,
  outcome,
})

describe('what an agent may report', () => {
  it('S0.41 every state on the way, the success and every failure are plausible', () => {
    for (const state of runStates.slice(0, -1)) expect([state, flaws(inState(state, startedAt))]).toEqual([state, []])
    expect(flaws(succeeded(startedAt))).toEqual([])
    for (const state of runStates.slice(0, -1))
      expect([state, flaws(failed(state, startedAt, aDiagnosis()))]).toEqual([state, []])
  })

  it('states skipped by an attempt that goes on where the last one was cut are plausible', () => {
    const attempts = [
      { number: 1, status: 'interrupted', startedAt, finishedAt: startedAt + 5, diagnosis: null },
      { number: 2, status: 'running', startedAt: startedAt + 9, finishedAt: null, diagnosis: null },
    ]
    const visits = [
      ...inState('REPORT', startedAt).visits.slice(0, -1),
      visit('REPORT', 1, 'interrupted'),
      visit('REPORT', 2, 'active'),
    ]
    expect(flaws(inState('REPORT', startedAt, { attempts, visits }))).toEqual([])
  })

  it.each([
    [
      'a state out of order',
      inState('VERIFY', startedAt, { visits: [visit('INIT', 1), visit('VERIFY', 1, 'active')] }),
      'not in their order',
    ],
    [
      'a state of an earlier attempt after a later one',
      inState('VERIFY', startedAt, { visits: [visit('PUSH_SYNC', 2), visit('VERIFY', 1, 'active')] }),
      'not in their order',
    ],
    [
      'two active states',
      inState('VERIFY', startedAt, { visits: [visit('PULL_SYNC', 1, 'active'), visit('VERIFY', 1, 'active')] }),
      'two states are active',
    ],
    [
      'a state other than its last visit',
      inState('VERIFY', startedAt, { visits: [visit('PUSH_SYNC', 1, 'active')] }),
      'two states',
    ],
    [
      'a final run with an active state',
      { ...succeeded(startedAt), visits: inState('FINALIZE', startedAt).visits },
      'is over and a state is active',
    ],
    [
      'a final run with a running attempt',
      { ...succeeded(startedAt), attempts: inState('INIT', startedAt).attempts },
      'an attempt runs',
    ],
    ['a final run without an end', { ...succeeded(startedAt), finishedAt: null }, 'does not go with its end'],
    [
      'FAILED that did not fail',
      inState('VERIFY', startedAt, { state: 'FAILED', visits: [] }),
      'does not go with state',
    ],
    ['a failure without a cause', { ...failed('VERIFY', startedAt, aDiagnosis()), failure: null }, 'names no cause'],
    ['a success with a failure', { ...succeeded(startedAt), failure: aDiagnosis() }, 'names a failure'],
    ['a halt without a reason', inState('PUSH_SYNC', startedAt, { status: 'halted' }), 'halted without a reason'],
    ['more tries than there are', inState('PUSH_SYNC', startedAt, { tries: 4 }), 'counts 4 tries'],
    [
      'gaps between attempts',
      inState('PUSH_SYNC', startedAt, {
        attempts: [{ number: 2, status: 'running', startedAt, finishedAt: null, diagnosis: null }],
      }),
      'one by one',
    ],
    ['a time before 1970', inState('INIT', startedAt, { startedAt: -1 }), 'before 1970'],
    ['a time after tomorrow', inState('INIT', startedAt, { notBefore: nowMs + 2 * 86_400_000 }), 'a day ahead'],
    [
      'an end long before the beginning',
      inState('INIT', startedAt, {
        state: 'ENSURE_CERT',
        visits: [{ ...visit('INIT', 1, 'done', 200_000_000), leftAt: 1 }],
      }),
      'a day before',
    ],
  ] as const)('%s is not', (_what, reported, words) => {
    expect(flaws(reported as AgentRunState).join('; ')).toContain(words)
  })

  it('green only if proven: a success needs a proof of its own kind, after the last transfer, as strong as the plan demands', () => {
    const proof = succeeded(startedAt).proof
    const weak = succeeded(startedAt, { proof: { ...proof, verify: { mode: 'agent', compared: 'listing' } } })
    expect(flaws(succeeded(startedAt, { proof: null })).join()).toContain('without a proof')
    expect(flaws(weak).join()).toContain('compared less')
    expect(flaws(weak, stored, 'listing')).toEqual([])
    expect(flaws(weak, stored, null)).toEqual([])
    const theirs = { ...proof, verify: { mode: 'sample', files: 5 } }
    expect(flaws(succeeded(startedAt, { proof: theirs })).join()).toContain('not one that an agent can give')
    const skipped = succeeded(startedAt).visits.map((each) =>
      each.state === 'VERIFY' ? { ...each, outcome: 'skipped' } : each,
    )
    expect(flaws(succeeded(startedAt, { visits: skipped })).join()).toContain('nothing was verified')
    const early = succeeded(startedAt, { state: 'VERIFY', visits: succeeded(startedAt).visits.slice(0, 8) })
    expect(flaws(early).join()).toContain('succeeded in VERIFY')
  })

  it('a later transfer voids an earlier verification', () => {
    const attempts = [
      { number: 1, status: 'failed', startedAt, finishedAt: startedAt + 5, diagnosis: aDiagnosis() },
      { number: 2, status: 'succeeded', startedAt: startedAt + 6, finishedAt: startedAt + 9, diagnosis: null },
    ]
    const visits = [visit('VERIFY', 1), visit('REPORT', 1, 'retry'), visit('PUSH_SYNC', 2), visit('PULL_SYNC', 2)]
    expect(flaws(succeeded(startedAt, { attempts, visits })).join()).toContain('nothing was verified after')
  })

  it('it does not go back: attempts and tries never become fewer', () => {
    const twice = {
      ...stored,
      tries: 2,
      attempts: [1, 2].map((number) => ({
        number,
        status: 'failed' as const,
        startedAt,
        finishedAt: startedAt,
        diagnosis: null,
      })),
    }
    const found = flaws(inState('PUSH_SYNC', startedAt), twice).join()
    expect(found).toContain('fewer attempts')
    expect(found).toContain('fewer tries')
    const laterVisits = {
      ...stored,
      visits: [{ ...inState('INIT', startedAt).visits[0], attempt: 2 }],
    } as typeof stored
    expect(flaws(inState('PUSH_SYNC', startedAt), laterVisits).join()).toContain('earlier attempt')
  })

  it('S0.88 an agent that lost its journal goes on under the same key from the beginning', () => {
    const known = withReport(stored, inState('PUSH_SYNC', startedAt, { tries: 2 }), { nowMs, agentName: 'vm-1' })
    const anew = inState('INIT', startedAt + 5_000)
    expect(flaws(anew, known)).toEqual([])
    expect(withReport(known, anew, { nowMs, agentName: 'vm-1' }).visits).toEqual(anew.visits)
  })
})

describe('a run as reported', () => {
  const context = { nowMs, agentName: 'vm-1' }

  it('no host chooses what a person is offered to press: causes of agents come without a button', () => {
    const cause = aDiagnosis({ nextAction: { kind: 'open-terminal', label: 'Everything is fine' } })
    const halted = { reason: 'mass-delete', diagnosis: cause, haltedAt: startedAt, deletePreview: null }
    const attempts = [{ number: 1, status: 'failed', startedAt, finishedAt: startedAt, diagnosis: cause }]
    const run = withReport(stored, inState('PUSH_SYNC', startedAt, { failure: cause, halt: halted, attempts }), context)
    const offered = [run.failure, run.halt?.diagnosis, run.attempts[0]?.diagnosis].map((one) => one?.nextAction.kind)
    expect(offered).toEqual(['none', 'none', 'none'])
    expect(run.failure?.sentence).toBe(cause.sentence)
  })

  it('keeps what the engine decides, and a cancel that is pending', () => {
    const cancellation = { by: 'ann@desk', requestedAt: 5, stopConfirmed: null }
    const next = withReport({ ...stored, cancellation }, inState('PUSH_SYNC', startedAt), context)
    expect(next).toMatchObject({ id: stored.id, planId: stored.planId, requestedBy: stored.requestedBy, cancellation })
    const canceled = inState('PUSH_SYNC', startedAt, { status: 'canceled', finishedAt: nowMs })
    expect(withReport({ ...stored, cancellation }, canceled, context).cancellation).toEqual({
      ...cancellation,
      stopConfirmed: true,
    })
    expect(withReport(stored, canceled, context).cancellation).toMatchObject({ by: 'agent vm-1' })
  })

  it('proven on a clock that is ahead is not proven in the future', () => {
    const ahead = succeeded(nowMs + 3_600_000)
    expect(withReport(stored, ahead, context).proof?.verifiedAt).toBe(nowMs)
    expect(withReport(stored, succeeded(startedAt), context).proof?.verifiedAt).toBe(startedAt + 15)
  })

  it('that lost its beginning on the way keeps the beginning that was told', () => {
    const known = { ...stored, visits: inState('VERIFY', startedAt).visits }
    const short = { ...succeeded(startedAt), visits: succeeded(startedAt).visits.slice(-3) }
    expect(withReport(known, short, context).visits.map((each) => each.state)).toEqual(runStates.slice(0, 10))
    expect(withReport(known, { ...short, visits: [] }, context).visits).toEqual(known.visits)
  })
})

describe('a report that comes late', () => {
  const begun = (startedAtMs: number, createdAt: number, id = '01900000-0000-7000-8000-0000000000e1') =>
    aRun({ id, planKind: 'agent', startedAt: startedAtMs, createdAt })
  const other = '01900000-0000-7000-8000-0000000000e2'

  it('D8 is outdated by a run that began later, registered before or after it', () => {
    expect(isOutdated(begun(100, 900), [begun(500, 500, other)])).toBe(true)
    expect(isOutdated(begun(500, 500), [begun(100, 900, other)])).toBe(false)
    expect(isOutdated(begun(500, 500), [begun(500, 500)])).toBe(false)
  })

  it('an agent whose clock was ahead for one run is believed again from the next on', () => {
    expect(isOutdated(begun(600, 601), [begun(86_400_000, 500, other)])).toBe(false)
  })
})

describe('silence', () => {
  it('interrupts the running attempt and nothing else, and twice is once', () => {
    const running = withReport(stored, inState('PUSH_SYNC', startedAt), { nowMs, agentName: 'vm-1' })
    const cut = withSilence(running, nowMs)
    expect(cut).toMatchObject({ status: 'running', attempts: [{ status: 'interrupted', finishedAt: nowMs }] })
    expect(cut.visits.at(-1)).toMatchObject({ state: 'PUSH_SYNC', outcome: 'interrupted', leftAt: nowMs })
    expect(withSilence(cut, nowMs + 5)).toBe(cut)
    expect(withSilence(stored, nowMs)).toBe(stored)
    const over = withReport(stored, succeeded(startedAt), { nowMs, agentName: 'vm-1' })
    expect(withSilence(over, nowMs)).toBe(over)
  })
})
