import { implement } from '@orpc/server'
import { commitBefore } from '../../../core/repository/rollback.ts'
import { contract } from '../../../shared/contract/index.ts'
import type { RepositoryImport } from '../../../shared/contract/repositories.ts'
import { AppError } from '../../../shared/errors.ts'
import type { IdempotencyKey, PlanId } from '../../../shared/model/ids.ts'
import { NodeInput } from '../../../shared/model/node.ts'
import { PlanInput } from '../../../shared/model/plan.ts'
import {
  type CommitHash,
  RepositoryInput,
  type SentinelReading,
  type WantedRef,
} from '../../../shared/model/repository.ts'
import type { Run } from '../../../shared/model/run.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeId, fakePlan } from './fakeFleet.ts'
import type { FakeRepositories } from './fakeRepositories.ts'

/** What any configuration of the sources comes to here. */
function imported(text: string, name: string): RepositoryImport {
  if (!text.includes('repository')) throw new AppError('INVALID_INPUT', 'The text has no section "repository".')
  return {
    repository: RepositoryInput.parse({ name, checkout: { kind: 'here', directory: '/home/thadmin/th_timmy' } }),
    nodes: ['vm01', 'vm02', 'vm03'].map((vm, index) =>
      NodeInput.parse({ name: vm, kind: 'vm', address: `10.0.0.${11 + index}`, user: 'thadmin' }),
    ),
    plans: [
      PlanInput.parse({
        name: `${name} tree`,
        kind: 'repository',
        selector: 'name:vm01 or name:vm02 or name:vm03',
        spec: { repository: name, targets: { vm02: '/opt/th_timmy' } },
      }),
    ],
    notes: ['vm04 holds the repository itself, so nothing is delivered to it.'],
  }
}

/** Procedures about repositories. */
export function repositoryRoutes(engine: FakeEngine, fake: FakeRepositories) {
  const os = implement(contract)
  const push = (key: IdempotencyKey, plans: readonly PlanId[], nodes: ReturnType<FakeEngine['nodesOf']>) => {
    const { batchId, runs } = engine.push(key, nodes, plans)
    const [plan] = plans
    const repository = plan === undefined ? null : fake.find(fake.plan(plan).spec.repository)
    const report = repository?.settings.scan.enabled === true ? fake.scan(repository) : null
    const held: readonly Run[] = report?.status === 'blocked' ? fake.holdBack(runs, report) : runs
    return { batchId, runs: [...held] }
  }
  const deploy = (key: IdempotencyKey, reference: string, ref: WantedRef) => {
    const plan = fake.want(fake.plan(reference), ref)
    return push(key, [plan.id], [...engine.nodes.values()])
  }
  const previousOf = (reference: string): CommitHash => {
    const plan = fake.plan(reference)
    const states = [...engine.nodes.values()].flatMap(({ plans }) =>
      plans.flatMap((state) => (state.planId === plan.id ? [state.observed] : [])),
    )
    const commit = commitBefore(states, fake.resolve(fake.find(plan.spec.repository), plan.spec.ref))
    if (commit === null) throw new AppError('PRECONDITION_FAILED', 'No node of this plan had another commit before.')
    return commit
  }
  return {
    repositories: {
      list: os.repositories.list.handler(() => [...fake.repositories.values()]),
      get: os.repositories.get.handler(({ input }) => fake.find(input.repository)),
      add: os.repositories.add.handler(({ input }) => fake.add(input.repository, input.token)),
      change: os.repositories.change.handler(({ input }) => fake.change(input.repository, input.settings, input.token)),
      remove: os.repositories.remove.handler(({ input }) => ({ id: fake.remove(input.repository) })),
      import: os.repositories.import.handler(({ input }) => {
        const found = imported(input.text, input.name)
        if (!input.apply) return found
        fake.add(found.repository)
        for (const [index, plan] of found.plans.entries())
          engine.savePlan({
            ...plan,
            id: fakeId<PlanId>(2, 900 + index),
            revision: 1,
            digest: fakePlan.digest,
            createdAt: engine.now(),
            updatedAt: engine.now(),
          })
        return found
      }),
      refresh: os.repositories.refresh.handler(({ input }) => fake.fetch(input.repository)),
      commits: os.repositories.commits.handler(({ input }) => {
        const repository = fake.find(input.repository)
        const line = fake.line(repository, fake.resolve(repository, input.ref))
        const start = input.after === undefined ? 0 : line.findIndex(({ commit }) => commit === input.after) + 1
        return line.slice(start, start + input.limit)
      }),
      targets: os.repositories.targets.handler(({ input }) => fake.targets(fake.find(input.repository))),
      sync: os.repositories.sync.handler(({ input }) => {
        const repository = fake.fetch(input.repository)
        const plans = fake
          .plansOf(repository.settings.name)
          .filter(({ id, name }) => input.plans.length === 0 || input.plans.includes(id) || input.plans.includes(name))
        const commits = Object.fromEntries(
          plans.flatMap((plan) => {
            const commit = fake.resolve(repository, plan.spec.ref)
            return commit === null ? [] : [[plan.id, commit]]
          }),
        )
        const ids = plans.map(({ id }) => id)
        return { ...push(input.idempotencyKey, ids, ids.length === 0 ? [] : engine.nodesOf(input.targets)), commits }
      }),
      deploy: os.repositories.deploy.handler(({ input }) => deploy(input.idempotencyKey, input.plan, input.ref)),
      rollback: os.repositories.rollback.handler(({ input }) => {
        const commit = previousOf(input.plan)
        return { ...deploy(input.idempotencyKey, input.plan, { kind: 'commit', commit }), commit }
      }),
      verify: os.repositories.verify.handler(({ input }) =>
        fake
          .targets(fake.find(input.repository))
          .filter(({ nodeId }) => input.nodes.length === 0 || input.nodes.includes(nodeId))
          .map(({ planId, nodeId, observed, desired }): SentinelReading => {
            const expected = input.expected ?? desired
            const status = observed === null ? 'absent' : observed === expected ? 'matches' : 'differs'
            return { planId, nodeId, readAt: engine.now(), status, expected, found: observed, diagnosis: null }
          }),
      ),
      preview: os.repositories.preview.handler(({ input }) => {
        const plan = fake.plan(input.plan)
        const commit = fake.resolve(fake.find(plan.spec.repository), plan.spec.ref)
        if (commit === null) throw new AppError('REF_NOT_FOUND', 'Nothing was fetched yet. Fetch it first.')
        const added = ['services/api/health.py', 'docs/rotation.md']
        const changed = Array.from({ length: 14 }, (_, index) => `services/api/handlers/part_${index}.py`)
        const deleted = ['services/api/old_health.py']
        return { commit, added, changed, deleted, totals: { added: 2, changed: 14, deleted: 1 }, bytes: 48_211 }
      }),
      findings: os.repositories.findings.handler(({ input }) => fake.report(fake.find(input.repository).id)),
      scan: os.repositories.scan.handler(({ input }) =>
        input.commit === null
          ? fake.scan(fake.find(input.repository))
          : fake.scan(fake.find(input.repository), input.commit),
      ),
      allowed: os.repositories.allowed.handler(({ input }) => {
        const { id } = fake.find(input.repository)
        return fake.allowed.filter(({ repositoryId }) => repositoryId === id)
      }),
      allow: os.repositories.allow.handler(({ input: { repository, hash, ...words } }) =>
        fake.allow(fake.find(repository), hash, words),
      ),
      disallow: os.repositories.disallow.handler(({ input }) => {
        fake.disallow(fake.find(input.repository), input.hash)
        return { hash: input.hash }
      }),
    },
  }
}
