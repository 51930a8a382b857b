import { diskFull, noisyShell, runCause, sourceEmpty, unsafeTarget } from '../../../../core/run/causes.ts'
import { isApproved, mustHaltForEmptySource } from '../../../../core/run/safety.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { LoginProof } from '../../../ports.ts'
import type { RemoteDirectoryFacts, RemoteFacts } from '../../../transfer/remoteFacts.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import { type NodeLesson, outcomeOf, type StepContext, type StepOutcome } from '../../executor.ts'
import { wrote } from '../../settle.ts'
import { clockWarning, lessonOf, login } from '../login.ts'
import { commandTimeoutMs, type TransferDependencies } from './step.ts'

/** Thrown by a check that did not pass; every one of them is non-negotiable (S0.61). */
export class CheckFailed extends Error {
  readonly outcome: StepOutcome
  constructor(outcome: StepOutcome) {
    super('a pre-flight check failed')
    this.outcome = outcome
  }
}

export const refuse = (diagnosis: Diagnosis): never => {
  throw new CheckFailed({ kind: 'fatal', diagnosis })
}

/** All checks of S0.62-65, the node first: whoever does not answer costs no more than the connect timeout. */
export async function afterLogin(
  dependencies: TransferDependencies,
  context: StepContext,
  checks: () => Promise<Run['warnings']>,
  logIn: () => Promise<LoginProof> = () => login(dependencies, context),
): Promise<StepOutcome> {
  let learned: NodeLesson | undefined
  try {
    const proof = await logIn()
    learned = lessonOf(proof, context)
    const warnings = clockWarning(proof, context)
    await endLeftoverProcesses(dependencies, context)
    return { kind: 'done', learned, patch: { warnings: [...warnings, ...(await checks())] } }
  } catch (error) {
    const outcome = error instanceof CheckFailed ? error.outcome : outcomeOf(diagnosisOf(error))
    return learned === undefined ? outcome : { ...outcome, learned }
  }
}

/**
 * An earlier attempt of this run, the run before when it failed while it wrote, or a canceled run whose stop was never
 * proven, may still write over there.
 */
async function endLeftoverProcesses(
  { sshPool, store }: TransferDependencies,
  { run, node, log }: StepContext,
): Promise<void> {
  const canceled = await store.listRuns({ nodeId: node.id, statuses: ['canceled'], limit: 20 })
  const failed = await store.listRuns({ nodeId: node.id, planId: run.planId, statuses: ['failed'], limit: 1 })
  const suspects = new Set([
    ...(run.attempts.length > 1 ? [run.id] : []),
    ...canceled.filter((other) => other.cancellation?.stopConfirmed === false).map((other) => other.id),
    ...failed.filter((other) => wrote(other) && isLast(other, node)).map((other) => other.id),
  ])
  for (const suspect of suspects) {
    const proof = await stopRemoteProcesses(sshPool, node, suspect, { timeoutMs: commandTimeoutMs })
    if (proof.confirmed) continue
    log(`processes of run ${suspect} still run on ${node.name}`)
    refuse(
      runCause('STOP_NOT_CONFIRMED', {
        sentence: `A process of an earlier transfer still runs on ${node.name} and cannot be ended. End it there first.`,
        short: 'old transfer runs',
        evidence: proof.evidence,
        nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
      }),
    )
  }
}

const isLast = (run: Run, { plans }: StepContext['node']): boolean =>
  plans.some(({ planId, lastRunId }) => planId === run.planId && lastRunId === run.id)

/** A quiet shell, and rsync. */
export function checkPrograms(
  { diagnose }: TransferDependencies,
  { node, log }: StepContext,
  { noise, rsyncVersion }: Pick<RemoteFacts, 'noise' | 'rsyncVersion'>,
): void {
  if (noise.length > 0) refuse(noisyShell(node.name, noise))
  if (rsyncVersion === null) refuse(diagnose(node, { program: 'rsync', exitCode: 127, stderr: 'sh: rsync: not found' }))
  log(`node has ${rsyncVersion}`)
}

/** Why the system refused a directory. */
export const refusedThere = (
  { diagnose }: TransferDependencies,
  { node }: StepContext,
  { complaint }: RemoteDirectoryFacts,
): Diagnosis => diagnose(node, { program: 'mkdir', exitCode: 1, stderr: complaint })

/** A directory, ours to write, and one whose loss would not be the loss of everything. */
export function checkTarget(
  dependencies: TransferDependencies,
  context: StepContext,
  facts: RemoteDirectoryFacts,
): void {
  if (facts.status === 'not-a-directory') {
    refuse(
      runCause('REMOTE_PATH_INVALID', {
        sentence: `The target on ${context.node.name} exists and is not a directory. Correct the path.`,
        short: 'target not directory',
        nextAction: { kind: 'edit-plan', label: 'Correct the path' },
      }),
    )
  }
  if (facts.status !== 'ok') refuse(refusedThere(dependencies, context, facts))
  if (!facts.safe) refuse(unsafeTarget(context.node.name, facts.resolved))
}

/** An unmounted disk looks like an empty source (U35). */
export function checkEmptySource(
  { run }: StepContext,
  source: { readonly name: string; readonly files: number },
  receiver: { readonly name: string; readonly hasFiles: boolean },
): void {
  if (isApproved(run.approvals, 'source-empty', { planRevision: run.planRevision })) return
  if (!mustHaltForEmptySource({ sourceFiles: source.files, receiverHasFiles: receiver.hasFiles })) return
  throw new CheckFailed({
    kind: 'halt',
    reason: 'source-empty',
    diagnosis: sourceEmpty(source.name, receiver.name),
  })
}

/** Only when the whole tree would not fit, rsync is asked what really has to come (S0.62). */
export async function checkFreeSpace(
  { node }: StepContext,
  { totalBytes, freeBytes }: { readonly totalBytes: number; readonly freeBytes: number | null },
  measure: () => Promise<number>,
): Promise<void> {
  if (freeBytes === null || freeBytes >= totalBytes) return
  const needBytes = await measure()
  if (needBytes > freeBytes) refuse(diskFull(node.name, needBytes, freeBytes, false))
}
