import { diagnosisOf } from '../../../../core/run/thrown.ts'
import { remoteScript } from '../../../../core/transfer/remoteShell.ts'
import { AppError } from '../../../../shared/errors.ts'
import { runMark } from '../../../transfer/remoteProcess.ts'
import { outcomeOf, type StepContext, type StepOutcome } from '../../executor.ts'
import { commandTimeoutMs, type TransferDependencies } from '../transfer/step.ts'

const okMark = 'lockstep-did'
const maxOutputBytes = 256 * 1024 * 1024

/**
 * Runs a script on the node that has to come to its end: it says so in its last line. Whatever breaks it off ends its
 * processes with those of the run.
 *
 * @returns what it printed before, one character for each byte
 * @throws AppError with a diagnosis; REMOTE_COMMAND_FAILED or a cause that the script's complaint names
 */
export async function runOnNode(
  { sshPool, diagnose }: Pick<TransferDependencies, 'sshPool' | 'diagnose'>,
  { run, node, signal }: Pick<StepContext, 'run' | 'node' | 'signal'>,
  script: string,
  timeoutMs: number = commandTimeoutMs,
): Promise<string> {
  const { command, stdin } = remoteScript(`${runMark(run.id)}export LC_ALL=C\n${script}\necho ${okMark}\n`)
  const result = await sshPool.exec(node, command, { stdin, timeoutMs, maxOutputBytes, signal })
  const output = Buffer.from(result.stdout).toString('latin1')
  if (output.endsWith(`${okMark}\n`)) return output.slice(0, -okMark.length - 1)
  const stderr = new TextDecoder().decode(result.stderr)
  const diagnosis = diagnose(node, { program: 'sh', exitCode: result.exitCode, stderr })
  throw new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })
}

/** Work whose every retry looks at the node again first, and ends what an earlier try has left running there. */
export async function fromTheStart(work: () => Promise<StepOutcome>): Promise<StepOutcome> {
  const outcome = await work().catch((error: unknown) => outcomeOf(diagnosisOf(error)))
  return outcome.kind === 'retry' ? { ...outcome, from: 'PRE_FLIGHT_CHECK' } : outcome
}
