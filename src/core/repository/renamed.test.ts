import { expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { Plan } from '../../shared/model/plan.ts'
import { plansMovedByName, withoutProofsOf } from './renamed.ts'

const planOf = (digit: string, kind: Plan['kind'], spec: object): Plan =>
  Plan.parse({
    id: `01900000-0000-7000-8000-0000000000${digit.padStart(2, '0')}`,
    name: `plan-${digit}`,
    kind,
    selector: '*',
    spec,
    revision: 1,
    digest: 'a'.repeat(64),
    createdAt: 0,
    updatedAt: 0,
  })

it('S2.19 D17 a node with another name has lost the proofs that were of a directory of the old name', () => {
  const own = planOf('1', 'repository', { repository: 'project', targets: { 'node-01': '/srv/project' } })
  const same = planOf('2', 'repository', { repository: 'project' })
  const copies = planOf('3', 'tree', { pull: { source: '~/data', target: '/backup/{node}' } })
  const tree = planOf('4', 'tree', { push: { source: '/site', target: '~/site' } })
  const plans = [own, same, copies, tree]
  const observed = { revision: 1, digest: 'b'.repeat(64), verifiedAt: 1, runId: '01900000-0000-7000-8000-00000000000a' }
  const before = aNode({
    plans: plans.map(({ id, name }) => ({
      planId: id,
      planName: name,
      desiredRevision: 1,
      observed,
      driftSince: null,
      lastRunId: null,
    })),
  })
  const after = { ...before, name: 'node-02' }
  const moved = plansMovedByName(before, after, plans)
  expect([...moved]).toEqual([own.id, copies.id])
  const proven = withoutProofsOf(after, moved).plans.filter((state) => state.observed !== null)
  expect(proven.map(({ planId }) => planId)).toEqual([same.id, tree.id])
  expect(plansMovedByName(before, before, plans).size).toBe(0)
})
