import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { healthOf, renderHealth } from './health.ts'

const nowMs = Date.parse('2026-03-01T10:00:00Z')
const runId = '01900000-0000-7000-8000-0000000000bb'
const observed = { revision: 2, digest: 'a'.repeat(64), verifiedAt: nowMs, runId }
const plan = {
  planId: '01900000-0000-7000-8000-0000000000aa',
  planName: 'routes',
  desiredRevision: 2,
  observed,
  driftSince: null,
  lastRunId: runId,
}
const inStep = {
  status: 'active',
  lastSyncAt: nowMs,
  lastAttemptAt: nowMs,
  reachability: { status: 'reachable', since: 0, checkedAt: nowMs, clockSkewMs: 0 },
  plans: [plan],
}
const unreachable = {
  status: 'unreachable',
  since: 0,
  checkedAt: nowMs,
  diagnosis: {
    code: 'NODE_UNREACHABLE',
    sentence: 'far did not answer.\nevil',
    short: 'unreachable',
    evidence: [],
    nextAction: { kind: 'wait', label: 'Wait' },
    transient: true,
  },
}

describe('health', () => {
  it('S1.70 S1.102 S1.103 names group, status, last sync in ISO time, and the mark of each node', () => {
    const nodes = [
      aNode({ ...inStep, name: 'vinay-laptop', kind: 'laptop' }),
      aNode({ ...inStep, name: 'edge', kind: 'vps' }),
      aNode({ ...inStep, name: 'far', kind: 'vps', status: 'pending_sync', reachability: unreachable }),
      aNode({ ...inStep, name: 'bad', kind: 'storage', status: 'error' }),
    ]
    expect(renderHealth(healthOf(nodes, nowMs))).toBe(
      [
        'Management Laptops:',
        '• vinay-laptop: active (last sync: 2026-03-01T10:00:00Z) ✓',
        '',
        'VPS Edge Nodes:',
        '• edge: active (last sync: 2026-03-01T10:00:00Z) ✓',
        '• far: pending_sync (last sync: 2026-03-01T10:00:00Z) ⏳ will retry next cycle',
        '    far did not answer.\\nevil',
        '',
        'Worker Nodes:',
        '',
        'Storage Nodes:',
        '• bad: error (last sync: 2026-03-01T10:00:00Z) ✗ keeps failing, needs you',
        '',
      ].join('\n'),
    )
  })

  it('S1.103 is well only when every node was read back: an active node with drift or an older revision is not', () => {
    const well = (overrides: object): boolean => healthOf([aNode({ ...inStep, ...overrides })], nowMs).well
    expect(well({})).toBe(true)
    expect(well({ maintenance: true, status: 'error' })).toBe(true)
    expect(well({ plans: [{ ...plan, driftSince: 1 }] })).toBe(false)
    expect(well({ plans: [{ ...plan, desiredRevision: 3 }] })).toBe(false)
    expect(well({ status: 'pending_sync' })).toBe(false)
  })
})
