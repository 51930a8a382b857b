import {
  deliveredDiffers,
  deliveryRefused,
  fileKeepsChanging,
  renderedWrong,
} from '../../../../core/registry/deliveryCauses.ts'
import { writtenByUs } from '../../../../core/registry/routes.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { FileState, NodeAnswer, NodeOrder } from '../../../ports.ts'
import type { PlanExecutor } from '../../executor.ts'
import { ranOf } from '../delivery/answers.ts'
import { createDeliveryExecutor, type Delivered, type DeliveryMemory } from '../delivery/deliveryExecutor.ts'
import { driftWarning, isProvenYet, lineDifferences, observedOf } from '../delivery/drift.ts'
import { type DeliveryDependencies, DeliveryFailed, type DeliverySession, mostRounds } from '../delivery/session.ts'
import type { RoutesContext } from './context.ts'
import { type RoutesPayload, RoutesPayloads } from './payload.ts'
import { deliverByScript } from './receiver.ts'
import { exchangeTimeoutMs, type TraefikOrders, traefikOrders, traefikProof } from './traefik.ts'

/**
 * The public services as a file of Traefik's file provider (S1.42-50). Green only when the file was read back and
 * Traefik runs, and has taken it where its API can be asked (S1.46, S1.47, S1.76).
 */
export function createRoutesExecutor(
  dependencies: DeliveryDependencies,
): PlanExecutor<DeliveryMemory, PlanOf<'routes'>> {
  const payloads = new RoutesPayloads(dependencies.content)
  return createDeliveryExecutor<PlanOf<'routes'>>(dependencies, async (context, session) => {
    const payload = await payloads.of(context.plan)
    if (context.plan.spec.receiver.kind === 'script') return deliverByScript(context, session, payload)
    if (payload.flaw !== null)
      throw new DeliveryFailed('PRE_FLIGHT_CHECK', renderedWrong(context.plan.name, payload.flaw))
    return deliverFile(context, session, payload)
  })
}

async function deliverFile(
  context: RoutesContext,
  session: DeliverySession,
  payload: RoutesPayload,
): Promise<Delivered> {
  const { node, plan, log } = context
  const orders = traefikOrders(context, payload)
  const placed = await place(context, session, { payload, orders })
  if (placed.state !== payload.state) {
    const evidence = [`read back ${placed.state}`, `sent ${payload.state}`]
    throw new DeliveryFailed('PUSH_SYNC', deliveredDiffers(node, plan.spec.file, evidence))
  }
  log(`${plan.spec.file}: ${placingWords[placed.how]}, ${payload.bytes.length} bytes`)
  const proof = await traefikProof(context, session, { asked: placed, again: orders.again })
  return {
    ...proof,
    written: placed.how !== 'nothing to send',
    size: payload.bytes.length,
    digest: placed.state,
    warnings: [...placed.warnings, ...proof.warnings],
  }
}

/** The file in its place, and what Traefik said in the same exchange. */
interface Placed {
  readonly how: 'renamed' | 'in-place' | 'nothing to send'
  readonly state: FileState
  readonly orders: TraefikOrders['afterRead']
  readonly answers: readonly NodeAnswer[]
  readonly warnings: Run['warnings']
}

const placingWords = {
  renamed: 'replaced as a whole',
  'in-place': 'written in place, since it cannot be renamed over',
  'nothing to send': 'lies there already',
} as const satisfies Record<Placed['how'], string>

interface Placing {
  readonly payload: RoutesPayload
  readonly orders: TraefikOrders
}

/**
 * Puts the file in the place of what was last read back there; of anything else the node gives the content first, so that
 * nothing is lost or changed in silence.
 */
