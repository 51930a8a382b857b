import { parseSelector } from '../../core/fleet/assignment.ts'
import { matchesFilter } from '../../core/fleet/filter.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import { AppError } from '../../shared/errors.ts'
import { demoLabel } from '../../shared/model/demo.ts'
import { type NodeId, PlanId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan, PlanInput } from '../../shared/model/plan.ts'
import type { Store, StoreTransaction } from '../ports.ts'
import { type ContentDigest, planDigest, reassignPlans } from './madePlans.ts'
import { resolvePlan } from './resolve.ts'

export interface PlanServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  /** Of what plans deliver whose content the engine makes. */
  readonly contentDigest: ContentDigest
}

export interface PlanService {
  list(): Promise<Plan[]>
  get(reference: string): Promise<Plan>
  /** Creates or changes, all or none; a plan that says the same as before keeps its revision. */
  apply(plans: readonly PlanInput[], operator: string): Promise<Plan[]>
  /** The same for one plan, as part of something larger. */
  applyIn(transaction: StoreTransaction, plan: PlanInput, operator: string): Promise<Plan>
  /** @throws PRECONDITION_FAILED while one of its runs is open. */
  remove(reference: string, operator: string): Promise<PlanId>
  /** The nodes a selector means now. */
  preview(selector: string): Promise<NodeId[]>
}

function refuseBadSelector(selector: string, planName: string | null): void {
  const result = parseSelector(selector)
  if (result.ok) return
  const where = planName === null ? 'The selector' : `The selector of plan "${planName}"`
  throw new AppError(
    'INVALID_INPUT',
    `${where} does not read: ${result.message} (at character ${result.position + 1}).`,
    {
      data: { field: 'selector', position: result.position },
    },
  )
}

/** A pull into one local directory from several nodes would mix their files: then the path must name the node. */
function refuseSharedPullDirectory(input: PlanInput, nodes: readonly FleetNode[]): void {
  const directory = input.kind === 'tree' ? input.spec.pull?.target : undefined
  if (directory === undefined || directory.includes('{node}')) return
  const result = parseSelector(input.selector)
  const reached = result.ok ? nodes.filter((node) => matchesFilter(result.filter, node, 0)).length : 0
  if (reached <= 1) return
  throw new AppError(
    'INVALID_INPUT',
    `Plan "${input.name}" pulls from ${reached} nodes into ${directory}. Put {node} into spec.pull.target, so that they do not overwrite each other.`,
    {
      data: { field: 'spec.pull.target' },
    },
  )
}

function absoluteTarget(input: PlanInput): { readonly path: string; readonly field: string } | null {
  if (input.kind === 'repository') {
    const paths = [input.spec.target, ...Object.values(input.spec.targets)]
    const path = paths.find((candidate) => candidate.startsWith('/'))
    return path === undefined ? null : { path, field: path === input.spec.target ? 'spec.target' : 'spec.targets' }
  }
  if (input.kind !== 'routes' && input.kind !== 'hosts') return null
  return input.spec.file.startsWith('/') ? { path: input.spec.file, field: 'spec.file' } : null
}

/** Nodes of the demo fleet are directories of this machine: an absolute path there is this machine's own file. */
function refuseFilesOfThisMachine(input: PlanInput, nodes: readonly FleetNode[]): void {
  const target = absoluteTarget(input)
  if (target === null) return
  const result = parseSelector(input.selector)
  const demo = nodes.find(
    (node) => node.labels[demoLabel.key] === demoLabel.value && result.ok && matchesFilter(result.filter, node, 0),
  )
  if (demo === undefined) return
  throw new AppError(
    'INVALID_INPUT',
    `Plan "${input.name}" would write ${target.path} of this very machine: ${demo.name} is a node of the demo fleet, which has no disk of its own. Leave the demo fleet out of the selector (not label.${demoLabel.key}:${demoLabel.value}), or name a place below ~/.`,
    { data: { field: target.field } },
  )
}

