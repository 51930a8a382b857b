import { describe, expect, it } from 'vitest'
import type { PlanId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { Plan } from '../../../../shared/model/plan.ts'
import { countStandings, krlCoverage } from './coverage.ts'

const planId = 'krl-plan' as PlanId
const plans = new Map<PlanId, Plan>([[planId, { id: planId, kind: 'krl' } as Plan]])
const node = (
  version: number | null,
  options: { readonly planned?: boolean; readonly transport?: 'push' | 'poll' } = {},
) =>
  ({
    transport: options.transport ?? 'push',
    krl: version === null ? null : { version, verifiedAt: 1 },
    plans: options.planned === false ? [] : [{ planId }],
  }) as unknown as FleetNode

const standings = (nodes: readonly FleetNode[], version: number) =>
  krlCoverage(nodes, plans, version).map((row) => row.standing)

describe('coverage of the revocation list', () => {
  it('F56 calls a node current only when it has proven the version there is now', () => {
    expect(standings([node(7), node(6), node(null), node(8)], 7)).toEqual(['current', 'behind', 'unproven', 'current'])
  })

  it('F56 never calls a node current that no plan brings the list to, whatever it proved before', () => {
    expect(standings([node(7, { planned: false })], 7)).toEqual(['none'])
    expect(standings([node(0, { planned: false })], 0)).toEqual(['none'])
  })

  it('leaves out nodes that report by themselves', () => {
    expect(standings([node(7, { transport: 'poll' })], 7)).toEqual([])
  })

  it('counts them', () => {
    expect(countStandings(krlCoverage([node(7), node(7), node(null)], plans, 7))).toEqual({
      current: 2,
      behind: 0,
      unproven: 1,
      none: 0,
    })
  })
})