async function place(context: RoutesContext, session: DeliverySession, placing: Placing): Promise<Placed> {
  const { payload, orders } = placing
  const path = context.plan.spec.file
  const known = observedOf(context)?.digest ?? 'missing'
  const replace = (ifState: FileState): NodeOrder => ({ kind: 'replace', path, ifState, content: payload.bytes })
  const looksFirst = known === payload.state || orders.mustRestart
  let next: NodeOrder = looksFirst ? { kind: 'read', path, unlessState: payload.state } : replace(known)
  const warnings: Run['warnings'] = []
  for (let round = 1; round <= mostRounds; round += 1) {
    const others = next.kind === 'read' ? orders.afterRead : orders.afterReplace
    const asked = [next, ...others.map(({ order }) => order)]
    const [head, ...answers] = await session.ask(asked, { timeoutMs: exchangeTimeoutMs })
    const found = { orders: others, answers, warnings }
    switch (head?.kind) {
      case 'replaced':
        return { ...found, how: head.how, state: head.state }
      case 'same':
        if (next.kind === 'replace' || !orders.mustRestart)
          return { ...found, how: 'nothing to send', state: head.state }
        next = replace(head.state)
        break
      case 'content':
        if (head.state !== known) warnings.push(...(await surprises(context, session, head, payload)))
        next = replace(head.state)
        break
      case 'refused':
        throw new DeliveryFailed('PUSH_SYNC', deliveryRefused(context.node, { kind: 'routes', path }, head))
      default:
        throw new Error(`a file was answered with ${head?.kind}`)
    }
  }
  throw new DeliveryFailed('PUSH_SYNC', fileKeepsChanging(context.node, path, mostRounds))
}

/** What lies there is not what was last read back, or was never ours. */
async function surprises(
  context: RoutesContext,
  session: DeliverySession,
  { state, content }: Extract<NodeAnswer, { kind: 'content' }>,
  payload: RoutesPayload,
): Promise<Run['warnings']> {
  const observed = observedOf(context)
  const text = content === null ? '' : new TextDecoder().decode(content)
  // Also where a run was proven before: the plan may name another file since, and that one is anybody's.
  const isOurs = content === null || content.length === 0 || writtenByUs(text)
  const kept = isOurs ? [] : [await setAside(context, session, state)]
  // What an earlier try of ours, or a run that was not proven, has left is nobody else's doing.
  if (observed === null || !isProvenYet(context, observed)) return kept
  if (content === null) return [driftWarning(context, observed, { how: 'removed', evidence: [] })]
  const evidence = lineDifferences(text, payload.text)
  return [driftWarning(context, observed, { how: 'changed', evidence }), ...kept]
}

/** The file may be anybody's: it is kept under a name that Traefik does not read. A copy that was cut before is none. */
async function setAside(
  context: RoutesContext,
  session: DeliverySession,
  state: FileState,
): Promise<Run['warnings'][number]> {
  const { node, plan, log } = context
  const kept = `${plan.spec.file}.before-lockstep-${state.slice(0, 8)}`
  const [from, to] = [shellRemoteDirectory(plan.spec.file), shellRemoteDirectory(kept)]
  const script = `cmp -s ${from} ${to} || { rm -f ${to} && cp -p ${from} ${to} && { sync ${to} 2>/dev/null || sync; }; }`
  const [answer] = await session.ask([{ kind: 'run', script }], { timeoutMs: exchangeTimeoutMs })
  const ran =
    answer.kind === 'ran' ? ranOf(answer) : { exitCode: 1, lines: answer.kind === 'refused' ? answer.evidence : [] }
  if (ran.exitCode !== 0) {
    const refusal = { code: 'REMOTE_COMMAND_FAILED', evidence: ran.lines } as const
    throw new DeliveryFailed('PUSH_SYNC', deliveryRefused(node, { kind: 'routes', path: kept }, refusal))
  }
  const message = `${plan.spec.file} on ${node.name} was there before and was not written by Lockstep. What it held is kept in ${kept}.`
  log(message)
  return { code: 'PRECONDITION_FAILED', message, evidence: [] }
}
