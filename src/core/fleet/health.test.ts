import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { computeTile, countFills, countKeySharers } from './health.ts'

const planId = '01900000-0000-7000-8000-0000000000aa'
const runId = '01900000-0000-7000-8000-0000000000bb'
const digest = 'a'.repeat(64)
const nowMs = 1_800_000_000_000

const diagnosis = {
  code: 'CONNECTION_REFUSED',
  sentence: 'node-01 refused the connection on port 22.',
  short: 'connection refused',
  evidence: ['ECONNREFUSED'],
  nextAction: { kind: 'wait', label: 'Wait' },
  transient: true,
}

function verifiedPlan(overrides: object = {}): object {
  return {
    planId,
    planName: 'site',
    desiredRevision: 2,
    observed: { revision: 2, digest, verifiedAt: nowMs - 1000, runId },
    driftSince: null,
    lastRunId: runId,
    ...overrides,
  }
}

const inStep = {
  status: 'active',
  lastSyncAt: nowMs - 1000,
  lastAttemptAt: nowMs - 1000,
  reachability: { status: 'reachable', since: 0, checkedAt: nowMs, clockSkewMs: 0 },
  plans: [verifiedPlan()],
}

const fillOf = (overrides: object): string => computeTile(aNode(overrides), nowMs).fill

describe('tile (N1)', () => {
  it('is green only when every plan was read back at the wanted revision', () => {
    expect(fillOf(inStep)).toBe('in-step')
    expect(computeTile(aNode(inStep), nowMs).verifiedAt).toBe(nowMs - 1000)
  })

  it.each([
    ['an older revision was verified', { plans: [verifiedPlan({ desiredRevision: 3 })] }, 'pending'],
    ['one of two plans was never verified', { plans: [verifiedPlan(), verifiedPlan({ observed: null })] }, 'pending'],
    ['a later look found something else', { plans: [verifiedPlan({ driftSince: nowMs })] }, 'pending'],
    ['no plan selects it', { plans: [] }, 'pending'],
    ['S1.63 the last cycle failed', { status: 'pending_sync' }, 'pending'],
    ['S1.64 failures persist', { status: 'error' }, 'error'],
    [
      'it does not answer',
      { reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis } },
      'unreachable',
    ],
    ['a safety stop waits for a person', { haltedRunId: runId }, 'halted'],
    ['it is in maintenance', { maintenance: true, status: 'error' }, 'maintenance'],
    ['it was never tried', { lastSyncAt: null, lastAttemptAt: null, plans: [] }, 'never-synced'],
  ])('is not green when %s', (_name, overrides, fill) => {
    expect(fillOf({ ...inStep, ...overrides })).toBe(fill)
  })

  it('says why: the words of the diagnosis', () => {
    const tile = computeTile(
      aNode({ ...inStep, reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis } }),
      nowMs,
    )
    expect(tile.short).toBe('connection refused')
    expect(tile.diagnosis?.code).toBe('CONNECTION_REFUSED')
  })

  it.each([
    [57_600_000, 'ok'],
    [3_599_999, 'soon'],
    [599_999, 'critical'],
    [0, 'expired'],
    [-5000, 'expired'],
  ])('with %i ms of certificate left it is %s', (leftMs, level) => {
    const certificate = {
      serial: '1',
      authorityFingerprint: null,
      validAfter: nowMs - 1000,
      validBefore: nowMs + leftMs,
      acceptedAt: null,
    }
    expect(computeTile(aNode({ certificate }), nowMs).certificate.level).toBe(level)
  })

  it('D9 a node with a static key is marked, and may be green', () => {
    const login = { kind: 'static-key', keyFile: '/keys/fleet' }
    const tile = computeTile(aNode({ ...inStep, login, certificate: null }), nowMs)
    expect(tile).toMatchObject({ fill: 'in-step', certificate: { level: 'static-key', shareLeft: 1 } })
  })

  it('D9 S1.88 a key is shared when several nodes name the same file', () => {
    const withKey = (keyFile: string) => aNode({ login: { kind: 'static-key', keyFile } })
    const nodes = [withKey('/keys/fleet'), withKey('/keys/fleet'), withKey('/keys/own'), aNode()]
    expect(countKeySharers(nodes, '/keys/fleet')).toBe(2)
    expect(countKeySharers(nodes, '/keys/own')).toBe(1)
  })

  it('counts each node once', () => {
    const counts = countFills([aNode(inStep), aNode(), aNode({ maintenance: true })], nowMs)
    expect(counts).toMatchObject({ 'in-step': 1, 'never-synced': 1, maintenance: 1, error: 0 })
  })
})
