import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import { RegistryKind, type RegistryRevision } from '../../shared/model/registry.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'
import type { EngineStatus } from '../../shared/model/system.ts'
import type { AgentService } from '../fleet/agentService.ts'
import type { CertificateService } from '../fleet/certificateService.ts'
import type { DemoService } from '../fleet/demoService.ts'
import type { GuideService } from '../fleet/guideService.ts'
import type { NodeService } from '../fleet/nodeService.ts'
import type { PlanService } from '../fleet/planService.ts'
import { resolveNode, resolvePlan } from '../fleet/resolve.ts'
import type { StepCaService } from '../fleet/stepCaService.ts'
import type { StorageService } from '../fleet/storageService.ts'
import type { TrustService } from '../fleet/trustService.ts'
import type { CertificateAuthority, Gateway, Store } from '../ports.ts'
import type { RunService } from '../runs/runService.ts'
import type { TerminalService } from '../terminals/terminalService.ts'
import { agentsRouter, gatewayRouter } from './agentsRouter.ts'
import { certificatesRouter, stepCaRouter, storageRouter } from './certificatesRouter.ts'
import type { EventHub } from './eventHub.ts'
import { guidesRouter } from './guidesRouter.ts'
import { os } from './procedures.ts'
import { type RegistryServices, registryRouter, rolloutsRouter, sourcesRouter } from './registryRouter.ts'
import { type RepositoryServices, repositoriesRouter } from './repositoriesRouter.ts'
import type { RunLogs } from './runLogs.ts'

/** What the procedures call; put together by `engine.ts`. */
export interface ApiServices extends RegistryServices, RepositoryServices {
  readonly store: Store
  readonly events: EventHub
  readonly nodes: NodeService
  readonly guides: GuideService
  readonly plans: PlanService
  readonly runs: RunService
  readonly runLogs: RunLogs
  readonly authority: CertificateAuthority
  readonly certificates: CertificateService
  readonly trust: TrustService
  readonly stepCa: StepCaService
  readonly storage: StorageService
  readonly agents: AgentService
  readonly gateway: Gateway
  readonly clock: Pick<Clock, 'nowMs'>
  readonly terminals: TerminalService
  readonly demo: DemoService
  status(): Promise<EngineStatus>
  unlock(passphrase: string): Promise<void>
  reconcileNow(): Promise<{ runs: number }>
}

/** How many finished runs a replica starts with; older ones are fetched when a view asks. */
const snapshotFinishedRuns = 500
const snapshotFinishedRollouts = 20

/** Open runs whatever their age, then the newest others. */
async function snapshotRuns(store: Store): Promise<Run[]> {
  const newest = await store.listRuns({ limit: snapshotFinishedRuns })
  const known = new Set(newest.map((run) => run.id))
  const older = (await store.listOpenRuns()).filter((run) => !known.has(run.id))
  return [...older, ...newest]
}

/** Open rollouts whatever their age, then the newest others. */
async function snapshotRollouts(store: Store): Promise<Rollout[]> {
  const newest = await store.listRollouts({ limit: snapshotFinishedRollouts })
  const known = new Set(newest.map(({ id }) => id))
  const older = (await store.listRollouts({ limit: 1_000, open: true })).filter(({ id }) => !known.has(id))
  return [...newest, ...older]
}

async function newestRevisions(store: Store): Promise<RegistryRevision[]> {
  const newest = await Promise.all(RegistryKind.options.map((registry) => store.listRevisions(registry, { limit: 1 })))
  return newest.flat()
}

function systemRouter(services: ApiServices) {
  const { store, events } = services
  return {
    status: os.system.status.handler(() => services.status()),
    snapshot: os.system.snapshot.handler(async () => {
      // The seq is read first: what is committed meanwhile is replayed on top, and applying it twice does no harm.
      const seq = await store.headSeq()
      const [engine, nodes, plans, agents, runs, rollouts, registries] = await Promise.all([
        services.status(),
        store.listNodes(),
        store.listPlans(),
        store.listAgents(),
        snapshotRuns(store),
        snapshotRollouts(store),
        newestRevisions(store),
      ])
      return { seq, engine, nodes, plans, agents, runs, rollouts, registries }
    }),
    watch: os.system.watch.handler(({ input, signal }) => events.watch(input.afterSeq, signal)),
    unlock: os.system.unlock.handler(async ({ input }) => {
      await services.unlock(input.passphrase)
      return services.status()
    }),
    reconcile: os.system.reconcile.handler(() => services.reconcileNow()),
  }
}

function nodesRouter({ nodes }: ApiServices) {
  return {
    list: os.nodes.list.handler(({ input }) => nodes.list(input.filter)),
    get: os.nodes.get.handler(({ input }) => nodes.get(input.node)),
    add: os.nodes.add.handler(async ({ input, context }) => {
      const [added] = await nodes.add([input], context.caller.operator)
      if (added === undefined) throw new AppError('INTERNAL', 'The node was not registered.')
      return added
    }),
    import: os.nodes.import.handler(({ input, context }) => nodes.add(input.nodes, context.caller.operator)),
    update: os.nodes.update.handler(({ input, context }) =>
      nodes.update(input.node, input.patch, context.caller.operator),
    ),
    remove: os.nodes.remove.handler(async ({ input, context }) => ({
      nodeId: await nodes.remove(input.node, context.caller.operator),
    })),
    probeHostKey: os.nodes.probeHostKey.handler(async ({ input }) => ({ offered: await nodes.probeHostKey(input) })),
    acceptHostKey: os.nodes.acceptHostKey.handler(({ input, context }) =>
      nodes.acceptHostKey(input.node, input.fingerprint, context.caller.operator),
    ),
    doctor: os.nodes.doctor.handler(({ input, context }) => nodes.doctor(input.node, context.caller.operator)),
    check: os.nodes.check.handler(({ input }) => nodes.check(input.node)),
  }
}

