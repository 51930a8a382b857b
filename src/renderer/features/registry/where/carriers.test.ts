import { describe, expect, it } from 'vitest'
import { aNode } from '../../../../../test/fakes/aNode.ts'
import { matchesFilter, parseFilter } from '../../../../core/fleet/filter.ts'
import type { PlanId, RunId } from '../../../../shared/model/ids.ts'
import type { FleetNode, PlanState } from '../../../../shared/model/node.ts'
import { HostsSpec, type PlanOf, RoutesSpec } from '../../../../shared/model/plan.ts'
import { fakeDiagnosis, fakeDigest, fakeId, fakePlan } from '../../../api/links/fakeFleet.ts'
import { carriersFor, carriersOf, carryState, planFilter, tallyOf } from './carriers.ts'

const shared = { revision: 3, digest: fakeDigest(3), createdAt: 0, updatedAt: 0 }
const routes: PlanOf<'routes'> = {
  ...shared,
  id: fakeId<PlanId>(2, 11),
  name: 'routes',
  kind: 'routes',
  selector: 'kind:vps',
  spec: RoutesSpec.parse({ routes: { domain: 'example.com' } }),
}
const hosts: PlanOf<'hosts'> = {
  ...shared,
  id: fakeId<PlanId>(2, 12),
  name: 'hosts "all"',
  kind: 'hosts',
  selector: '*',
  spec: HostsSpec.parse({ hosts: { domain: 'example.com' } }),
}

const state = (
  plan: PlanOf<'routes'> | PlanOf<'hosts'>,
  revision: number | null,
  driftSince: number | null = null,
): PlanState => ({
  planId: plan.id,
  planName: plan.name,
  desiredRevision: 3,
  observed:
    revision === null ? null : { revision, digest: fakeDigest(revision), verifiedAt: 1, runId: fakeId<RunId>(3, 1) },
  driftSince,
  lastRunId: null,
})
const reachable = { status: 'reachable', since: 0, checkedAt: 0, clockSkewMs: 0 } as const
const silent: FleetNode['reachability'] = {
  status: 'unreachable',
  since: 0,
  checkedAt: 0,
  diagnosis: fakeDiagnosis('CONNECTION_TIMED_OUT', 'no answer', 'no answer', [], ['wait', 'Wait'], true),
}

describe('which service is where', () => {
  it('S1F.6 counts as proven only what was read back in the newest revision from a node that answers', () => {
    const node = { reachability: reachable }
    expect(carryState(state(routes, 3), node)).toBe('proven')
    expect(carryState(state(routes, 2), node)).toBe('behind')
    expect(carryState(state(routes, 3, 5), node)).toBe('drift')
    expect(carryState(state(routes, null), node)).toBe('never')
    expect(carryState(state(routes, 3), { reachability: silent })).toBe('silent')
  })

  it('S1.26 S1.54 a public service is on every node that gets routes or hosts, any other on those with hosts alone', () => {
    const nodes = [
      aNode({ name: 'edge', kind: 'vps', plans: [state(routes, 3), state(hosts, 2)] }),
      aNode({ name: 'ana', kind: 'laptop', id: fakeId(1, 2), plans: [state(hosts, 3)] }),
    ]
    const carriers = carriersOf([fakePlan, routes, hosts], nodes)
    expect(carriers.map(({ plan }) => plan.kind)).toEqual(['hosts', 'routes'])
    expect(tallyOf(carriersFor(carriers, { public: true }))).toEqual({ wanted: 3, proven: 2 })
    expect(tallyOf(carriersFor(carriers, { public: false }))).toEqual({ wanted: 2, proven: 1 })
  })

  it('S1F.6 the filter of a plan means its nodes, whatever it is called', () => {
    const node = aNode({ name: 'edge', plans: [state(hosts, 3)] })
    const parsed = parseFilter(planFilter(hosts))
    expect(parsed.ok && matchesFilter(parsed.filter, node, 0)).toBe(true)
    const open = parseFilter(planFilter(hosts, true))
    expect(open.ok).toBe(true)
  })
})
