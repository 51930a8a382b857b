import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aDiagnosis, aRun } from '../../../test/fakes/aRun.ts'
import { PlanState } from '../../shared/model/node.ts'
import { type DriftFacts, driftReasons, inDoubt } from './drift.ts'
import { computeTile } from './health.ts'

const run = aRun()
const observed = { revision: 2, digest: 'a'.repeat(64), verifiedAt: 100, runId: run.id }
const state = (overrides: object = {}): PlanState =>
  PlanState.parse({
    planId: run.planId,
    planName: 'routes',
    desiredRevision: 2,
    observed,
    driftSince: null,
    lastRunId: run.id,
    ...overrides,
  })
const stopped = { ...aDiagnosis(), code: 'TRAEFIK_NOT_RUNNING', short: 'Traefik is down' } as const
const changed = { ...aDiagnosis(), code: 'VERIFY_MISMATCH', short: 'routes differ' } as const
const facts = (overrides: Partial<DriftFacts>): DriftFacts => ({
  node: aNode(),
  state: state(),
  kind: 'routes',
  lastRun: null,
  registry: { number: 12, at: 500 },
  ...overrides,
})
const away = { status: 'unreachable', since: 0, checkedAt: 0, diagnosis: { ...aDiagnosis(), short: 'no answer' } }

describe('a proof in doubt', () => {
  it('S1.77 keeps the first time and the newest reason, and cannot doubt what was never verified', () => {
    const first = inDoubt(state(), stopped, 300)
    expect(first).toMatchObject({ driftSince: 300, driftReason: stopped })
    expect(inDoubt(first, changed, 900)).toMatchObject({ driftSince: 300, driftReason: changed })
    expect(inDoubt(first, null, 900)).toMatchObject({ driftSince: 300, driftReason: stopped })
    expect(inDoubt(state({ observed: null }), stopped, 300)).toMatchObject({ driftSince: null })
  })

  it('S1.77 takes the green from a node whose runs have all succeeded, and gives the reason', () => {
    const reachability = { status: 'reachable', since: 0, checkedAt: 0, clockSkewMs: 0 }
    const green = aNode({ status: 'active', lastSyncAt: 1, lastAttemptAt: 1, plans: [state()], reachability })
    expect(computeTile(green, 1_000).fill).toBe('in-step')
    const doubted = { ...green, plans: [inDoubt(state(), stopped, 300)] }
    expect(computeTile(doubted, 1_000)).toMatchObject({ fill: 'pending', short: 'Traefik is down' })
    const wasAway = { ...doubted, statusReason: { ...aDiagnosis(), code: 'CONNECTION_REFUSED' as const } }
    expect(computeTile(wasAway, 1_000).short).toBe('Traefik is down')
    expect(computeTile({ ...doubted, statusReason: changed }, 1_000).short).toBe('routes differ')
  })
})

describe('why a plan is not as wanted', () => {
  it.each([
    ['nothing is wrong', {}, []],
    ['nothing was ever read back', { state: state({ observed: null }) }, ['never verified']],
    ['the registry is newer', { state: state({ desiredRevision: 5 }) }, ['registry revision 12 is newer']],
    [
      'the plan is newer, the registry is not',
      { state: state({ desiredRevision: 5 }), registry: { number: 12, at: 50 } },
      ['plan is 3 revisions newer'],
    ],
    ['a tree is newer', { state: state({ desiredRevision: 3 }), kind: 'tree' }, ['plan is 1 revision newer']],
    ['another file lies there', { state: inDoubt(state(), changed, 300) }, ['changed on the node: routes differ']],
    ['nobody serves it', { state: inDoubt(state(), stopped, 300) }, ['Traefik is down']],
    [
      'the node is away',
      { state: state({ desiredRevision: 5 }), node: aNode({ reachability: away }) },
      ['registry revision 12 is newer', 'unreachable: no answer'],
    ],
    [
      'the last run failed',
      { state: state({ observed: null }), lastRun: aRun({ status: 'failed', failure: changed }) },
      ['never verified', 'run failed: routes differ'],
    ],
    [
      'the run that failed has put it in doubt',
      { state: inDoubt(state(), stopped, 300), lastRun: aRun({ status: 'failed', failure: stopped }) },
      ['Traefik is down'],
    ],
    [
      'the run is not known here',
      { state: state({ observed: null }), node: aNode({ statusReason: changed }) },
      ['never verified', 'last try: routes differ'],
    ],
  ] as const)('N12 %s', (_what, overrides, words) => {
    expect(driftReasons(facts(overrides as Partial<DriftFacts>))).toEqual(words)
  })
})
