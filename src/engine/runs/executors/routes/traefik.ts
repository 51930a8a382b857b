import {
  traefikHidden,
  traefikNotListing,
  traefikNotRestarted,
  traefikNotRunning,
  traefikUnknown,
} from '../../../../core/registry/deliveryCauses.ts'
import {
  composeRestartScript,
  readRouters,
  readTraefikCheck,
  traefikCheckScript,
  traefikListScript,
} from '../../../../core/registry/traefikProbe.ts'
import { assertNever } from '../../../../shared/errors.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { ProofRule, Run } from '../../../../shared/model/run.ts'
import type { NodeAnswer, NodeOrder } from '../../../ports.ts'
import { runMark } from '../../../transfer/remoteProcess.ts'
import { type Ran, ranOf } from '../delivery/answers.ts'
import { isProvenYet, observedOf } from '../delivery/drift.ts'
import { DeliveryFailed, type DeliverySession } from '../delivery/session.ts'
import type { RoutesContext } from './context.ts'
import type { RoutesPayload } from './payload.ts'

/** Whole exchange; what waits for Traefik in there waits for seconds. */
export const exchangeTimeoutMs = 60_000

type Role = 'restart' | 'check' | 'list'

/** One order to Traefik, and what its answer is for. */
interface TraefikOrder {
  readonly role: Role
  readonly order: NodeOrder
}

/** What Traefik is told and asked in the exchange that reads, or replaces, the file. */
export interface TraefikOrders {
  /** It may not have read what lies there, and does not watch: it is restarted whether or not the file changes. */
  readonly mustRestart: boolean
  readonly afterRead: readonly TraefikOrder[]
  readonly afterReplace: readonly TraefikOrder[]
  /** The questions alone, with time for an answer. */
  readonly again: readonly TraefikOrder[]
}

export function traefikOrders(
  context: RoutesContext,
  payload: Pick<RoutesPayload, 'state' | 'routers'>,
): TraefikOrders {
  const { reload, api } = context.plan.spec
  const observed = observedOf(context)
  const isInForce = isProvenYet(context, observed) && observed?.digest === payload.state
  const mustRestart = reload.kind === 'compose-restart' && !isInForce
  const check = checkOrders(context)
  const list = (waits: boolean, when: 'always' | 'after-change'): TraefikOrder[] => {
    if (api === null) return []
    const script = runMark(context.run.id) + traefikListScript(api, { waits })
    return [{ role: 'list', order: { kind: 'run', script, stdin: payload.routers, when } }]
  }
  return {
    mustRestart,
    afterRead: mustRestart ? [] : [...check, ...list(false, 'always')],
    afterReplace: [
      ...restartOrders(context, mustRestart),
      ...check,
      ...list(true, mustRestart ? 'always' : 'after-change'),
    ],
    again: [...check, ...list(true, 'always')],
  }
}

function restartOrders({ plan }: RoutesContext, always: boolean): TraefikOrder[] {
  const { reload } = plan.spec
  switch (reload.kind) {
    case 'watch':
      return []
    case 'compose-restart': {
      // Without the mark of the run: a cancel must not leave the containers stopped.
      const script = composeRestartScript(reload.directory)
      return [{ role: 'restart', order: { kind: 'run', script, when: always ? 'always' : 'after-change' } }]
    }
    default:
      return assertNever(reload)
  }
}

export function checkOrders({ plan, run }: RoutesContext): TraefikOrder[] {
  const script = traefikCheckScript(plan.spec.traefik)
  return script === null ? [] : [{ role: 'check', order: { kind: 'run', script: runMark(run.id) + script } }]
}

/** What was found out about Traefik; with a failure the file lies there in vain. */
export interface TraefikProof {
  readonly verify: ProofRule
  readonly warnings: Run['warnings']
  readonly failure?: DeliveryFailed
}

interface Asked {
  readonly orders: readonly TraefikOrder[]
  readonly answers: readonly NodeAnswer[]
}

interface Questions {
  readonly asked: Asked
  /** What is asked once more when it was left out. */
  readonly again: readonly TraefikOrder[]
  /** Null where its list says nothing. */
  readonly api?: string | null
}

