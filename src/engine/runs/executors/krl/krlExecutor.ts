import { runCause } from '../../../../core/run/causes.ts'
import { revocationNotProven } from '../../../../core/sshd/causes.ts'
import { configLine } from '../../../../core/sshd/effective.ts'
import { sshdFilePath } from '../../../../core/sshd/paths.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { ProbeIdentities, Revocations } from '../../../ports.ts'
import type { PlanExecutor, StepContext, StepOutcome } from '../../executor.ts'
import {
  asOutcome,
  nothingToCleanUp,
  preflightSshd,
  probeTimeoutMs,
  proven,
  proveOwnLogin,
  pushSshd,
  Refused,
  readBack,
  type SshdDelivery,
  type SshdDependencies,
  sshdLock,
  stopSshd,
} from '../sshd/steps.ts'

export interface KrlDependencies extends SshdDependencies {
  readonly revocations: Revocations
  readonly probes: ProbeIdentities
}

type KrlContext = StepContext<PlanOf<'krl'>>

const option = 'RevokedKeys'

/**
 * The revocation list on a node (F55, F56). The file lies there before the option that names it: an sshd whose list
 * is missing lets nobody in. Green only when a revoked certificate was refused and its unrevoked twin was not.
 */
export function createKrlExecutor(dependencies: KrlDependencies): PlanExecutor<null, PlanOf<'krl'>> {
  return {
    createMemory: () => null,
    lockTargets: (_plan, node) => sshdLock(node),
    preflight: (context) =>
      preflightSshd(dependencies, context, async () => undefined, { files: { delivered: listPath(context) } }),
    push: (context) =>
      asOutcome(async () => pushSshd(dependencies, context, (await deliveryOf(dependencies, context)).delivery)),
    pull: async () => ({ kind: 'skipped' }),
    verify: (context) => asOutcome(() => verify(dependencies, context)),
    cleanUp: nothingToCleanUp,
    stop: (context) => stopSshd(dependencies, context),
  }
}

const listPath = ({ node, plan }: KrlContext): string => sshdFilePath(node.sshd, plan.spec.file)

async function deliveryOf({ revocations }: KrlDependencies, context: KrlContext) {
  const { status, bytes } = await revocations.current()
  const delivery: SshdDelivery = {
    path: listPath(context),
    content: bytes,
    section: 'krl',
    lines: (path) => [configLine(option, path)],
    readAtStart: false,
  }
  return { status, delivery }
}

async function verify(dependencies: KrlDependencies, context: KrlContext): Promise<StepOutcome> {
  const { status, delivery } = await deliveryOf(dependencies, context)
  const back = await readBack(dependencies, context, { ...delivery, option })
  if ('kind' in back) return back
  await proveOwnLogin(dependencies, context.node, context.signal)
  const refusedSerial = await proveRefusal(dependencies, context)
  context.log(`revocation list ${status.version}: certificate ${refusedSerial} was refused`)
  return proven(dependencies, context, {
    digest: back.digest,
    verify: { mode: 'krl', krlVersion: status.version, refusedSerial },
  })
}

/** A refusal proves something only beside a certificate that differs in its serial alone and is let in. */
async function proveRefusal({ probes, loginProbe }: KrlDependencies, { node, signal }: KrlContext): Promise<string> {
  const revoked = await probes.revoked(node)
  const { serial, authorityFingerprint } = revoked.certificate
  const twin = await probes.signedBy(node, authorityFingerprint)
  const options = { timeoutMs: probeTimeoutMs, signal }
  const refused = await loginProbe.attempt(node, revoked, options)
  if (refused.status === 'accepted')
    throw new Refused(revocationNotProven(node, [`certificate ${serial} is on the list and was let in`]))
  const accepted = await loginProbe.attempt(node, twin, options)
  if (accepted.status === 'refused') throw new Refused(nothingProven(node, accepted.evidence))
  return serial
}

const nothingProven = (node: FleetNode, evidence: readonly string[]) =>
  runCause('REVOCATION_NOT_PROVEN', {
    sentence: `${node.name} refuses certificates of our authority, revoked or not, so nothing proves that it obeys the list. Deliver the trusted keys to it first.`,
    short: 'refusal proves nothing',
    evidence,
    nextAction: { kind: 'run-doctor', label: 'Find the cause' },
  })
