import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { GuideReport } from '../../shared/model/guide.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import { shellWord } from '../transfer/remoteShell.ts'
import { offerFor, resync } from './causes.ts'
import { fine, type Look, notLookedAt, odd, offered, reportOf, told, wrong } from './steps.ts'

/** One host name of a public service as the world sees it. */
export interface NameFacts {
  readonly name: string
  /** Empty: it does not resolve. */
  readonly addresses: readonly string[]
}

export interface RoutesFacts {
  readonly node: FleetNode
  /** Null: no plan of kind `routes` selects the node. */
  readonly plan: PlanOf<'routes'> | null
  readonly publicServices: number
  /** What lies on the node; null when it could not be asked, then `unreached` says why. */
  readonly file: { readonly status: 'as-wanted' | 'other' | 'missing'; readonly head: readonly string[] } | null
  readonly traefik: {
    /** `unknown`: the look at it did not come to an end, which says nothing about Traefik. */
    readonly status: 'running' | 'not-running' | 'unchecked' | 'unknown'
    readonly evidence: readonly string[]
  } | null
  /** The last lines Traefik has logged; null where they cannot be had. */
  readonly log: readonly string[] | null
  readonly unreached: Diagnosis | null
  readonly names: readonly NameFacts[]
}

/** "VPS routes not updating" (S1.107): from our side to the browser's. */
export function routesNotUpdating(facts: RoutesFacts): GuideReport {
  const looks = [planned(facts), services(facts), reached(facts), file(facts), traefik(facts), log(facts), names(facts)]
  return reportOf(
    'routes-not-updating',
    facts.node.name,
    looks.map(({ step, finding }) => ({ steps: [step], finding })),
  )
}

/**
 * What was read from the node and is not as it was proven before; null while nothing says so. What was not looked at, names
 * and logs say nothing about what was proven.
 */
export const refutationIn = (facts: RoutesFacts): Diagnosis | null =>
  (file(facts).finding ?? traefik(facts).finding)?.diagnosis ?? null

function planned({ node, plan }: RoutesFacts): Look {
  const question = 'Is it given routes?'
  const byHand = 'lockstep plans list'
  if (plan !== null)
    return fine(question, `by the plan ${plan.name}, revision ${plan.revision}, into ${plan.spec.file}`, { byHand })
  return wrong(
    question,
    {
      diagnosis: told(
        'PRECONDITION_FAILED',
        `No plan of kind routes selects ${node.name}. Write one, or widen a selector.`,
        'no routes plan',
      ),
      offer: offered(
        { kind: 'decide', where: 'plan', nodeId: node.id },
        'Open the plans',
        'Nothing is changed until you save.',
      ),
    },
    { byHand },
  )
}

function services({ plan, publicServices }: RoutesFacts): Look {
  const question = 'Is any service public?'
  if (plan === null) return notLookedAt(question, 'we did not get that far')
  const byHand = 'lockstep registry get services'
  return publicServices > 0
    ? fine(question, publicServices === 1 ? 'one is' : `${publicServices} are`, { byHand })
    : odd(question, 'none is, so the routes file is empty on purpose', { byHand })
}

function reached({ node, plan, unreached }: RoutesFacts): Look {
  const question = 'Does the node answer?'
  if (plan === null) return notLookedAt(question, 'we did not get that far')
  return unreached === null
    ? fine(question, 'yes', { byHand: 'lockstep health' })
    : wrong(question, { diagnosis: unreached, offer: offerFor(node, unreached) })
}

function file({ node, plan, file: found }: RoutesFacts): Look {
  const question = 'Does the routes file say what it should?'
  if (plan === null || found === null) return notLookedAt(question, 'we did not get that far')
  const byHand = `cat ${shellWord(plan.spec.file)}`
  if (found.status === 'as-wanted')
    return fine(question, plan.spec.receiver.kind === 'script' ? 'yes' : 'yes, to the byte', { byHand })
  const words =
    found.status === 'missing'
      ? `There is no ${plan.spec.file} on ${node.name}`
      : `${plan.spec.file} on ${node.name} is not what the registry makes of it`
  return wrong(
    question,
    {
      diagnosis: told(
        'VERIFY_MISMATCH',
        `${words}: the last sync did not bring it, or somebody has changed it since. Sync it again.`,
        'routes differ',
        found.head,
      ),
      offer: resync(node),
    },
    { byHand },
  )
}

