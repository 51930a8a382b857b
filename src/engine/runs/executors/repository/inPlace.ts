import type { StepOutcome } from '../../executor.ts'
import { deliver } from './deliver.ts'
import { type Delivery, lookOf, type RepositoryContext, type RepositoryPlan } from './memory.ts'
import type { Place } from './place.ts'

/** PUSH_SYNC over what lies in the target. */
export async function pushInPlace(delivery: Delivery): Promise<StepOutcome> {
  const { context, memory, commit, target } = delivery
  const look = lookOf(memory)
  // What we never read back there was put there by somebody else, and perhaps not only that.
  if (look.sentinel !== null && look.sentinel !== commit && look.sentinel !== observedCommit(context))
    memory.compareContent = true
  return deliver(delivery, {
    directory: target,
    listing: look.listing,
    sentinel: look.sentinel,
    deletes: deletesInPlace(context.plan),
    inUse: look.directory.hasFiles,
  })
}

/** Where others may have written. */
export const deletesInPlace = ({ spec }: RepositoryPlan): Place['deletes'] => (spec.delete ? 'limited' : 'none')

const observedCommit = ({ node, plan }: RepositoryContext): string | undefined =>
  node.plans.find(({ planId }) => planId === plan.id)?.observed?.commit
