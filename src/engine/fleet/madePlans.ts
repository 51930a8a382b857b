import { createHash } from 'node:crypto'
import { assignerOf } from '../../core/fleet/assignment.ts'
import { planContent } from '../../core/fleet/planContent.ts'
import type { Plan, PlanOf } from '../../shared/model/plan.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/** Kinds of plans whose content the engine makes: a plan of such a kind says where it goes, not what it is. */
export type MadeKind = 'krl' | 'trust' | 'routes' | 'hosts' | 'repository'

export type ContentReader = Pick<
  StoreReader,
  'getSetting' | 'listCertificates' | 'getRevision' | 'findRepositoryByName'
>

export type MadePlan = { [Kind in MadeKind]: Pick<PlanOf<Kind>, 'kind' | 'spec'> }[MadeKind]

/** SHA-256 of what this plan delivers, as of this transaction. */
export type ContentDigest = (reader: ContentReader, plan: MadePlan) => Promise<string>

const madeKinds: ReadonlySet<Plan['kind']> = new Set<MadeKind>(['krl', 'trust', 'routes', 'hosts', 'repository'])

const isMade = <P extends Pick<Plan, 'kind' | 'spec'>>(plan: P): plan is P & MadePlan => madeKinds.has(plan.kind)

/** Of what a plan says and, where the engine makes the content, of that content: equal digests deliver the same. */
export async function planDigest(
  plan: Parameters<typeof planContent>[0],
  reader: ContentReader,
  contentDigest: ContentDigest,
): Promise<string> {
  const hash = createHash('sha256').update(planContent(plan))
  return (isMade(plan) ? hash.update('\n').update(await contentDigest(reader, plan)) : hash).digest('hex')
}

/** Each node follows the plans that select it, in their newest revision. */
export async function reassignPlans(transaction: StoreTransaction): Promise<void> {
  const assign = assignerOf(await transaction.listPlans())
  for (const node of await transaction.listNodes()) {
    const next = assign(node)
    if (next !== node) await transaction.saveNode(next)
  }
}

interface RefreshOptions {
  readonly contentDigest: ContentDigest
  readonly nowMs: number
}

/**
 * Gives plans whose content is another one now a new revision, and their nodes that revision as what should be there.
 * Without a change it does nothing. @returns the plans that changed
 */
export async function refreshMadePlans(
  transaction: StoreTransaction,
  kinds: readonly MadeKind[],
  { contentDigest, nowMs }: RefreshOptions,
): Promise<Plan[]> {
  const changed: Plan[] = []
  for (const plan of await transaction.listPlans()) {
    if (!isMade(plan) || !kinds.includes(plan.kind)) continue
    const digest = await planDigest(plan, transaction, contentDigest)
    if (digest === plan.digest) continue
    const next: Plan = { ...plan, digest, revision: plan.revision + 1, updatedAt: nowMs }
    await transaction.savePlan(next)
    changed.push(next)
  }
  if (changed.length > 0) await reassignPlans(transaction)
  return changed
}