function plansRouter({ plans, store }: ApiServices) {
  return {
    list: os.plans.list.handler(() => plans.list()),
    get: os.plans.get.handler(({ input }) => plans.get(input.plan)),
    apply: os.plans.apply.handler(({ input, context }) => plans.apply(input.plans, context.caller.operator)),
    remove: os.plans.remove.handler(async ({ input, context }) => ({
      planId: await plans.remove(input.plan, context.caller.operator),
    })),
    preview: os.plans.preview.handler(async ({ input }) => {
      const nodeIds = await plans.preview(input.selector)
      return { nodeIds, total: (await store.listNodes()).length }
    }),
  }
}

function runsRouter({ runs, runLogs, store }: ApiServices) {
  return {
    push: os.runs.push.handler(({ input, context }) =>
      runs.push({ ...input, trigger: 'operator', requestedBy: context.caller.operator }),
    ),
    list: os.runs.list.handler(async ({ input }) => {
      const { node, plan, batchId, statuses, before, limit } = input
      const found = await store.listRuns({
        limit: limit + 1,
        ...(node === undefined ? {} : { nodeId: (await resolveNode(store, node)).id }),
        ...(plan === undefined ? {} : { planId: (await resolvePlan(store, plan)).id }),
        ...(batchId === undefined ? {} : { batchId }),
        ...(statuses === undefined ? {} : { statuses }),
        ...(before === undefined ? {} : { before }),
      })
      const page = found.slice(0, limit)
      return { runs: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null }
    }),
    get: os.runs.get.handler(async ({ input }) => {
      const run = await store.getRun(input.runId)
      if (run === null)
        throw new AppError('NOT_FOUND', `There is no run ${input.runId}. "lockstep runs list" shows the ids.`, {
          data: { runId: input.runId },
        })
      return run
    }),
    cancel: os.runs.cancel.handler(({ input, context }) => runs.cancel(input.runId, context.caller.operator)),
    approve: os.runs.approve.handler(({ input, context }) =>
      runs.approve(input.runId, input.reason, context.caller.operator),
    ),
    log: os.runs.log.handler(({ input }) => runLogs.read(input.runId, input.offset, input.maxBytes)),
    followLog: os.runs.followLog.handler(({ input, signal }) => runLogs.follow(input.runId, input.offset, signal)),
  }
}

function terminalsRouter({ terminals, store }: ApiServices) {
  return {
    list: os.terminals.list.handler(async () => [...terminals.list()]),
    open: os.terminals.open.handler(async ({ input, context }) =>
      terminals.open({ node: await resolveNode(store, input.node), size: input.size, caller: context.caller }),
    ),
    close: os.terminals.close.handler(({ input }) => terminals.close(input.terminalId)),
  }
}

function auditRouter({ store }: ApiServices) {
  return {
    list: os.audit.list.handler(({ input }) =>
      store.listAudit({ limit: input.limit, ...(input.beforeSeq === undefined ? {} : { beforeSeq: input.beforeSeq }) }),
    ),
    verify: os.audit.verify.handler(() => store.verifyAudit()),
  }
}

function demoRouter({ demo }: ApiServices) {
  return {
    status: os.demo.status.handler(() => demo.status()),
    up: os.demo.up.handler(({ input, context }) => demo.up(input, context.caller.operator)),
    down: os.demo.down.handler(({ context }) => demo.down(context.caller.operator)),
    fault: os.demo.fault.handler(({ input, context }) => demo.fault(input.node, input.fault, context.caller.operator)),
    enrollAgent: os.demo.enrollAgent.handler(({ input, context }) =>
      demo.enrollAgent(input.name, context.caller.operator),
    ),
    heal: os.demo.heal.handler(({ input, context }) => demo.heal(input.node, context.caller.operator)),
  }
}

/** The contract, implemented: thin procedures over the services, one error form. */
export function createRouter(services: ApiServices) {
  return os.router({
    system: systemRouter(services),
    nodes: nodesRouter(services),
    guides: guidesRouter(services),
    plans: plansRouter(services),
    runs: runsRouter(services),
    registry: registryRouter(services),
    sources: sourcesRouter(services),
    rollouts: rolloutsRouter(services),
    repositories: repositoriesRouter(services),
    certificates: certificatesRouter(services),
    stepCa: stepCaRouter(services),
    storage: storageRouter(services),
    agents: agentsRouter(services),
    gateway: gatewayRouter(services),
    audit: auditRouter(services),
    terminals: terminalsRouter(services),
    demo: demoRouter(services),
  })
}

export type EngineRouter = ReturnType<typeof createRouter>
