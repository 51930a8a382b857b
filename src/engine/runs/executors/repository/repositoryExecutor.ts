import { Archives } from '../../../transfer/archive.ts'
import { removeRemoteLeftovers } from '../../../transfer/leftovers.ts'
import { FingerprintCache } from '../../../transfer/manifest.ts'
import { Sources } from '../../../transfer/source.ts'
import type { PlanExecutor } from '../../executor.ts'
import { mayHaveLeftovers, stopOnNode } from '../transfer/ending.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import { pushInPlace } from './inPlace.ts'
import {
  createRepositoryMemory,
  deliveryOf,
  type RepositoryContext,
  type RepositoryDependencies,
  type RepositoryMemory,
  type RepositoryPlan,
  type Shared,
  targetOf,
} from './memory.ts'
import { letGo, preflight } from './preflight.ts'
import { pushRelease } from './release.ts'
import { fromTheStart } from './script.ts'
import { verify } from './verify.ts'

/** Commits of a repository: rsync of a snapshot, the sentinel last, green only when the node gives both back (S2.1-S2.7). */
export function createRepositoryExecutor(
  dependencies: RepositoryDependencies,
): PlanExecutor<RepositoryMemory, RepositoryPlan> {
  const shared: Shared = {
    sources: dependencies.sources ?? new Sources(),
    fingerprints: new FingerprintCache(),
    archives: new Archives(),
    delivered: new Map(),
    withoutStream: new Set(),
  }
  return {
    createMemory: createRepositoryMemory,
    lockTargets: async (plan, node) => [{ where: 'node', directory: targetOf(plan, node.name) }],
    preflight: (context, memory) => preflight(dependencies, shared, context, memory),
    push: (context, memory) =>
      fromTheStart(async () => {
        const delivery = deliveryOf(dependencies, shared, context, memory)
        return context.plan.spec.strategy.kind === 'release' ? pushRelease(delivery) : pushInPlace(delivery)
      }),
    pull: async () => ({ kind: 'skipped' }),
    verify: (context, memory) => fromTheStart(() => verify(deliveryOf(dependencies, shared, context, memory))),
    cleanUp: (context) => cleanUp(dependencies, context),
    stop: (context) => stopOnNode(dependencies, context),
    forget: letGo,
  }
}

async function cleanUp(dependencies: RepositoryDependencies, context: RepositoryContext): Promise<void> {
  if (!(await mayHaveLeftovers(dependencies, context))) return
  context.log('removing what broken-off transfers left')
  const target = targetOf(context.plan, context.node.name)
  await removeRemoteLeftovers(dependencies.sshPool, context.node, target, { timeoutMs: commandTimeoutMs })
}
