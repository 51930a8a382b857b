import { describe, expect, it } from 'vitest'
import type { NodeId, PlanId, RunId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { RepositoryTarget } from '../../../../shared/model/repository.ts'
import type { Run } from '../../../../shared/model/run.ts'
import { fakeCommitHash, fakeDigest, fakeId, fakeNode } from '../../../api/links/fakeFleet.ts'
import { behindWords, targetRows } from './targetRows.ts'

const nowMs = 1_750_000_000_000
const planId = fakeId<PlanId>(2, 700)
const [old, wanted] = [fakeCommitHash(1), fakeCommitHash(2)]

const node = (change: Partial<FleetNode> = {}, drift = false): FleetNode => ({
  ...fakeNode(1, nowMs, 'in-step'),
  plans: [
    {
      planId,
      planName: 'site',
      desiredRevision: 4,
      observed: { revision: 4, digest: fakeDigest(4), verifiedAt: nowMs, runId: fakeId<RunId>(3, 1), commit: wanted },
      driftSince: drift ? nowMs : null,
      lastRunId: null,
    },
  ],
  ...change,
})

const target = (change: Partial<RepositoryTarget> = {}): RepositoryTarget => ({
  planId,
  nodeId: fakeId<NodeId>(1, 2),
  directory: '~/site',
  desired: wanted,
  observed: wanted,
  verifiedAt: nowMs,
  behind: 0,
  previous: null,
  runId: null,
  ...change,
})

const fillOf = (of: RepositoryTarget, at: FleetNode, runs: readonly Run[] = []) => {
  const nodes = new Map([[of.nodeId, at]])
  return targetRows([of], { nodes, plans: new Map(), runs: new Map(runs.map((run) => [run.id, run])), nowMs })[0]?.fill
}

const unreachable: FleetNode['reachability'] = {
  status: 'unreachable',
  since: nowMs,
  checkedAt: nowMs,
  diagnosis: {
    code: 'CONNECTION_TIMED_OUT',
    sentence: 'No answer.',
    short: 'no answer',
    evidence: [],
    nextAction: { kind: 'wait', label: 'Look again' },
    transient: true,
  },
}

describe('a target of a repository', () => {
  it('S2.7 is green only while the wanted commit was read back, nothing else was found and the node answers', () => {
    expect(fillOf(target(), node())).toBe('in-step')
    expect(fillOf(target({ observed: old, behind: 1 }), node())).toBe('pending')
    expect(fillOf(target({ observed: null }), node())).toBe('never-synced')
    expect(fillOf(target({ desired: null }), node())).toBe('pending')
    expect(fillOf(target(), node({}, true))).toBe('pending')
    expect(fillOf(target(), node({ reachability: unreachable }))).toBe('unreachable')
    expect(fillOf(target(), node({ status: 'error' }))).toBe('error')
    expect(fillOf(target(), node({ maintenance: true }))).toBe('maintenance')
    expect(fillOf(target(), node({ plans: node().plans.map((plan) => ({ ...plan, desiredRevision: 5 })) }))).toBe(
      'pending',
    )
  })

  it('S2.33 is held back by a halted run of its own plan, and by no other', () => {
    const run = (of: PlanId) => ({ id: fakeId<RunId>(3, 9), planId: of, status: 'halted' }) as Run
    const held = node({ haltedRunId: fakeId<RunId>(3, 9) })
    expect(fillOf(target(), held, [run(planId)])).toBe('halted')
    expect(fillOf(target({ observed: old, behind: 1 }), held, [run(fakeId<PlanId>(2, 9))])).toBe('pending')
  })

  it('S2.15 says how far it is behind, and does not guess on another line', () => {
    expect(behindWords(target())).toBe('')
    expect(behindWords(target({ observed: old, behind: 3 }))).toBe('3 commits')
    expect(behindWords(target({ observed: old, behind: null }))).toBe('on another line')
    expect(behindWords(target({ observed: old, behind: 0 }))).toBe('ahead')
  })
})
