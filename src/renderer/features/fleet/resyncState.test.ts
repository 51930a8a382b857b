import { describe, expect, it } from 'vitest'
import type { BatchId, IdempotencyKey, RunId } from '../../../shared/model/ids.ts'
import { fakeId, fakeNode, fakePlan } from '../../api/links/fakeFleet.ts'
import { enter, finish, queuedRun } from '../../api/links/fakeRuns.ts'
import type { ResyncOperation } from '../../stores/operations.ts'
import { resyncState } from './resyncState.ts'

const nowMs = 1_800_000_000_000
const node = fakeNode(1, nowMs)

const queued = (number: number) =>
  queuedRun({
    id: fakeId<RunId>(3, number),
    batchId: fakeId<BatchId>(4, 1),
    key: 'some-test-key' as IdempotencyKey,
    plan: fakePlan,
    node,
    atMs: nowMs,
    seq: 1,
  })

const operation = (runIds: readonly RunId[] | null): ResyncOperation => ({
  kind: 'resync',
  key: 'some-test-key' as IdempotencyKey,
  nodeIds: [node.id],
  startedAt: nowMs,
  error: null,
  runIds,
})

const succeeded = (number: number) => finish(enter(queued(number), 'VERIFY', nowMs), 'succeeded', nowMs)

describe('how far a resync has come', () => {
  it('is asking until the engine has answered', () => {
    expect(resyncState(operation(null), [])).toEqual({ status: 'asking' })
  })

  it('says so when no plan reaches the node', () => {
    expect(resyncState(operation([]), [])).toEqual({ status: 'nothing' })
  })

  it('is not done while a run is missing from the replica', () => {
    const run = succeeded(1)
    expect(resyncState(operation([run.id, queued(2).id]), [run]).status).toBe('working')
  })

  it('is not done when a run ended well without a proof: green means read back', () => {
    const run = { ...succeeded(1), proof: null }
    expect(resyncState(operation([run.id]), [run]).status).not.toBe('verified')
  })

  it('is verified when every run has brought its proof', () => {
    const runs = [succeeded(1), succeeded(2)]
    expect(resyncState(operation(runs.map((run) => run.id)), runs).status).toBe('verified')
  })

  it('tells failed from canceled from held back', () => {
    const ended = (outcome: 'failed' | 'canceled' | 'halted') =>
      finish(enter(queued(1), 'PUSH_SYNC', nowMs), outcome, nowMs)
    for (const outcome of ['failed', 'canceled', 'halted'] as const) {
      const run = ended(outcome)
      expect(resyncState(operation([run.id]), [run]).status).toBe(outcome)
    }
  })
})
