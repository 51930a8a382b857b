import { describe, expect, it } from 'vitest'
import { aDiagnosis, aRun } from '../../../test/fakes/aRun.ts'
import type { Run } from '../../shared/model/run.ts'
import { mayTakeRoundTrip, roundTripOf, TransitionChain } from './express.ts'
import type { RunEvent } from './machine.ts'

const done: RunEvent = { kind: 'stepDone' }
function onItsWay(): Run {
  const chain = new TransitionChain(aRun())
  for (const event of [{ kind: 'started' } as const, ...Array<RunEvent>(5).fill(done)]) chain.add(event, 100)
  return chain.run
}

describe('a run of one round trip', () => {
  it('S0.41 is in PUSH_SYNC while it is under way, with every state before it behind it', () => {
    const run = onItsWay()
    expect(run).toMatchObject({ status: 'running', state: 'PUSH_SYNC' })
    expect(run.visits.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done', 'done', 'done', 'active'])
  })

  it('S1.72 what fails on the way to the node leaves no trace of having written', () => {
    const trip = roundTripOf(onItsWay())
    expect(trip).toMatchObject({ sentAt: 100, run: { state: 'PRE_FLIGHT_CHECK' } })
    if (trip === null) throw new Error('no round trip')
    const chain = new TransitionChain(trip.run)
    expect(chain.add({ kind: 'stepFatal', diagnosis: aDiagnosis({ code: 'NODE_UNREACHABLE' }) }, 200)).toBe(false)
    expect(chain.run.visits.slice(-2)).toMatchObject([
      { state: 'PRE_FLIGHT_CHECK', outcome: 'failed', enteredAt: 100, leftAt: 200 },
      { state: 'FAILED' },
    ])
    expect(chain.result.effects).toEqual([{ kind: 'releaseLock' }, { kind: 'settle' }])
  })

  it('is none when somebody canceled it, cut it, or it stands in PUSH_SYNC by a step of its own', () => {
    const run = onItsWay()
    expect(roundTripOf({ ...run, cancellation: { by: 'a', requestedAt: 1, stopConfirmed: null } })).toBeNull()
    expect(roundTripOf({ ...run, status: 'queued' })).toBeNull()
    expect(roundTripOf({ ...run, state: 'VERIFY' })).toBeNull()
    expect(roundTripOf({ ...run, visits: run.visits.slice(-1) })).toBeNull()
  })

  it('only runs that have sent nothing yet may take it', () => {
    expect(['INIT', 'ENSURE_CERT', 'ACQUIRE_LOCK'].every((state) => mayTakeRoundTrip(aRun({ state })))).toBe(true)
    expect(['PUSH_SYNC', 'VERIFY', 'REPORT', 'FINALIZE'].some((state) => mayTakeRoundTrip(aRun({ state })))).toBe(false)
  })

  it('events that do not fit end the chain and change nothing', () => {
    const chain = new TransitionChain(aRun({ status: 'canceled' }))
    expect(chain.add({ kind: 'started' }, 1)).toBe(false)
    expect(chain.result).toEqual({ run: aRun({ status: 'canceled' }), effects: [] })
  })
})
