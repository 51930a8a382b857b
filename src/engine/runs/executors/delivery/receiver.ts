import { deliveryRefused, receiverFailed, receiverMissing } from '../../../../core/registry/deliveryCauses.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { NodeAnswer, NodeOrder } from '../../../ports.ts'
import { runMark } from '../../../transfer/remoteProcess.ts'
import { ranOf } from './answers.ts'
import type { DeliveryContext } from './session.ts'

/** A receiver script may build, restart and fetch; the source knows no limit. */
export const receiverTimeoutMs = 180_000

const isMissing = 'lockstep: the receiver script is not there'
const notExecutable = 'lockstep: the receiver script may not be executed'

/**
 * Runs the program that lies on the node with the registry on its standard input (S1.44, S1.45, S1.53).
 * @param sudoFor a file: sudo is used unless the login user may write it
 */
export function receiverOrder(
  { run }: Pick<DeliveryContext, 'run'>,
  { file, registryJson, sudoFor }: { readonly file: string; readonly registryJson: string; readonly sudoFor?: string },
): NodeOrder {
  const start = 'exec "$f"'
  const script = `${runMark(run.id)}f=${shellRemoteDirectory(file)}
if [ ! -e "$f" ]; then echo ${JSON.stringify(isMissing)} >&2; exit 127; fi
if [ ! -x "$f" ]; then echo ${JSON.stringify(notExecutable)} >&2; exit 126; fi
${sudoFor === undefined ? start : `if [ -w ${shellRemoteDirectory(sudoFor)} ]; then ${start}; else exec sudo -n "$f"; fi`}
`
  return { kind: 'run', script, stdin: new TextEncoder().encode(registryJson) }
}

/** Why the script did not do its work; null when it says that it did. */
export function receiverCause(
  { node, plan }: Pick<DeliveryContext, 'node' | 'plan'>,
  file: string,
  answer: NodeAnswer,
): Diagnosis | null {
  const delivered = { kind: plan.kind, path: plan.spec.file }
  if (answer.kind === 'refused') return deliveryRefused(node, delivered, answer)
  if (answer.kind !== 'ran') throw new Error(`a script was answered with ${answer.kind}`)
  const { exitCode, lines } = ranOf(answer)
  if (exitCode === 0) return null
  if (lines.includes(isMissing)) return receiverMissing(node, file, false)
  if (lines.includes(notExecutable)) return receiverMissing(node, file, true)
  if (lines.some((line) => /^sudo: .*(password|not allowed|no tty|not found)/i.test(line)))
    return deliveryRefused(node, delivered, { code: 'SUDO_REFUSED', evidence: lines })
  return receiverFailed(node, { file, exitCode, evidence: lines })
}
