import { deliveryRefused, receiverWroteOther } from '../../../../core/registry/deliveryCauses.ts'
import { mostReceiverBytes, receivedRoutesDifferences } from '../../../../core/registry/receiverCheck.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { NodeAnswer, NodeOrder } from '../../../ports.ts'
import type { Delivered } from '../delivery/deliveryExecutor.ts'
import { driftWarning, isProvenYet, observedOf } from '../delivery/drift.ts'
import { receiverCause, receiverOrder, receiverTimeoutMs } from '../delivery/receiver.ts'
import { DeliveryFailed, type DeliverySession } from '../delivery/session.ts'
import type { RoutesContext } from './context.ts'
import type { RoutesPayload } from './payload.ts'
import { checkOrders, traefikProof } from './traefik.ts'

/**
 * The routes by a script that lies on the VPS, as before us (S1.45, S1.108). What it wrote is read back and must say what
 * the registry says. A file that is still what was read back of this revision is only looked at (D14).
 */
export async function deliverByScript(
  context: RoutesContext,
  session: DeliverySession,
  payload: RoutesPayload,
): Promise<Delivered> {
  const observed = observedOf(context)
  const isCurrent = isProvenYet(context, observed) && observed?.revision === context.run.planRevision
  const warnings: Run['warnings'] = []
  if (observed !== null && isCurrent) {
    const looked = await look(context, session, observed.digest)
    if (looked.file.kind === 'same')
      return { ...(await proven(context, session, looked)), written: false, size: 0, digest: observed.digest }
    warnings.push(driftWarning(context, observed, { how: isGone(looked.file) ? 'removed' : 'changed', evidence: [] }))
  }
  const received = await receive(context, session, payload)
  const proof = await proven(context, session, received)
  const size = Buffer.byteLength(payload.registryJson)
  return { ...proof, written: true, size, digest: received.state, warnings: [...warnings, ...proof.warnings] }
}

const isGone = (answer: NodeAnswer): boolean => answer.kind === 'content' && answer.content === null

interface Looked {
  readonly file: NodeAnswer
  readonly check: readonly NodeAnswer[]
}

async function look(context: RoutesContext, session: DeliverySession, unlessState: string): Promise<Looked> {
  const file: NodeOrder = { kind: 'read', path: context.plan.spec.file, unlessState }
  const [answer, ...check] = await session.ask([file, ...checkOrders(context).map(({ order }) => order)], {
    timeoutMs: receiverTimeoutMs,
  })
  if (answer === undefined) throw new Error('a look was not answered')
  return { file: answer, check }
}

const proven = (context: RoutesContext, session: DeliverySession, { check }: Pick<Looked, 'check'>) =>
  // Its API would list routers under names that only the script knows.
  traefikProof(context, session, { asked: { orders: checkOrders(context), answers: check }, again: [], api: null })

async function receive(context: RoutesContext, session: DeliverySession, payload: RoutesPayload) {
  const { node, plan, log } = context
  const { receiver } = plan.spec
  if (receiver.kind !== 'script') throw new Error('the plan has no receiver script')
  const orders: NodeOrder[] = [
    receiverOrder(context, { file: receiver.file, registryJson: payload.registryJson }),
    { kind: 'read', path: plan.spec.file },
    ...checkOrders(context).map(({ order }) => order),
  ]
  const [script, file, ...check] = await session.ask(orders, { timeoutMs: receiverTimeoutMs })
  if (script === undefined || file === undefined) throw new Error('a receiver was not answered')
  const cause = receiverCause(context, receiver.file, script)
  if (cause !== null) throw new DeliveryFailed('PUSH_SYNC', cause)
  if (file.kind === 'refused')
    throw new DeliveryFailed('VERIFY', deliveryRefused(node, { kind: 'routes', path: plan.spec.file }, file))
  if (file.kind !== 'content') throw new Error(`a file was answered with ${file.kind}`)
  const differences = differencesIn(context, file.content, payload)
  if (differences.length > 0) throw new DeliveryFailed('VERIFY', receiverWroteOther(node, plan.spec.file, differences))
  log(`${receiver.file} took the registry, ${plan.spec.file} says what it says`)
  return { state: file.state, check }
}

function differencesIn({ plan }: RoutesContext, content: Uint8Array | null, { services }: RoutesPayload): string[] {
  if (content === null) return ['it is not there']
  if (content.length > mostReceiverBytes) return [`it has ${content.length} bytes, which is too much to be compared`]
  return receivedRoutesDifferences(new TextDecoder().decode(content), services, plan.spec.routes)
}
