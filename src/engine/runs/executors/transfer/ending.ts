import { stopNotConfirmed } from '../../../../core/run/causes.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import type { StepContext } from '../../executor.ts'
import type { TransferDependencies } from './step.ts'

/** How long a cancel waits for its proof. */
const stopTimeoutMs = 30_000

/** Ends what the run has started on the node. @returns null when that is proven */
export async function stopOnNode(
  { sshPool }: Pick<TransferDependencies, 'sshPool'>,
  { run, node }: Pick<StepContext, 'run' | 'node'>,
): Promise<Diagnosis | null> {
  try {
    const proof = await stopRemoteProcesses(sshPool, node, run.id, { timeoutMs: stopTimeoutMs })
    return proof.confirmed ? null : stopNotConfirmed(node.name, proof.evidence)
  } catch (error) {
    const { sentence, evidence } = diagnosisOf(error)
    return stopNotConfirmed(node.name, [sentence, ...evidence])
  }
}

/** A transfer that ends well leaves nothing behind; only broken-off ones do, and then the whole tree is searched. */
export async function mayHaveLeftovers(
  { store }: TransferDependencies,
  { run, node, plan }: StepContext,
): Promise<boolean> {
  if (run.attempts.length > 1) return true
  const [, before] = await store.listRuns({ nodeId: node.id, planId: plan.id, limit: 2 })
  return before !== undefined && before.status !== 'succeeded'
}
