import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { AgentSpec, Plan } from '../../shared/model/plan.ts'
import { DisplayName } from '../../shared/model/text.ts'
import { agentPlanName, agentPlanSelector } from './agentPlan.ts'
import { assignPlans, selects, withPlan } from './assignment.ts'
import { parseFilter } from './filter.ts'

const spec = AgentSpec.parse({
  storage: { address: 'storage.internal', port: 22, user: 'sync' },
  push: [{ source: '/a', target: '/b' }],
  pull: [],
})
const planFor = (name: string): Plan =>
  Plan.parse({
    id: '01900000-0000-7000-8000-0000000000aa',
    name: agentPlanName(name, spec),
    kind: 'agent',
    selector: agentPlanSelector(name),
    spec,
    revision: 2,
    digest: 'a'.repeat(64),
    createdAt: 0,
    updatedAt: 0,
  })

describe('the plan of an agent', () => {
  it.each(['vm-1', 'a'.repeat(255), 'ü'.repeat(127), '日本'.repeat(42), 'two words'])(
    'is named for people: %s',
    (name) => {
      for (const number of [1, 2, 999])
        expect(DisplayName.safeParse(agentPlanName(name, spec, number)).success).toBe(true)
      expect(agentPlanName(name, spec, 2)).not.toBe(agentPlanName(name, spec))
    },
  )

  it.each(['vm-1', 'and', 'a (b) c', 'x"y', 'kind:vps', '*', 'not'])(
    'reaches its own node and nobody else: %s',
    (name) => {
      const plan = planFor(name)
      expect(parseFilter(plan.selector).ok).toBe(true)
      expect(selects(plan, aNode({ name, transport: 'poll' }))).toBe(true)
      expect(selects(plan, aNode({ name, transport: 'push' }))).toBe(false)
      expect(selects(plan, aNode({ name: `${name} 2`, transport: 'poll' }))).toBe(false)
      expect(selects(plan, aNode({ name: `A${name}`, transport: 'poll' }))).toBe(false)
    },
  )

  it('stays with a node that was renamed, and with nobody else', () => {
    const plan = planFor('vm-1')
    const node = withPlan(aNode({ name: 'vm-1', transport: 'poll' }), plan)
    expect(assignPlans({ ...node, name: 'web-9' }, [plan]).plans).toEqual(node.plans)
    expect(assignPlans({ ...node, name: 'web-9', transport: 'push' }, [plan]).plans).toEqual([])
    expect(assignPlans(aNode({ name: 'web-9', transport: 'poll' }), [plan]).plans).toEqual([])
  })

  it('becomes part of the node without touching other plans, and keeps what was observed', () => {
    const plan = planFor('vm-1')
    const added = withPlan(aNode({ name: 'vm-1' }), plan)
    expect(added.plans).toMatchObject([{ planId: plan.id, desiredRevision: 2, observed: null }])
    const observed = {
      revision: 2,
      digest: 'b'.repeat(64),
      verifiedAt: 1,
      runId: '01900000-0000-7000-8000-0000000000cc',
    }
    const other = { ...added.plans[0], planId: '01900000-0000-7000-8000-0000000000ab', planName: 'other' }
    const seen = aNode({ name: 'vm-1', plans: [other, { ...added.plans[0], observed }] })
    const next = withPlan(seen, { ...plan, revision: 3 })
    expect(next.plans).toMatchObject([
      { planName: 'other', desiredRevision: 2 },
      { desiredRevision: 3, observed },
    ])
  })
})