/** @throws DeliveryFailed when Traefik could not be restarted */
export async function traefikProof(
  context: RoutesContext,
  session: DeliverySession,
  { asked, again, api = context.plan.spec.api }: Questions,
): Promise<TraefikProof> {
  const restart = ranAs(asked, 'restart')
  if (restart !== null && restart.exitCode !== 0)
    throw new DeliveryFailed('PUSH_SYNC', traefikNotRestarted(context.node, restart.lines))
  // It lay there already, which nobody knew: the question that waits for a change was not asked.
  const isUnasked = asked.orders.some(({ role }, index) => role === 'list' && asked.answers[index]?.kind === 'skipped')
  const last = isUnasked
    ? {
        orders: again,
        answers: await session.ask(
          again.map(({ order }) => order),
          { timeoutMs: exchangeTimeoutMs },
        ),
      }
    : asked
  return judge(context, last, api)
}

function judge(context: RoutesContext, asked: Asked, api: string | null): TraefikProof {
  const { plan } = context
  const checked = plan.spec.traefik.kind !== 'none'
  const verify = { mode: 'routes', traefik: checked ? 'running' : 'unchecked', routers: null } as const
  const stopped = checked ? stoppedCause(context, asked) : null
  if (stopped !== null) return { verify, warnings: [], failure: new DeliveryFailed('VERIFY', stopped) }
  if (api === null) {
    context.log(checked ? 'Traefik runs' : 'the plan asks for no look at Traefik: only the file is proven')
    return { verify, warnings: [] }
  }
  const routers = routersOf(context, asked)
  if ('failure' in routers) return { verify, warnings: [], failure: new DeliveryFailed('VERIFY', routers.failure) }
  context.log(`Traefik runs and lists ${routers.count} routers of ours`)
  return { verify: { ...verify, routers: routers.count }, warnings: routers.warnings }
}

function stoppedCause({ node, plan }: RoutesContext, asked: Asked): Diagnosis | null {
  const { traefik } = plan.spec
  const ran = ranAs(asked, 'check')
  if (ran === null) return traefikNotRunning(node, 'the node did not say', refusalOf(asked, 'check'))
  const finding = readTraefikCheck(ran.exitCode, ran.stdout)
  const program = traefik.kind === 'container' ? traefik.runtime : 'a way to look at its processes'
  switch (finding.kind) {
    case 'running':
      return null
    case 'stopped':
      return traefikNotRunning(node, finding.why, ran.lines)
    case 'no-program':
      return traefikUnknown(node, finding.program, ran.lines)
    case 'refused':
      return traefikHidden(node, program, ran.lines)
    case 'unknown':
      return traefikNotRunning(node, `the look at it ended with exit code ${finding.exitCode}`, ran.lines)
    default:
      return assertNever(finding)
  }
}

type Routers = { readonly failure: Diagnosis } | { readonly count: number; readonly warnings: Run['warnings'] }

function routersOf({ node }: RoutesContext, asked: Asked): Routers {
  const ran = ranAs(asked, 'list')
  if (ran === null) return { failure: traefikNotListing(node, 'it was not asked', refusalOf(asked, 'list')) }
  const finding = readRouters(ran.exitCode, ran.stdout)
  switch (finding.kind) {
    case 'listed': {
      const message = `Traefik on ${node.name} has taken the routes with warnings.`
      const { warnings } = finding
      const kept = warnings.length === 0 ? [] : [{ code: 'TRAEFIK_NOT_LISTING', message, evidence: [...warnings] }]
      return { count: finding.routers, warnings: kept }
    }
    case 'not-listed':
      return { failure: traefikNotListing(node, finding.what, finding.evidence) }
    case 'no-fetcher':
      return { failure: traefikUnknown(node, 'curl and no wget', []) }
    default:
      return assertNever(finding)
  }
}

/** Null when there was no such order, or it was not carried out. */
function ranAs({ orders, answers }: Asked, role: Role): Ran | null {
  const answer = answers[orders.findIndex((order) => order.role === role)]
  return answer?.kind === 'ran' ? ranOf(answer) : null
}

function refusalOf({ orders, answers }: Asked, role: Role): readonly string[] {
  const answer = answers[orders.findIndex((order) => order.role === role)]
  return answer?.kind === 'refused' ? answer.evidence : []
}