/** A slip of the hand would leave nodes waiting for what nobody fetches. */
async function refuseUnknownRepository(input: PlanInput, reader: StoreTransaction): Promise<void> {
  if (input.kind !== 'repository' || (await reader.findRepositoryByName(input.spec.repository)) !== null) return
  throw new AppError(
    'INVALID_INPUT',
    `Plan "${input.name}" delivers from repository "${input.spec.repository}", which there is not. Add it first: lockstep repositories add.`,
    { data: { field: 'spec.repository' } },
  )
}

function refuseTwice(plans: readonly PlanInput[]): void {
  const seen = new Set<string>()
  for (const plan of plans) {
    if (seen.has(plan.name))
      throw new AppError('INVALID_INPUT', `Plan "${plan.name}" is given twice.`, { data: { field: 'name' } })
    seen.add(plan.name)
  }
}

export function createPlanService({ store, clock, ids, contentDigest }: PlanServiceDependencies): PlanService {
  async function applyOne(transaction: StoreTransaction, input: PlanInput, operator: string): Promise<Plan> {
    const nowMs = clock.nowMs()
    const before = await transaction.findPlanByName(input.name)
    if (before?.kind === 'agent') {
      throw new AppError(
        'CONFLICT',
        `Plan "${input.name}" belongs to an agent, which says itself what it does. Choose another name.`,
        {
          data: { field: 'name' },
        },
      )
    }
    const digest = await planDigest(input, transaction, contentDigest)
    if (before?.digest === digest) return before
    const plan: Plan = {
      ...input,
      id: before?.id ?? PlanId.parse(ids()),
      revision: (before?.revision ?? 0) + 1,
      digest,
      createdAt: before?.createdAt ?? nowMs,
      updatedAt: nowMs,
    }
    await transaction.savePlan(plan)
    await transaction.appendAudit([
      {
        at: nowMs,
        actor: operator,
        action: 'plan.apply',
        subject: plan.name,
        detail: { id: plan.id, revision: plan.revision, digest },
      },
    ])
    return plan
  }

  async function applyAll(
    transaction: StoreTransaction,
    inputs: readonly PlanInput[],
    operator: string,
  ): Promise<Plan[]> {
    const nodes = await transaction.listNodes()
    for (const input of inputs) {
      refuseBadSelector(input.selector, input.name)
      refuseSharedPullDirectory(input, nodes)
      refuseFilesOfThisMachine(input, nodes)
      await refuseUnknownRepository(input, transaction)
    }
    const applied: Plan[] = []
    for (const input of inputs) applied.push(await applyOne(transaction, input, operator))
    await reassignPlans(transaction)
    return applied
  }

  async function apply(inputs: readonly PlanInput[], operator: string): Promise<Plan[]> {
    refuseTwice(inputs)
    return store.transact((transaction) => applyAll(transaction, inputs, operator))
  }

  async function applyIn(transaction: StoreTransaction, input: PlanInput, operator: string): Promise<Plan> {
    const [applied] = await applyAll(transaction, [input], operator)
    if (applied === undefined) throw new AppError('INTERNAL', 'a plan was not applied')
    return applied
  }

  async function remove(reference: string, operator: string): Promise<PlanId> {
    return store.transact(async (transaction) => {
      const plan = await resolvePlan(transaction, reference)
      const open = (await transaction.listOpenRuns()).filter((run) => run.planId === plan.id)
      if (open.length > 0) {
        throw new AppError(
          'PRECONDITION_FAILED',
          `Plan "${plan.name}" has ${open.length} open run(s). Cancel them first, then remove the plan.`,
          { data: { runs: open.map((run) => run.id) } },
        )
      }
      await transaction.removePlan(plan.id)
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'plan.remove', subject: plan.name, detail: { id: plan.id } },
      ])
      await reassignPlans(transaction)
      return plan.id
    })
  }

  async function preview(selector: string): Promise<NodeId[]> {
    refuseBadSelector(selector, null)
    const result = parseSelector(selector)
    if (!result.ok) return []
    const nodes = await store.listNodes()
    return nodes.filter((node) => matchesFilter(result.filter, node, 0)).map((node) => node.id)
  }

  return {
    list: () => store.listPlans(),
    get: (reference) => resolvePlan(store, reference),
    apply,
    applyIn,
    remove,
    preview,
  }
}
