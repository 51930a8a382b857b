import { resolve4, resolve6 } from 'node:dns/promises'
import { selects } from '../../core/fleet/assignment.ts'
import { type NetworkFacts, nodeStaysPending } from '../../core/guides/nodeStaysPending.ts'
import { nothingIsSynced } from '../../core/guides/nothingIsSynced.ts'
import { type NameFacts, refutationIn, restartCommand, routesNotUpdating } from '../../core/guides/routesNotUpdating.ts'
import { hostName } from '../../core/registry/routes.ts'
import { composeRestartScript } from '../../core/registry/traefikProbe.ts'
import type { Clock } from '../../platform/clock.ts'
import { exec } from '../../platform/exec.ts'
import { AppError, assertNever, toAppError } from '../../shared/errors.ts'
import type { GuideFix, GuideName, GuideReport } from '../../shared/model/guide.ts'
import type { RolloutId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import type { EngineStatus } from '../../shared/model/system.ts'
import type { NodeChannels, RegistryContent, RegistrySources, Store } from '../ports.ts'
import type { NodeService } from './nodeService.ts'
import { recordRefutation } from './refutation.ts'
import { resolveNode } from './resolve.ts'
import { linesOf, lookAtRoutes, textOf } from './routesLook.ts'

export interface GuideServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly nodes: Pick<NodeService, 'doctor' | 'update'>
  readonly channels: Pick<NodeChannels, 'exchange'>
  readonly content: RegistryContent
  readonly sources: Pick<RegistrySources, 'list' | 'refresh'>
  readonly status: () => Promise<EngineStatus>
  /** What the fixes do; each says in one line what it has begun. */
  readonly acts: {
    readonly reconcile: () => Promise<string>
    readonly resync: (node: FleetNode, operator: string) => Promise<string>
    readonly renew: (node: FleetNode, operator: string) => Promise<string>
    readonly resumeRollout: (id: RolloutId, operator: string) => Promise<string>
  }
}

/** Guided diagnosis: the troubles people come with, gone through for them (S1.105-107). */
export interface GuideService {
  /** @throws INVALID_INPUT for a guide of a node without one */
  examine(guide: GuideName, node: string | undefined, operator: string): Promise<GuideReport>
  /** @returns what was begun. @throws UNSUPPORTED for what only a person can do */
  fix(fix: GuideFix, operator: string): Promise<string>
}

const exchangeTimeoutMs = 20_000
const localTimeoutMs = 5_000
/** Names asked of DNS: enough to see what is wrong, few enough to be asked at once. */
const mostNames = 25

