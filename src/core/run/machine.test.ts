import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aDiagnosis, aRun } from '../../../test/fakes/aRun.ts'
import { isFinal, Run, runStates } from '../../shared/model/run.ts'
import { holdsLock, type RunEffect, type RunEvent, totalTries, transition } from './machine.ts'

const proof: NonNullable<Run['proof']> = {
  digest: 'a'.repeat(64),
  filesVerified: 1,
  verify: { mode: 'full' },
  verifiedAt: 1,
  certificateSerial: '1',
}
const diagnosis = aDiagnosis()

function play(events: readonly RunEvent[], from = aRun()): { readonly run: Run; readonly effects: RunEffect[] } {
  let run = from
  let nowMs = 1_000
  const effects: RunEffect[] = []
  for (const event of events) {
    nowMs += 10
    const next = transition(run, event, { nowMs })
    run = next.run
    effects.push(...next.effects)
  }
  return { run, effects }
}

const done: RunEvent = { kind: 'stepDone' }
const started: RunEvent = { kind: 'started' }
const times = (count: number, event: RunEvent): RunEvent[] => Array.from({ length: count }, () => event)
const upTo = (state: Run['state']): RunEvent[] => [started, ...times(runStates.indexOf(state), done)]
const retry: RunEvent = { kind: 'stepRetry', afterMs: 5_000, diagnosis }

const anyEvent = fc.oneof<fc.Arbitrary<RunEvent>[]>(
  fc.constant(started),
  fc.constant(started),
  fc.constant(done),
  fc.constant(done),
  fc.constant<RunEvent>({ kind: 'stepDone', patch: { proof } }),
  fc.constant<RunEvent>({ kind: 'stepSkipped' }),
  fc.constant<RunEvent>({ kind: 'stepWaiting', untilMs: 9_000 }),
  fc.constant(retry),
  fc.constant<RunEvent>({ kind: 'stepRetry', afterMs: 0, diagnosis, from: 'PRE_FLIGHT_CHECK' }),
  fc.constant<RunEvent>({ kind: 'stepFatal', diagnosis }),
  fc.constant<RunEvent>({ kind: 'stepHalted', reason: 'mass-delete', diagnosis, deletePreview: null }),
  fc.constant<RunEvent>({ kind: 'cancelRequested', by: 'somebody' }),
  fc.constant<RunEvent>({ kind: 'stopConfirmed' }),
  fc.constant<RunEvent>({ kind: 'stopNotConfirmed', diagnosis }),
  fc.constant<RunEvent>({ kind: 'interrupted' }),
  fc.constant<RunEvent>({ kind: 'approved', reason: 'mass-delete', by: 'somebody' }),
)

/** Calls `look` for every step of every generated life of a run. */
function always(look: (before: Run, event: RunEvent, after: Run, effects: readonly RunEffect[]) => void): void {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let run = aRun()
      events.forEach((event, index) => {
        const next = transition(run, event, { nowMs: 1_000 + index })
        look(run, event, next.run, next.effects)
        run = next.run
      })
    }),
    { numRuns: 500 },
  )
}

