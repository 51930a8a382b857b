import { createHash } from 'node:crypto'
import type { RoutesFacts } from '../../core/guides/routesNotUpdating.ts'
import { mostReceiverBytes, receivedRoutesDifferences } from '../../core/registry/receiverCheck.ts'
import { readTraefikCheck, traefikCheckScript } from '../../core/registry/traefikProbe.ts'
import { assertNever, toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import type { RegistryService } from '../../shared/model/registry.ts'
import type { NodeAnswer, NodeChannels, NodeOrder } from '../ports.ts'

/** What a guide looks for. */
export interface RoutesLook {
  readonly plan: PlanOf<'routes'>
  /** What the registry makes of the plan now. */
  readonly delivered: { readonly text: string; readonly services: readonly RegistryService[] }
}

type SeenRoutes = Pick<RoutesFacts, 'file' | 'traefik' | 'log' | 'unreached'>

const exchangeTimeoutMs = 20_000
const logLines = 50

/** Of a line that is shown: what lies on a node may be anything. */
const longestLine = 500

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** Lines that say something, none too long to be shown. */
export const linesOf = (bytes: Uint8Array): string[] =>
  textOf(bytes)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.slice(0, longestLine))

/** Reads the routes file of a node and looks at its Traefik, in one round trip; changes nothing. */
export async function lookAtRoutes(
  channels: Pick<NodeChannels, 'exchange'>,
  node: FleetNode,
  look: RoutesLook,
): Promise<SeenRoutes> {
  const { spec } = look.plan
  const check = traefikCheckScript(spec.traefik)
  const orders: NodeOrder[] = [
    { kind: 'read', path: spec.file, unlessState: createHash('sha256').update(look.delivered.text).digest('hex') },
    { kind: 'run', script: check ?? ':' },
    { kind: 'run', script: logScript(look.plan) },
  ]
  try {
    const { answers } = await channels.exchange(node, orders, { timeoutMs: exchangeTimeoutMs })
    const [file, traefik, log] = answers
    return {
      file: fileFact(file, look),
      traefik: check === null ? { status: 'unchecked', evidence: [] } : traefikFact(traefik),
      log: log?.kind === 'ran' && log.exitCode === 0 ? linesOf(log.stdout) : null,
      unreached: null,
    }
  } catch (error) {
    const carried = Diagnosis.safeParse(toAppError(error).data?.diagnosis)
    if (!carried.success) throw error
    return { file: null, traefik: null, log: null, unreached: carried.data }
  }
}

/** Both streams: Traefik writes its log to whichever it likes. Exit 9: nobody keeps its log where we could read it. */
function logScript({ spec: { traefik } }: PlanOf<'routes'>): string {
  if (traefik.kind !== 'container') return 'exit 9'
  return `command -v ${traefik.runtime} >/dev/null 2>&1 || exit 9; ${traefik.runtime} logs -n ${logLines} ${traefik.name} 2>&1`
}

function fileFact(answer: NodeAnswer | undefined, look: RoutesLook): RoutesFacts['file'] {
  if (answer?.kind === 'same') return { status: 'as-wanted', head: [] }
  if (answer?.kind !== 'content') return null
  if (answer.content === null) return { status: 'missing', head: [] }
  return saysTheSame(answer.content, look)
    ? { status: 'as-wanted', head: [] }
    : { status: 'other', head: linesOf(answer.content).slice(0, 10) }
}

/** What a receiver script writes has a form of its own: not bytes are compared, but what they say. */
function saysTheSame(content: Uint8Array, { plan, delivered }: RoutesLook): boolean {
  if (plan.spec.receiver.kind !== 'script' || content.length > mostReceiverBytes) return false
  return receivedRoutesDifferences(textOf(content), delivered.services, plan.spec.routes).length === 0
}

function traefikFact(answer: NodeAnswer | undefined): RoutesFacts['traefik'] {
  if (answer?.kind !== 'ran') return null
  const finding = readTraefikCheck(answer.exitCode, textOf(answer.stdout))
  switch (finding.kind) {
    case 'running':
      return { status: 'running', evidence: [] }
    case 'stopped':
    case 'refused':
      return { status: 'not-running', evidence: [finding.why] }
    case 'no-program':
      return { status: 'not-running', evidence: [`${finding.program} is not installed there`] }
    case 'unknown':
      return { status: 'unknown', evidence: [`the check ended with ${finding.exitCode}`, ...linesOf(answer.stderr)] }
    default:
      return assertNever(finding)
  }
}
