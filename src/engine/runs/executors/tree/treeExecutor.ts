import { normalizedRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { TreePlan } from '../../../../shared/model/plan.ts'
import { removeLocalLeftovers, removeRemoteLeftovers } from '../../../transfer/leftovers.ts'
import { FingerprintCache } from '../../../transfer/manifest.ts'
import { localDirectory, realLocalDirectory } from '../../../transfer/paths.ts'
import type { LockTarget, PlanExecutor } from '../../executor.ts'
import { mayHaveLeftovers, stopOnNode } from '../transfer/ending.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import { createTreeMemory, type TreeContext, type TreeDependencies, type TreeMemory } from './memory.ts'
import { preflight } from './preflight.ts'
import { transferStep } from './transfer.ts'
import { verify } from './verify.ts'

/** Trees: rsync over ssh, green only when hashes read back from the node agree. */
export function createTreeExecutor(dependencies: TreeDependencies): PlanExecutor<TreeMemory, TreePlan> {
  const fingerprints = new FingerprintCache()
  return {
    createMemory: createTreeMemory,
    lockTargets,
    preflight: (context, memory) => preflight(dependencies, context, memory),
    push: async (context, memory) =>
      context.plan.spec.push === null
        ? { kind: 'skipped' }
        : transferStep({ direction: 'push', dependencies, context, memory }),
    pull: async (context, memory) =>
      context.plan.spec.pull === null
        ? { kind: 'skipped' }
        : transferStep({ direction: 'pull', dependencies, context, memory }),
    verify: (context, memory) => verify({ ...dependencies, fingerprints }, context, memory),
    cleanUp: (context) => cleanUp(dependencies, context),
    stop: (context) => stopOnNode(dependencies, context),
  }
}

/** What runs write, and what they read on a node. Sources of this machine are not locked: many nodes read them at once. */
async function lockTargets({ spec }: TreePlan, node: FleetNode): Promise<LockTarget[]> {
  const remote = [spec.push?.target, spec.pull?.source].filter((directory) => directory !== undefined)
  const targets: LockTarget[] = [...new Set(remote.map(normalizedRemoteDirectory))].map((directory) => ({
    where: 'node',
    directory,
  }))
  if (spec.pull === null) return targets
  const directory = await realLocalDirectory(localDirectory(spec.pull.target, node.name))
  return [...targets, { where: 'here', directory }]
}

async function cleanUp(dependencies: TreeDependencies, context: TreeContext): Promise<void> {
  if (!(await mayHaveLeftovers(dependencies, context))) return
  const { node, plan, log } = context
  log('removing what broken-off transfers left')
  if (plan.spec.push !== null)
    await removeRemoteLeftovers(dependencies.sshPool, node, plan.spec.push.target, { timeoutMs: commandTimeoutMs })
  if (plan.spec.pull !== null) await removeLocalLeftovers(localDirectory(plan.spec.pull.target, node.name))
}
