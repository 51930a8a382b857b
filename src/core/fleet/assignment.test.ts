import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { Plan } from '../../shared/model/plan.ts'
import { assignPlans, parseSelector, selects } from './assignment.ts'

function aPlan(overrides: object = {}): Plan {
  return Plan.parse({
    id: '01900000-0000-7000-8000-0000000000aa',
    name: 'site',
    kind: 'tree',
    selector: 'kind:vps',
    spec: { push: { source: '/srv/site', target: '~/site' } },
    revision: 1,
    digest: 'a'.repeat(64),
    createdAt: 0,
    updatedAt: 0,
    ...overrides,
  })
}

describe('plan assignment', () => {
  it('gives a node one state for each plan that selects it', () => {
    const node = assignPlans(aNode(), [
      aPlan(),
      aPlan({ id: '01900000-0000-7000-8000-0000000000ab', selector: 'kind:laptop' }),
    ])
    expect(node.plans).toHaveLength(1)
    expect(node.plans[0]).toMatchObject({ planName: 'site', desiredRevision: 1, observed: null })
  })

  it('keeps what was observed when the plan changes, so that the node shows as behind', () => {
    const before = assignPlans(aNode(), [aPlan()])
    const observed = {
      revision: 1,
      digest: 'b'.repeat(64),
      verifiedAt: 5,
      runId: '01900000-0000-7000-8000-0000000000bb',
    }
    const verified = aNode({ ...before, plans: [{ ...before.plans[0], observed }] })
    const after = assignPlans(verified, [aPlan({ revision: 2 })])
    expect(after.plans[0]).toMatchObject({ desiredRevision: 2, observed: { revision: 1 } })
  })

  it('drops the state of a plan that no longer selects the node', () => {
    const before = assignPlans(aNode(), [aPlan()])
    expect(assignPlans(before, [aPlan({ selector: 'kind:laptop' })]).plans).toEqual([])
  })

  it('refuses selectors that change from minute to minute', () => {
    expect(parseSelector('kind:vps and tile:error')).toMatchObject({ ok: false, position: 13 })
    expect(parseSelector('kind:vps and label.stage:prod')).toMatchObject({ ok: true })
  })

  it('D10 leaves the node of an agent to its agent, whatever a selector says', () => {
    const everything = aPlan({ selector: '' })
    expect(selects(everything, aNode({ transport: 'push' }))).toBe(true)
    expect(selects(everything, aNode({ transport: 'poll' }))).toBe(false)
  })
})