describe('the run machine', () => {
  it('S0.41 goes through the ten working states in their order and succeeds', () => {
    const { run, effects } = play([...upTo('VERIFY'), { kind: 'stepDone', patch: { proof } }, done, done])
    expect(run.status).toBe('succeeded')
    expect(run.visits.map((visit) => visit.state)).toEqual(runStates.slice(0, -1))
    expect(run.visits.every((visit) => visit.outcome === 'done' && visit.leftAt !== null)).toBe(true)
    expect(effects.slice(-2).map((effect) => effect.kind)).toEqual(['releaseLock', 'settle'])
  })

  it('never calls a run green that has no proof from the node', () => {
    expect(play([...upTo('FINALIZE'), done]).run).toMatchObject({ status: 'failed', failure: { code: 'INTERNAL' } })
    always((_before, _event, after) => expect(after.status === 'succeeded' && after.proof === null).toBe(false))
  })

  it('D13 tries three times in all, 5 s apart, under one run id (S0.86, S1.74)', () => {
    const first = play([...upTo('PUSH_SYNC'), retry]).run
    expect(first).toMatchObject({ status: 'queued', state: 'PUSH_SYNC', tries: 1, id: aRun().id })
    expect(first.notBefore).toBe((first.attempts[0]?.finishedAt ?? 0) + 5_000)
    const last = play([started, retry, started, retry], first).run
    expect(last).toMatchObject({ status: 'failed', state: 'FAILED', tries: totalTries, id: aRun().id })
    expect(last.attempts.map((attempt) => attempt.status)).toEqual(['failed', 'failed', 'failed'])
  })

  it('D13 counts tries over states: a run that fails to verify does not start over for ever', () => {
    let run = play(upTo('VERIFY')).run
    const again: RunEvent = { ...retry, from: 'PRE_FLIGHT_CHECK' } as RunEvent
    run = play([again, started, done, done, done, again, started, done, done, done, again], run).run
    expect(run.status).toBe('failed')
  })

  it('S0.85 FAILED is the end: no retry, whatever happens then', () => {
    const failed = play([...upTo('PUSH_SYNC'), { kind: 'stepFatal', diagnosis }]).run
    expect(failed.visits.at(-1)).toMatchObject({ state: 'FAILED', outcome: 'done' })
    expect(transition(failed, started, { nowMs: 9 })).toEqual({ run: failed, effects: [] })
  })

  it('D6 FAILED releases the lock only when the run holds it', () => {
    expect(
      play([...upTo('ENSURE_CERT'), { kind: 'stepFatal', diagnosis }]).effects.some(
        (effect) => effect.kind === 'releaseLock',
      ),
    ).toBe(false)
    expect(
      play([...upTo('PRE_FLIGHT_CHECK'), { kind: 'stepFatal', diagnosis }]).effects.some(
        (effect) => effect.kind === 'releaseLock',
      ),
    ).toBe(true)
    always((before, _event, _after, effects) => {
      if (effects.some((effect) => effect.kind === 'releaseLock')) expect(holdsLock(before)).toBe(true)
    })
  })

  it('releases a held lock whenever the run stops working for good or for a person', () => {
    always((before, _event, after, effects) => {
      const stopsNow =
        (isFinal(after.status) && !isFinal(before.status)) || (after.status === 'halted' && before.status !== 'halted')
      if (stopsNow && holdsLock(before)) expect(effects.some((effect) => effect.kind === 'releaseLock')).toBe(true)
    })
  })

  it('waiting for a lock is no try and keeps the attempt (D37)', () => {
    const waiting = play([...upTo('ACQUIRE_LOCK'), { kind: 'stepWaiting', untilMs: 31_000 }]).run
    expect(waiting).toMatchObject({ status: 'queued', state: 'ACQUIRE_LOCK', notBefore: 31_000 })
    const { run, effects } = play([started], waiting)
    expect(run).toMatchObject({ status: 'running', notBefore: null, tries: 1 })
    expect(run.attempts).toHaveLength(1)
    expect(effects).toEqual([{ kind: 'enterState', state: 'ACQUIRE_LOCK' }])
  })

  it('F33 an interrupted run goes on under its id, from the certificate on, and loses no try', () => {
    const { run } = play([...upTo('PUSH_SYNC'), { kind: 'interrupted' }, started])
    expect(run).toMatchObject({ status: 'running', state: 'ENSURE_CERT', tries: 1 })
    expect(run.attempts.map((attempt) => attempt.status)).toEqual(['interrupted', 'running'])
    expect(run.visits.filter((visit) => visit.outcome === 'interrupted').map((visit) => visit.state)).toEqual([
      'PUSH_SYNC',
    ])
  })

  it('goes on with the report when the proof was committed before the crash', () => {
    const proven = play([
      ...upTo('VERIFY'),
      { kind: 'stepDone', patch: { proof } },
      { kind: 'interrupted' },
      started,
    ]).run
    expect(proven.state).toBe('REPORT')
  })

  it('a run that waits for its next try or a lock looks again from the certificate on, after a restart', () => {
    const waitsForTry = play([...upTo('PUSH_SYNC'), retry, { kind: 'interrupted' }]).run
    expect(waitsForTry).toMatchObject({ status: 'queued', state: 'ENSURE_CERT' })
    expect(waitsForTry.notBefore).not.toBeNull()
    expect(play([started], waitsForTry).run.tries).toBe(2)
    const waitsForLock = play([
      ...upTo('ACQUIRE_LOCK'),
      { kind: 'stepWaiting', untilMs: 31_000 },
      { kind: 'interrupted' },
    ]).run
    expect(waitsForLock).toMatchObject({ status: 'queued', state: 'ENSURE_CERT', notBefore: null })
    expect(transition(aRun(), { kind: 'interrupted' }, { nowMs: 1 }).effects).toEqual([])
  })

  it('F76 a halted run goes on only when a person lifts exactly this stop', () => {
    const halted = play([
      ...upTo('PUSH_SYNC'),
      { kind: 'stepHalted', reason: 'mass-delete', diagnosis, deletePreview: null },
    ]).run
    expect(play([started, { kind: 'approved', reason: 'source-empty', by: 'x' }], halted).run).toEqual(halted)
    const lifted = play([{ kind: 'approved', reason: 'mass-delete', by: 'ann' }], halted).run
    expect(lifted).toMatchObject({ status: 'queued', halt: null, approvals: [{ reason: 'mass-delete', by: 'ann' }] })
  })

  it('F23 can be canceled in every state, and says whether the stop was proven', () => {
    for (const state of runStates.slice(0, -1)) {
      const asked = play([...upTo(state), { kind: 'cancelRequested', by: 'ann' }])
      expect(asked.run).toMatchObject({ status: 'running', cancellation: { by: 'ann', stopConfirmed: null } })
      expect(asked.effects.at(-1)).toEqual({ kind: 'stopRemote' })
      expect(play([{ kind: 'stopConfirmed' }], asked.run).run).toMatchObject({
        status: 'canceled',
        cancellation: { stopConfirmed: true },
      })
      expect(play([{ kind: 'stopNotConfirmed', diagnosis }], asked.run).run).toMatchObject({
        status: 'canceled',
        cancellation: { stopConfirmed: false },
      })
    }
    expect(play([{ kind: 'cancelRequested', by: 'ann' }]).run).toMatchObject({
      status: 'canceled',
      cancellation: { stopConfirmed: true },
    })
  })

  it('the answer of a step that a cancel cuts does not count', () => {
    const asked = play([...upTo('PUSH_SYNC'), { kind: 'cancelRequested', by: 'ann' }]).run
    for (const event of [done, retry, { kind: 'stepFatal', diagnosis } as const])
      expect(transition(asked, event, { nowMs: 5 }).run).toBe(asked)
  })
})

