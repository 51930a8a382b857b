import { hash } from 'node:crypto'
import { z } from 'zod'
import { refWords, resolveRef } from '../../core/repository/resolveRef.ts'
import { commitBefore } from '../../core/repository/rollback.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import { type BatchId, type IdempotencyKey, NodeId, PlanId, type RepositoryId } from '../../shared/model/ids.ts'
import { CommitHash, type Repository, type WantedRef } from '../../shared/model/repository.ts'
import type { Run } from '../../shared/model/run.ts'
import { resolvePlan } from '../fleet/resolve.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'
import { chosenPlans, namedNodes, repositoryPlan, wantedOf } from './chosen.ts'
import { removeDue } from './due.ts'
import type { Fetching } from './fetching.ts'
import {
  type ApplyPlan,
  type BeginRuns,
  type RepositoryParts,
  type RepositoryPlan,
  resolveRepository,
} from './parts.ts'

/** What brings commits to nodes. The same key gives the same runs, whatever the remote has meanwhile. */
export interface Deliveries {
  /** Fetches, then begins a run for each target (S2.12-14). */
  sync(order: SyncOrder, operator: string): Promise<Delivery & { readonly commits: Record<PlanId, CommitHash> }>
  /** Makes a plan want another ref and brings it. */
  deploy(order: DeployOrder, operator: string): Promise<Delivery>
  /** @throws PRECONDITION_FAILED when no node had another commit before */
  rollback(order: Omit<DeployOrder, 'ref'>, operator: string): Promise<Delivery & { readonly commit: CommitHash }>
}

export interface SyncOrder {
  readonly idempotencyKey: IdempotencyKey
  readonly repository: string
  readonly plans: readonly string[]
  readonly targets: PushTargets
  readonly force: boolean
}

export interface DeployOrder {
  readonly idempotencyKey: IdempotencyKey
  readonly plan: string
  readonly ref: WantedRef
}

export interface Delivery {
  readonly batchId: BatchId
  readonly runs: Run[]
}

export interface DeliveriesDependencies extends Pick<RepositoryParts, 'store' | 'clock' | 'mirrors'> {
  readonly fetching: Fetching
  readonly applyPlan: ApplyPlan
  readonly beginRuns: BeginRuns
}

/** What was decided for a key, before any run was registered. */
const Decision = z.object({
  asked: z.string(),
  /** Each plan with the commit it wanted then. */
  commits: z.record(PlanId, CommitHash),
  /** Of a sync of named nodes, each with those of the plans that select it. */
  nodeIds: z.array(NodeId).optional(),
})
type Decision = z.infer<typeof Decision>

const decisionSetting = (key: IdempotencyKey): string => `repository.request.${hash('sha256', key, 'hex')}`

async function decided(
  reader: Pick<StoreReader, 'getSetting'>,
  key: IdempotencyKey,
  asked: string,
): Promise<Decision | null> {
  const text = await reader.getSetting(decisionSetting(key))
  if (text === null) return null
  const decision = Decision.parse(JSON.parse(text))
  if (decision.asked === asked) return decision
  throw new AppError(
    'CONFLICT',
    'This idempotency key was used for something else. Make a new key for a new request.',
    { data: { field: 'idempotencyKey' } },
  )
}

