import { describe, expect, it } from 'vitest'
import { aNode } from '../../../../test/fakes/aNode.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { StateWatch } from './stateNotices.ts'

const nowMs = 1_000_000
const idOf = (at: number): FleetNode['id'] =>
  `01900000-0000-7000-8000-${String(at).padStart(12, '0')}` as FleetNode['id']

const refused = {
  code: 'CONNECTION_REFUSED' as const,
  sentence: 'node refused the connection.',
  short: 'connection refused',
  evidence: [],
  nextAction: { kind: 'wait' as const, label: 'Wait' },
  transient: true,
}
const well = (at: number): FleetNode => aNode({ id: idOf(at), name: `node-${at}` })
const away = (at: number): FleetNode => ({
  ...well(at),
  reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis: refused },
})
const waiting = (at: number): FleetNode => aNode({ id: idOf(at), name: `node-${at}`, lastAttemptAt: nowMs - 1000 })
const observed = { revision: 1, digest: 'a'.repeat(64), verifiedAt: nowMs - 1000, runId: idOf(8) }
const inStep = (at: number): FleetNode =>
  aNode({
    id: idOf(at),
    name: `node-${at}`,
    status: 'active',
    lastSyncAt: nowMs - 1000,
    lastAttemptAt: nowMs - 1000,
    reachability: { status: 'reachable', since: 0, checkedAt: nowMs, clockSkewMs: 0 },
    plans: [{ planId: idOf(7), planName: 'site', desiredRevision: 1, observed, driftSince: null, lastRunId: idOf(8) }],
  })
const fleet = (...nodes: FleetNode[]): Map<FleetNode['id'], FleetNode> => new Map(nodes.map((node) => [node.id, node]))

describe('StateWatch', () => {
  it('is silent about what it finds first, and about what stays', () => {
    const watch = new StateWatch()
    expect(watch.look(fleet(away(1), well(2)), nowMs)).toEqual([])
    expect(watch.look(fleet(away(1), well(2)), nowMs)).toEqual([])
    expect(watch.look(fleet(away(1), well(2), away(3)), nowMs)).toEqual([])
  })

  it('tells once when a node goes away, with the cause and the way to it', () => {
    const watch = new StateWatch()
    watch.look(fleet(well(1)), nowMs)
    expect(watch.look(fleet(away(1)), nowMs)).toEqual([
      { title: 'node-1: unreachable', body: 'node refused the connection.', hash: `#/fleet?node=${idOf(1)}` },
    ])
    expect(watch.look(fleet(away(1)), nowMs)).toEqual([])
  })

  it('tells that a node is in step again, also when it was brought up to date on the way', () => {
    const watch = new StateWatch()
    watch.look(fleet(inStep(1)), nowMs)
    expect(watch.look(fleet(away(1)), nowMs)).toHaveLength(1)
    expect(watch.look(fleet(waiting(1)), nowMs)).toEqual([])
    expect(watch.look(fleet(inStep(1)), nowMs)).toEqual([expect.objectContaining({ title: 'node-1: in step' })])
    expect(watch.look(fleet(waiting(1)), nowMs)).toEqual([])
    expect(watch.look(fleet(inStep(1)), nowMs), 'work without trouble is no news').toEqual([])
  })

  it('tells many at once as one', () => {
    const watch = new StateWatch()
    watch.look(fleet(well(1), well(2), well(3), well(4), well(5)), nowMs)
    const notices = watch.look(fleet(away(1), away(2), away(3), away(4), well(5)), nowMs)
    expect(notices).toEqual([
      expect.objectContaining({ title: '4 nodes: unreachable', body: 'node-1, node-2, node-3 and 1 more.' }),
    ])
  })

  it('forgets a node that is gone', () => {
    const watch = new StateWatch()
    watch.look(fleet(well(1)), nowMs)
    watch.look(fleet(), nowMs)
    expect(watch.look(fleet(away(1)), nowMs)).toEqual([])
  })
})
