import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aDiagnosis, aRun } from '../../../test/fakes/aRun.ts'
import { computeTile } from '../../core/fleet/health.ts'
import { type Surroundings, settleNode } from './settle.ts'

const around: Surroundings = { nowMs: 9_000, errorAfterFailures: 3, otherFailures: [], cycleAlreadyFailed: false }
const plan = {
  planId: aRun().planId,
  planName: 'site',
  desiredRevision: 1,
  observed: null,
  driftSince: 5,
  lastRunId: null,
}
const proof = {
  digest: 'c'.repeat(64),
  filesVerified: 1,
  verify: { mode: 'full' },
  verifiedAt: 8_000,
  certificateSerial: '1',
}
const failure = aDiagnosis()

const observed = { revision: 1, digest: 'd'.repeat(64), verifiedAt: 1_000, runId: aRun().id }
const pushed = [{ state: 'PUSH_SYNC', attempt: 1, enteredAt: 1, leftAt: 2, outcome: 'interrupted' }]

describe('a node after a run', () => {
  it('stays out of step when a run was cut while it wrote and another plan succeeds afterwards', () => {
    const other = { ...plan, planId: '01900000-0000-7000-8000-0000000000ff', observed, driftSince: null }
    const before = aNode({ plans: [{ ...plan, observed, driftSince: null }, other], lastSyncAt: 1, status: 'active' })
    const cancellation = { by: 'tester', requestedAt: 2, stopConfirmed: true }
    const cut = settleNode(before, aRun({ status: 'canceled', cancellation, visits: pushed, startedAt: 1 }), around)
    const after = settleNode(cut, aRun({ planId: other.planId, status: 'succeeded', proof, startedAt: 1 }), around)
    expect(computeTile(after, 10_000)).toMatchObject({ fill: 'pending', drift: true })
    const proven = settleNode(after, aRun({ status: 'succeeded', proof, startedAt: 1 }), around)
    expect(computeTile(proven, 10_000).fill).toBe('in-step')
  })

  it('keeps what was read back when a run ended before it wrote', () => {
    const before = aNode({ plans: [{ ...plan, observed, driftSince: null }] })
    const visits = [{ ...pushed[0], outcome: 'skipped' }]
    const settled = settleNode(before, aRun({ status: 'failed', failure, visits, startedAt: 1 }), around)
    expect(settled.plans[0]?.driftSince).toBeNull()
  })

  it('S1.77 loses the proof of a plan when a look finds otherwise, though nothing was written', () => {
    const before = aNode({ plans: [{ ...plan, observed, driftSince: null }], status: 'active' })
    const visits = [
      { ...pushed[0], outcome: 'skipped' },
      { ...pushed[0], state: 'VERIFY', outcome: 'failed' },
    ]
    const stopped = { ...failure, code: 'TRAEFIK_NOT_RUNNING' as const }
    const away = { ...failure, code: 'CONNECTION_TIMED_OUT' as const }
    const planAfter = (cause: typeof failure) =>
      settleNode(before, aRun({ status: 'failed', failure: cause, visits, startedAt: 1 }), around).plans[0]
    expect(planAfter(stopped)?.driftSince).toBe(9_000)
    expect(planAfter(away)?.driftSince).toBeNull()
  })

  it('S1.62 is active after a proven run, with what was read back and no drift', () => {
    const node = settleNode(
      aNode({ plans: [plan], consecutiveFailures: 2, status: 'error' }),
      aRun({ status: 'succeeded', proof, startedAt: 1 }),
      around,
    )
    expect(node).toMatchObject({ status: 'active', consecutiveFailures: 0, lastSyncAt: 9_000, statusReason: null })
    expect(node.plans[0]).toMatchObject({
      observed: { digest: proof.digest, verifiedAt: 8_000, revision: 1 },
      driftSince: null,
      lastRunId: aRun().id,
    })
  })

  it('is not active while another of its plans failed last', () => {
    const node = settleNode(
      aNode({ plans: [plan], status: 'pending_sync', consecutiveFailures: 1 }),
      aRun({ status: 'succeeded', proof }),
      { ...around, otherFailures: [failure] },
    )
    expect(node).toMatchObject({ status: 'pending_sync', statusReason: failure, consecutiveFailures: 1 })
  })

  it('D12 counts a cycle once, and the third makes an error', () => {
    const failed = aRun({ status: 'failed', failure })
    expect(settleNode(aNode({ consecutiveFailures: 1 }), failed, around)).toMatchObject({
      status: 'pending_sync',
      consecutiveFailures: 2,
    })
    expect(settleNode(aNode({ consecutiveFailures: 2 }), failed, around)).toMatchObject({
      status: 'error',
      consecutiveFailures: 3,
    })
    expect(
      settleNode(aNode({ consecutiveFailures: 2 }), failed, { ...around, cycleAlreadyFailed: true }),
    ).toMatchObject({ status: 'pending_sync', consecutiveFailures: 2 })
  })

  it('S1.72 unreachable is pending, not failed, and remembers since when', () => {
    const away = aRun({ status: 'failed', failure: aDiagnosis({ code: 'CONNECTION_TIMED_OUT' }) })
    const node = settleNode(aNode({ status: 'active', consecutiveFailures: 2 }), away, around)
    expect(node).toMatchObject({
      status: 'pending_sync',
      consecutiveFailures: 2,
      reachability: { status: 'unreachable', since: 9_000 },
    })
    expect(settleNode(node, away, { ...around, nowMs: 10_000 }).reachability).toMatchObject({
      since: 9_000,
      checkedAt: 10_000,
    })
  })

  it('canceled before it wrote stays as it was; canceled while it wrote is not green', () => {
    const cancellation = { by: 'ann', requestedAt: 1, stopConfirmed: true }
    const active = aNode({ status: 'active' })
    expect(settleNode(active, aRun({ status: 'canceled', cancellation }), around).status).toBe('active')
    const visits = [{ state: 'PUSH_SYNC', attempt: 1, enteredAt: 1, leftAt: 2, outcome: 'canceled' }]
    expect(settleNode(active, aRun({ status: 'canceled', cancellation, visits }), around)).toMatchObject({
      status: 'pending_sync',
      statusReason: { code: 'CANCELED' },
    })
  })

  it('never takes what was sent for what was read back', () => {
    expect(
      settleNode(aNode({ plans: [plan] }), aRun({ status: 'failed', failure, proof }), around).plans[0]?.observed,
    ).toBeNull()
  })

  it('S2.7 S2.10 keeps the commit that was read back, and the one before it while another one lies there', () => {
    const proofOf = (digit: string) => ({
      ...proof,
      verify: { mode: 'repository', commit: digit.repeat(40), compared: 'full', release: null },
    })
    const run = (digit: string) => aRun({ status: 'succeeded', proof: proofOf(digit), startedAt: 1 })
    const settledBy = (node: ReturnType<typeof aNode>, digit: string) => settleNode(node, run(digit), around)
    const first = settledBy(aNode({ plans: [plan] }), '1')
    expect(first.plans[0]?.observed).toMatchObject({ commit: '1'.repeat(40) })
    expect(first.plans[0]?.observed?.previousCommit).toBeUndefined()
    const second = settledBy(first, '2')
    const again = settledBy(second, '2')
    for (const node of [second, again])
      expect(node.plans[0]?.observed).toMatchObject({ commit: '2'.repeat(40), previousCommit: '1'.repeat(40) })
    expect(settledBy(again, '1').plans[0]?.observed).toMatchObject({ previousCommit: '2'.repeat(40) })
  })
})