export function createGuideService(dependencies: GuideServiceDependencies): GuideService {
  const { store, clock, nodes, content, sources, acts } = dependencies

  async function examineFleet(): Promise<GuideReport> {
    const [engine, plans, all, openRollouts, revision] = await Promise.all([
      dependencies.status(),
      store.listPlans(),
      store.listNodes(),
      store.listRollouts({ limit: 100, open: true }),
      store.listRevisions('services', { limit: 1 }),
    ])
    const push = all.filter(({ transport }) => transport === 'push')
    return nothingIsSynced({
      nowMs: clock.nowMs(),
      startedAt: engine.startedAt,
      vaultUnlocked: engine.vault.unlocked,
      vaultDescription: engine.vault.description,
      reconcile: engine.reconcile,
      sources: await sources.list(),
      revision: revision[0] ?? null,
      plans,
      selectedNodes: push.filter((node) => node.plans.length > 0).length,
      pushNodes: push.length,
      openRollouts,
      runsQueued: engine.counts.runsQueued,
      runsRunning: engine.counts.runsRunning,
    })
  }

  async function examinePending(node: FleetNode, operator: string): Promise<GuideReport> {
    const doctor = await nodes.doctor(node.id, operator)
    const network = await networkOf(dependencies, node, doctor.diagnosis === null)
    const seen = (await store.getNode(node.id)) ?? node
    return nodeStaysPending({ nowMs: clock.nowMs(), node: seen, doctor, network })
  }

  async function examineRoutes(node: FleetNode): Promise<GuideReport> {
    const plan =
      (await store.listPlans()).find(
        (each): each is PlanOf<'routes'> => each.kind === 'routes' && selects(each, node),
      ) ?? null
    if (plan === null)
      return routesNotUpdating({
        node,
        plan,
        publicServices: 0,
        file: null,
        traefik: null,
        log: null,
        unreached: null,
        names: [],
      })
    const delivered = await content.of(plan)
    const open = delivered.services.filter((service) => service.public)
    const names = [...new Set(open.map((service) => hostName(service, plan.spec.routes.domain)))].slice(0, mostNames)
    const [seen, resolved] = await Promise.all([
      lookAtRoutes(dependencies.channels, node, { plan, delivered }),
      Promise.all(names.map(resolveName)),
    ])
    const facts = { node, plan, publicServices: open.length, names: resolved, ...seen }
    const refutation = refutationIn(facts)
    if (refutation !== null) await recordRefutation(dependencies, { node, plan, refutation })
    return routesNotUpdating(facts)
  }

  async function examine(guide: GuideName, reference: string | undefined, operator: string): Promise<GuideReport> {
    if (guide === 'nothing-is-synced') return examineFleet()
    if (reference === undefined)
      throw new AppError('INVALID_INPUT', `The guide "${guide}" looks at one node. Say which.`, {
        data: { field: 'node' },
      })
    const node = await resolveNode(store, reference)
    return guide === 'node-stays-pending' ? examinePending(node, operator) : examineRoutes(node)
  }

  const audited = async (operator: string, fix: GuideFix, subject: string): Promise<void> =>
    store.transact((transaction) =>
      transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'guide.fix', subject, detail: { ...fix } },
      ]),
    )

  async function onNode(
    fix: Extract<GuideFix, { kind: 'resync' | 'renew-certificate' | 'end-maintenance' | 'restart-traefik' }>,
    operator: string,
  ): Promise<string> {
    const node = await resolveNode(store, fix.nodeId)
    await audited(operator, fix, node.name)
    switch (fix.kind) {
      case 'resync':
        return acts.resync(node, operator)
      case 'renew-certificate':
        return acts.renew(node, operator)
      case 'end-maintenance':
        await nodes.update(node.id, { maintenance: false }, operator)
        return acts.resync(node, operator)
      case 'restart-traefik':
        await restartTraefik(dependencies, node, fix.planId)
        // Only a run proves that it serves the routes again.
        return `Traefik was restarted on ${node.name}. ${await acts.resync(node, operator).catch(toWords)}`
      default:
        return assertNever(fix)
    }
  }

  async function fix(wanted: GuideFix, operator: string): Promise<string> {
    switch (wanted.kind) {
      case 'resync':
      case 'renew-certificate':
      case 'end-maintenance':
      case 'restart-traefik':
        return onNode(wanted, operator)
      case 'reconcile':
        await audited(operator, wanted, 'fleet')
        return acts.reconcile()
      case 'refresh-source': {
        const source = await sources.refresh(wanted.sourceId)
        return `${source.name} was read again: ${source.state.status}.`
      }
      case 'resume-rollout':
        return acts.resumeRollout(wanted.rolloutId, operator)
      case 'decide':
      case 'by-hand':
        throw new AppError('UNSUPPORTED', 'Only a person can do this. The report says where, and with which command.')
      default:
        return assertNever(wanted)
    }
  }

  return { examine, fix }
}

/** What was done stays done, whatever comes after it. */
const toWords = (error: unknown): string => toAppError(error).message

/** Asked on the node when it lets us in, else on this machine (S1.106). */
async function networkOf(
  { channels }: GuideServiceDependencies,
  node: FleetNode,
  letIn: boolean,
): Promise<NetworkFacts | null> {
  if (!letIn) return localNetwork()
  const script = 'command -v tailscale >/dev/null 2>&1 || exit 9; tailscale status 2>&1 | head -n 10'
  const exchange = await channels
    .exchange(node, [{ kind: 'run', script }], { timeoutMs: exchangeTimeoutMs })
    .catch(() => null)
  const answer = exchange?.answers[0]
  return answer?.kind === 'ran' && answer.exitCode === 0 ? { where: 'node', text: textOf(answer.stdout) } : null
}

async function localNetwork(): Promise<NetworkFacts | null> {
  try {
    const { stdout, stderr } = await exec({
      command: 'tailscale',
      args: ['status'],
      timeoutMs: localTimeoutMs,
      okExitCodes: 'any',
    })
    return { where: 'here', text: `${stdout}${stderr}` }
  } catch {
    return null
  }
}

async function resolveName(name: string): Promise<NameFacts> {
  const found = await Promise.allSettled([resolve4(name), resolve6(name)])
  return { name, addresses: found.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])) }
}

async function restartTraefik(
  { store, channels }: GuideServiceDependencies,
  node: FleetNode,
  planId: PlanOf<'routes'>['id'],
): Promise<void> {
  const plan = await store.getPlan(planId)
  if (plan?.kind !== 'routes' || restartCommand(plan) === null)
    throw new AppError(
      'UNSUPPORTED',
      'The plan does not say how Traefik is restarted. Name its container, or its compose directory, in the plan.',
    )
  const { reload, traefik } = plan.spec
  const script =
    reload.kind === 'compose-restart' ? composeRestartScript(reload.directory) : (restartCommand(plan) ?? ':')
  const { answers } = await channels.exchange(node, [{ kind: 'run', script }], { timeoutMs: 60_000 })
  const [answer] = answers
  if (answer?.kind === 'ran' && answer.exitCode === 0) return
  const evidence = answer?.kind === 'ran' ? linesOf(answer.stderr).slice(-5) : []
  throw new AppError(
    'REMOTE_COMMAND_FAILED',
    `Traefik could not be restarted on ${node.name} (${traefik.kind}): ${evidence[0] ?? 'no reason was given'}.`,
    { data: { evidence } },
  )
}
