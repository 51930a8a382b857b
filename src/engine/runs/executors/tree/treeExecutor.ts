import { stopNotConfirmed } from '../../../../core/run/causes.ts'
import { removeLocalLeftovers, removeRemoteLeftovers } from '../../../transfer/leftovers.ts'
import { FingerprintCache } from '../../../transfer/manifest.ts'
import { localDirectory, normalizedRemoteDirectory } from '../../../transfer/paths.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import { diagnosisOf, type PlanExecutor, type StepContext } from '../../executor.ts'
import { commandTimeoutMs, createTreeMemory, type TreeDependencies, type TreeMemory } from './memory.ts'
import { preflight } from './preflight.ts'
import { transferStep } from './transfer.ts'
import { verify } from './verify.ts'

/** How long a cancel waits for its proof. */
const stopTimeoutMs = 30_000

/** Trees: rsync over ssh, green only when hashes read back from the node agree. */
export function createTreeExecutor(dependencies: TreeDependencies): PlanExecutor<TreeMemory> {
  const fingerprints = new FingerprintCache()
  return {
    createMemory: createTreeMemory,
    lockTargets: ({ spec }) => {
      const directories = [spec.push?.target, spec.pull?.source].filter((directory) => directory !== undefined)
      return [...new Set(directories.map(normalizedRemoteDirectory))]
    },
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

/** A transfer that ends well leaves nothing behind; only broken-off ones do, and then the whole tree is searched. */
async function cleanUp({ sshPool, store }: TreeDependencies, { run, node, plan, log }: StepContext): Promise<void> {
  const [, before] = await store.listRuns({ nodeId: node.id, planId: plan.id, limit: 2 })
  if (run.attempts.length === 1 && (before === undefined || before.status === 'succeeded')) return
  log('removing what broken-off transfers left')
  if (plan.spec.push !== null)
    await removeRemoteLeftovers(sshPool, node, plan.spec.push.target, { timeoutMs: commandTimeoutMs })
  if (plan.spec.pull !== null) await removeLocalLeftovers(localDirectory(plan.spec.pull.target, node.name))
}