export function createDeliveries(dependencies: DeliveriesDependencies): Deliveries {
  const { store, clock, fetching, beginRuns } = dependencies

  async function decide(
    key: IdempotencyKey,
    asked: string,
    body: (transaction: StoreTransaction) => Promise<Omit<Decision, 'asked'>>,
  ): Promise<Decision> {
    return store.transact(async (transaction) => {
      // Another call with this key may have been faster.
      const known = await decided(transaction, key, asked)
      if (known !== null) return known
      const decision = { asked, ...(await body(transaction)) }
      await transaction.setSetting(decisionSetting(key), JSON.stringify(decision))
      return decision
    })
  }

  async function sync(order: SyncOrder, operator: string) {
    const { idempotencyKey: key, targets, force } = order
    const { id } = await resolveRepository(store, order.repository)
    const asked = JSON.stringify(['sync', id, order.plans, targets, force])
    const decision = (await decided(store, key, asked)) ?? (await fetchAndDecide(order, { id, asked }, operator))
    const { nodeIds, commits } = decision
    const { batchId, runs } = await beginRuns({
      idempotencyKey: key,
      plans: Object.keys(commits),
      targets: nodeIds === undefined ? targets : { kind: 'ready', nodeIds },
      ...(force ? { force } : {}),
      trigger: 'operator',
      requestedBy: operator,
    })
    if (targets.kind === 'all') await forgetDue(id, runs)
    return { batchId, commits, runs }
  }

  async function fetchAndDecide(
    { idempotencyKey: key, plans: wanted, targets, force }: SyncOrder,
    { id, asked }: { readonly id: RepositoryId; readonly asked: string },
    operator: string,
  ): Promise<Decision> {
    await chosenPlans(store, await resolveRepository(store, id), wanted)
    await fetching.fetch(id, { force })
    return decide(key, asked, async (transaction) => {
      const repository = await resolveRepository(transaction, id)
      const plans = await chosenPlans(transaction, repository, wanted)
      const commits = Object.fromEntries(plans.map((plan) => [plan.id, wantedOf(repository, plan)]))
      const detail = { id, plans: plans.map(({ name }) => name), commits, targets, force }
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'repository.sync', subject: repository.settings.name, detail },
      ])
      const nodeIds = wanted.length === 0 ? await namedNodes(transaction, plans, targets) : null
      return nodeIds === null ? { commits } : { commits, nodeIds }
    })
  }

  async function deploy({ idempotencyKey: key, plan: reference, ref }: DeployOrder, operator: string) {
    const plan = repositoryPlan(await resolvePlan(store, reference))
    const asked = JSON.stringify(['deploy', plan.id, ref])
    if ((await decided(store, key, asked)) === null)
      await changeRef({ key, asked, plan, ref, action: 'deploy' }, operator)
    return begin(key, plan, operator)
  }

  async function rollback({ idempotencyKey: key, plan: reference }: Omit<DeployOrder, 'ref'>, operator: string) {
    const plan = repositoryPlan(await resolvePlan(store, reference))
    const asked = JSON.stringify(['rollback', plan.id])
    const decision =
      (await decided(store, key, asked)) ??
      (await changeRef({ key, asked, plan, ref: await before(plan), action: 'rollback' }, operator))
    const commit = decision.commits[plan.id]
    if (commit === undefined) throw new AppError('INTERNAL', 'a roll back was kept without its commit')
    return { ...(await begin(key, plan, operator)), commit }
  }

  async function before(plan: RepositoryPlan): Promise<WantedRef> {
    const repository = await resolveRepository(store, plan.spec.repository)
    const states = (await store.listNodes()).flatMap((node) =>
      node.plans.filter(({ planId }) => planId === plan.id).map(({ observed }) => observed),
    )
    const commit = commitBefore(states, resolveRef(repository, plan.spec.ref))
    if (commit !== null) return { kind: 'commit', commit }
    throw new AppError(
      'PRECONDITION_FAILED',
      `No node of plan "${plan.name}" had another commit before. Deploy the commit you want by its name.`,
      { data: { plan: plan.name } },
    )
  }

  interface RefChange {
    readonly key: IdempotencyKey
    readonly asked: string
    readonly plan: RepositoryPlan
    readonly ref: WantedRef
    readonly action: 'deploy' | 'rollback'
  }

  async function changeRef({ key, asked, plan, ref, action }: RefChange, operator: string): Promise<Decision> {
    await refuseUnknownRef(plan, ref)
    const decision = await decide(key, asked, async (transaction) => {
      const now = repositoryPlan(await resolvePlan(transaction, plan.id))
      const { name, kind, selector, spec } = now
      const applied = repositoryPlan(
        await dependencies.applyPlan(transaction, { name, kind, selector, spec: { ...spec, ref } }, operator),
      )
      const repository = await resolveRepository(transaction, spec.repository)
      const commit = wantedOf(repository, applied)
      const detail = { plan: name, commit, ref, before: spec.ref }
      await transaction.appendAudit([
        {
          at: clock.nowMs(),
          actor: operator,
          action: `repository.${action}`,
          subject: repository.settings.name,
          detail,
        },
      ])
      return { commits: { [now.id]: commit } }
    })
    return decision
  }

  /** What is not here may be at the remote. */
  async function refuseUnknownRef({ spec }: RepositoryPlan, ref: WantedRef): Promise<void> {
    const repository = await resolveRepository(store, spec.repository)
    if (await isHere(repository, ref)) return
    const { repository: fetched } = await fetching.fetch(repository.id, { force: false })
    if (await isHere(fetched, ref)) return
    const { name, defaultBranch } = repository.settings
    throw new AppError(
      'REF_NOT_FOUND',
      `Repository "${name}" has no ${refWords(ref, defaultBranch)}. Correct the ref.`,
      {
        data: { field: 'ref', repository: name },
      },
    )
  }

  async function isHere(repository: Repository, ref: WantedRef): Promise<boolean> {
    const commit = resolveRef(repository, ref)
    return commit !== null && (ref.kind !== 'commit' || dependencies.mirrors.has(repository.id, commit))
  }

  async function begin(key: IdempotencyKey, plan: RepositoryPlan, operator: string): Promise<Delivery> {
    const delivery = await beginRuns({
      idempotencyKey: key,
      plans: [plan.id],
      targets: { kind: 'all' },
      trigger: 'operator',
      requestedBy: operator,
    })
    await forgetDue((await resolveRepository(store, plan.spec.repository)).id, delivery.runs)
    return delivery
  }

  /** These runs bring what was noted to be brought. */
  async function forgetDue(id: RepositoryId, runs: readonly Run[]): Promise<void> {
    const begun = new Map(runs.map(({ planId, planRevision }) => [planId, { id: planId, revision: planRevision }]))
    if (begun.size > 0) await store.transact((transaction) => removeDue(transaction, id, [...begun.values()]))
  }

  return { sync, deploy, rollback }
}