function traefik({ node, plan, traefik: found }: RoutesFacts): Look {
  const question = 'Does Traefik run?'
  if (plan === null || found === null) return notLookedAt(question, 'we did not get that far')
  const check = plan.spec.traefik
  const byHand = check.kind === 'container' ? `${check.runtime} ps --filter name=${check.name}` : 'pgrep -a traefik'
  if (found.status === 'running') return fine(question, 'yes', { evidence: found.evidence, byHand })
  if (found.status === 'unknown')
    return odd(question, 'it could not be found out', { evidence: found.evidence, byHand })
  if (found.status === 'unchecked') return odd(question, 'the plan does not ask', { byHand })
  return wrong(
    question,
    {
      diagnosis: told(
        'TRAEFIK_NOT_RUNNING',
        `Traefik does not run on ${node.name}, so its routes lead nowhere. Restart it.`,
        'Traefik is down',
        found.evidence,
      ),
      offer: restart(node, plan),
    },
    { byHand },
  )
}

/** Where the plan does not say how, a person has to. */
function restart(node: FleetNode, plan: PlanOf<'routes'>) {
  const { reload, traefik: check } = plan.spec
  if (reload.kind === 'compose-restart' || check.kind === 'container')
    return offered(
      { kind: 'restart-traefik', nodeId: node.id, planId: plan.id },
      `Restart Traefik on ${node.name}`,
      `Runs on ${node.name}: ${restartCommand(plan)}`,
      'Connections through it end for the moment of the restart.',
    )
  return offered(
    { kind: 'by-hand', nodeId: node.id, command: 'cd ~/traefik && docker compose restart' },
    'Open a terminal',
    `Opens a shell on ${node.name}; nothing is run until you press Enter.`,
  )
}

/** What is run on the node to start Traefik again; null when the plan does not say how. */
export function restartCommand({ spec }: Pick<PlanOf<'routes'>, 'spec'>): string | null {
  if (spec.reload.kind === 'compose-restart') return `cd ${shellWord(spec.reload.directory)} && docker compose restart`
  return spec.traefik.kind === 'container' ? `${spec.traefik.runtime} restart ${spec.traefik.name}` : null
}

function log({ plan, log: lines }: RoutesFacts): Look {
  const question = 'What does Traefik log?'
  if (plan === null || lines === null) return notLookedAt(question, 'its log is not within reach')
  const name = plan.spec.traefik.kind === 'container' ? plan.spec.traefik.name : 'traefik'
  const byHand = `docker logs ${name} -n 50`
  const complaints = lines.filter((line) => /\b(ERR|error|level=error)\b/.test(line))
  return complaints.length === 0
    ? fine(question, 'no errors in its last lines', { byHand })
    : odd(question, `${complaints.length} errors in its last ${lines.length} lines`, {
        evidence: complaints.slice(-10),
        byHand,
      })
}

function names({ node, plan, names: all }: RoutesFacts): Look {
  const question = 'Do the names lead to this node?'
  if (plan === null) return notLookedAt(question, 'we did not get that far')
  if (all.length === 0) return notLookedAt(question, 'there is no public name')
  const elsewhere = all.filter(({ addresses }) => !addresses.includes(node.address))
  const said = ({ name, addresses }: NameFacts): string =>
    `${name}: ${addresses.length === 0 ? 'does not resolve' : addresses.join(', ')}`
  const byHand = `getent hosts ${all[0]?.name ?? ''}`
  // The node may stand behind another address; only the person knows.
  return elsewhere.length === 0
    ? fine(question, `all ${all.length} do`, { byHand })
    : odd(
        question,
        `${elsewhere.length} of ${all.length} do not lead to ${node.address}: check the DNS records unless something stands before the node`,
        { evidence: elsewhere.slice(0, 10).map(said), byHand },
      )
}
