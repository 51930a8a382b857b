import { stopNotConfirmed } from '../../../../core/run/causes.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import { normalizedRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { TreePlan } from '../../../../shared/model/plan.ts'
import { removeLocalLeftovers, removeRemoteLeftovers } from '../../../transfer/leftovers.ts'
import { FingerprintCache } from '../../../transfer/manifest.ts'
import { localDirectory, realLocalDirectory } from '../../../transfer/paths.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import type { LockTarget, PlanExecutor } from '../../executor.ts'
import {
  commandTimeoutMs,
  createTreeMemory,
  type TreeContext,
  type TreeDependencies,
  type TreeMemory,
} from './memory.ts'
import { preflight } from './preflight.ts'
import { transferStep } from './transfer.ts'
import { verify } from './verify.ts'

/** How long a cancel waits for its proof. */
const stopTimeoutMs = 30_000

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
    stop: async ({ run, node }) => {
      try {
        const proof = await stopRemoteProcesses(dependencies.sshPool, node, run.id, { timeoutMs: stopTimeoutMs })
        return proof.confirmed ? null : stopNotConfirmed(node.name, proof.evidence)
      } catch (error) {
        const { sentence, evidence } = diagnosisOf(error)
        return stopNotConfirmed(node.name, [sentence, ...evidence])
      }
    },
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

/** A transfer that ends well leaves nothing behind; only broken-off ones do, and then the whole tree is searched. */
async function cleanUp({ sshPool, store }: TreeDependencies, { run, node, plan, log }: TreeContext): Promise<void> {
  const [, before] = await store.listRuns({ nodeId: node.id, planId: plan.id, limit: 2 })
  if (run.attempts.length === 1 && (before === undefined || before.status === 'succeeded')) return
  log('removing what broken-off transfers left')
  if (plan.spec.push !== null)
    await removeRemoteLeftovers(sshPool, node, plan.spec.push.target, { timeoutMs: commandTimeoutMs })
  if (plan.spec.pull !== null) await removeLocalLeftovers(localDirectory(plan.spec.pull.target, node.name))
}