describe('whatever happens to a run', () => {
  it('at most one visit and one attempt is open, and only while it works or waits', () => {
    always((_before, _event, after) => {
      const active = after.visits.filter((visit) => visit.outcome === 'active')
      const running = after.attempts.filter((attempt) => attempt.status === 'running')
      expect(active.length).toBeLessThanOrEqual(1)
      expect(running.length).toBe(active.length)
      if (isFinal(after.status) || after.status === 'halted') expect(active).toEqual([])
      if (after.status === 'running' && after.cancellation === null) expect(active[0]?.state).toBe(after.state)
      for (const visit of after.visits) expect(visit.leftAt === null).toBe(visit.outcome === 'active')
    })
  })

  it('a final run stays as it is and causes nothing', () => {
    always((before, _event, after, effects) => {
      if (!isFinal(before.status)) return
      expect(after).toBe(before)
      expect(effects).toEqual([])
    })
  })

  it('S0.86 it keeps its id and key, and never uses more than three tries', () => {
    always((before, _event, after) => {
      expect([after.id, after.idempotencyKey]).toEqual([before.id, before.idempotencyKey])
      expect(after.tries).toBeLessThanOrEqual(totalTries)
      expect(after.attempts.filter((attempt) => attempt.status === 'failed').length).toBeLessThanOrEqual(totalTries)
    })
  })

  it('within one attempt its states come in their order, none twice', () => {
    always((_before, _event, after) => {
      const seen = new Map<number, number>()
      for (const visit of after.visits) {
        const position = runStates.indexOf(visit.state)
        expect(position).toBeGreaterThan(seen.get(visit.attempt) ?? -1)
        seen.set(visit.attempt, position)
      }
    })
  })

  it('visits and attempts are only ever added, and it stays a valid run', () => {
    always((before, _event, after) => {
      expect(after.visits.length).toBeGreaterThanOrEqual(before.visits.length)
      expect(after.attempts.map((attempt) => attempt.number)).toEqual(
        after.attempts.map((_attempt, index) => index + 1),
      )
    })
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => void Run.parse(play(events).run)),
      { numRuns: 50 },
    )
  })

  it('only running runs enter states', () => {
    always((_before, _event, after, effects) => {
      const entered = effects.find((effect) => effect.kind === 'enterState')
      if (entered?.kind === 'enterState') expect([after.status, after.state]).toEqual(['running', entered.state])
    })
  })
})
