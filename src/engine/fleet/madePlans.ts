import { createHash } from 'node:crypto'
import { assignPlans } from '../../core/fleet/assignment.ts'
import { planContent } from '../../core/fleet/planContent.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/** Kinds of plans whose content the engine makes: a plan of such a kind says where it goes, not what it is. */
export type MadeKind = 'krl' | 'trust'

/** SHA-256 of what plans of this kind deliver, as of this transaction. */
export type ContentDigest = (
  reader: Pick<StoreReader, 'getSetting' | 'listCertificates'>,
  kind: MadeKind,
) => Promise<string>

const isMade = (kind: Plan['kind']): kind is MadeKind => kind === 'krl' || kind === 'trust'

/** Of what a plan says and, where the engine makes the content, of that content: equal digests deliver the same. */
export async function planDigest(
  plan: Parameters<typeof planContent>[0],
  reader: Pick<StoreReader, 'getSetting' | 'listCertificates'>,
  contentDigest: ContentDigest,
): Promise<string> {
  const hash = createHash('sha256').update(planContent(plan))
  return (isMade(plan.kind) ? hash.update('\n').update(await contentDigest(reader, plan.kind)) : hash).digest('hex')
}

/** Each node follows the plans that select it, in their newest revision. */
export async function reassignPlans(transaction: StoreTransaction): Promise<void> {
  const plans = await transaction.listPlans()
  for (const node of await transaction.listNodes()) {
    const next = assignPlans(node, plans)
    if (JSON.stringify(next.plans) !== JSON.stringify(node.plans)) await transaction.saveNode(next)
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
    if (!isMade(plan.kind) || !kinds.includes(plan.kind)) continue
    const digest = await planDigest(plan, transaction, contentDigest)
    if (digest === plan.digest) continue
    const next: Plan = { ...plan, digest, revision: plan.revision + 1, updatedAt: nowMs }
    await transaction.savePlan(next)
    changed.push(next)
  }
  if (changed.length > 0) await reassignPlans(transaction)
  return changed
}
