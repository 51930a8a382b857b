import { hash, randomUUID } from 'node:crypto'
import { diagnoseProgram } from '../core/diagnose/program.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import { type Config, readConfig } from '../platform/config.ts'
import { createIdSource } from '../platform/ids.ts'
import type { KeyVault } from '../platform/keyVault.ts'
import type { Logger } from '../platform/logger.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { PushTargets } from '../shared/contract/runs.ts'
import { AppError } from '../shared/errors.ts'
import { IdempotencyKey, type RunId, type TerminalId } from '../shared/model/ids.ts'
import { isFinal } from '../shared/model/run.ts'
import type { EngineHost, EngineStatus } from '../shared/model/system.ts'
import { createAgentSide } from './agentSide.ts'
import { createEventHub } from './api/eventHub.ts'
import { createRouter, type EngineRouter } from './api/router.ts'
import { createRunLogs } from './api/runLogs.ts'
import { createCertificateService } from './fleet/certificateService.ts'
import { createDemoService } from './fleet/demoService.ts'
import { createGuideService } from './fleet/guideService.ts'
import { createLossWatch } from './fleet/lossWatch.ts'
import { type ContentDigest, refreshMadePlans } from './fleet/madePlans.ts'
import { createNodeService } from './fleet/nodeService.ts'
import { createPlanService } from './fleet/planService.ts'
import { createStepCaService } from './fleet/stepCaService.ts'
import { createStorageService } from './fleet/storageService.ts'
import { createTrustService } from './fleet/trustService.ts'
import type { EngineMeasures } from './metrics/measures.ts'
import { createDoctorIdentities } from './pki/doctorIdentities.ts'
import { createIdentities } from './pki/identities.ts'
import { createLoginIdentities } from './pki/loginIdentities.ts'
import { createPki } from './pki/pki.ts'
import { createStaticKeys } from './pki/staticKeys.ts'
import type {
  DemoFleetControl,
  DiagnoseFailure,
  Identities,
  NodeChannels,
  RegistryWebhook,
  SshPool,
  Store,
  StoreTransaction,
} from './ports.ts'
import { createRegistryContent } from './registry/content.ts'
import { createRegistrySide } from './registrySide.ts'
import { wantedDigest } from './repositories/wanted.ts'
import { createRepositorySide } from './repositorySide.ts'
import { createRunService } from './runs/runService.ts'
import { createRenewalLoop } from './scheduler/renewal.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { createNodeChannels } from './ssh/channels/nodeChannels.ts'
import { createDoctor } from './ssh/doctor.ts'
import { createHostKeyProbe } from './ssh/hostKeyProbe.ts'
import { createLoginProbe } from './ssh/loginProbe.ts'
import { createOpenSshAccess } from './ssh/openSshAccess.ts'
import { createSshPool } from './ssh/pool.ts'
import { openLogStore, openStore } from './store/index.ts'
import type { TerminalDuplex } from './terminals/duplex.ts'
import { createTerminalService } from './terminals/terminalService.ts'

/** What a host gives to its engine. The host holds the lock of the home before it makes one. */
export interface EngineDependencies {
  readonly home: HomePaths
  readonly host: EngineHost
  readonly keyVault: KeyVault
  /** Takes a passphrase that came through the contract, for vaults that ask for one; null forgets it again. */
  readonly acceptPassphrase?: (passphrase: string | null) => void
  readonly logger: Logger
  readonly version: string
  readonly clock?: Clock
  /** Default: `config.yaml` of the home. */
  readonly config?: Config
  readonly demo?: DemoFleetControl
  /** Another way to the nodes than SSH: for fleets that are simulated, larger than a machine could hold. */
  readonly transport?: (parts: { readonly identities: Identities; readonly clock: Clock }) => {
    readonly sshPool: SshPool
    readonly channels: NodeChannels
  }
}

export interface Engine {
  /** The contract, implemented; the host adds who is calling. */
  readonly router: EngineRouter
  /** New with every engine: a client that sees another one knows that it restarted. */
  readonly instanceId: string
  /** Recovers open runs and works on them; with `watch` (the default) also looks after the fleet unasked. */
  start(options?: { readonly watch?: boolean }): Promise<void>
  /** Lets nothing new begin, marks what is in flight as interrupted, closes everything. Safe to repeat. */
  stop(): Promise<void>
  /** Raw terminal bytes: whole frames of `shared/terminalFrames.ts`. */
  attachTerminal(terminalId: TerminalId, duplex: TerminalDuplex): void
  /** The machine woke up or the network came back: look at the fleet now. */
  wake(): void
  /** For the doors of a host that are open to programs without a session. */
  readonly webhook: Pick<RegistryWebhook, 'receive'>
  readonly measures: EngineMeasures
}

const dayMs = 86_400_000

const sha256 = (text: string): string => hash('sha256', text, 'hex')

/** Logs in and remembers whether the vault could be opened; what is locked stays locked until somebody unlocks it. */
function createVaultState(keyVault: KeyVault, describeAuthority: () => Promise<unknown>) {
  let unlocked = false
  const open = async (): Promise<void> => {
    await describeAuthority()
    unlocked = true
  }
  return {
    open,
    /** Opens it where that needs nobody; a vault that waits for a passphrase is not an error at start. */
    tryOpen: () =>
      open().catch((thrown: unknown) => {
        if (!(thrown instanceof AppError) || !thrown.code.startsWith('VAULT_')) throw thrown
      }),
    describe: () => ({
      kind: keyVault.kind,
      description: keyVault.describe(),
      unlocked,
      isNew: !unlocked && (keyVault.isNew?.() ?? false),
    }),
  }
}

/** Resolves when the run is final, whoever brings it there. */
async function waitUntilFinal(store: Store, runId: RunId): Promise<void> {
  let stop = (): void => undefined
  const committed = new Promise<void>((resolve) => {
    stop = store.onCommitted((events) => {
      if (
        events.some(
          ({ change }) => change.kind === 'run.saved' && change.run.id === runId && isFinal(change.run.status),
        )
      )
        resolve()
    })
  })
  try {
    const run = await store.getRun(runId)
    if (run !== null && !isFinal(run.status)) await committed
  } finally {
    stop()
  }
}

function sshTransport(identities: Identities, clock: Clock, maxConnections: number) {
  const sshPool = createSshPool({ identities, clock, settings: { maxConnections, idleCloseMs: dayMs } })
  return { sshPool, channels: createNodeChannels({ sshPool, clock }) }
}

/**
 * Puts the engine together. Nothing runs before `start`.
 *
 * @throws AppError for a configuration that does not read, a database that is damaged or newer, a full disk
 */
export async function createEngine(dependencies: EngineDependencies): Promise<Engine> {
  const { home, logger, keyVault, clock = systemClock } = dependencies
  const config = dependencies.config ?? (await readConfig(home.configFile))
  const ids = createIdSource(clock)
  const instanceId = randomUUID()
  const startedAt = clock.nowMs()

  const store = await openStore({
    databaseFile: home.databaseFile,
    backupsDirectory: home.backupsDirectory,
    clock,
    logger,
  })
  const logs = await openLogStore({ directory: home.logsDirectory, logger })
  const pki = createPki({
    keysDirectory: home.keysDirectory,
    vault: keyVault,
    store,
    clock,
    newId: ids,
    principals: config.certificate.principals,
    onChange: async (transaction) => void (await refreshPlans(transaction)),
  })
  const refreshPlans = (transaction: StoreTransaction) =>
    refreshMadePlans(transaction, ['krl', 'trust', 'routes', 'hosts', 'repository'], {
      contentDigest,
      nowMs: clock.nowMs(),
    })
  const content = createRegistryContent(store)
  const contentDigest: ContentDigest = async (reader, plan) => {
    if (plan.kind === 'repository') return wantedDigest(plan, reader)
    return plan.kind === 'routes' || plan.kind === 'hosts'
      ? sha256((await content.of(plan, reader)).text)
      : pki.contentDigest(reader, plan.kind)
  }
  const { authority } = pki
  const vault = createVaultState(keyVault, () => authority.describe())
  const identities = createLoginIdentities({
    certificates: createIdentities({ authority, clock, ...config.certificate }),
    staticKeys: createStaticKeys(),
  })
  // Kept open for as long as there is room: a connection that breaks is how we hear at once that a node is gone.
  const { sshPool, channels } =
    dependencies.transport?.({ identities, clock }) ?? sshTransport(identities, clock, config.poolMaxConnections)
  const openSsh = await createOpenSshAccess({ directory: home.sshDirectory, identities })
  const hostKeyProbe = createHostKeyProbe(clock)
  const loginProbe = createLoginProbe({ clock, trustedHostKeys: () => pki.authorities.trustedHostKeys() })
  const doctor = createDoctor({
    identities,
    clock,
    probeIdentity: createDoctorIdentities({ pipeline: authority, clock }).probe,
    revocationOf: async ({ serial, authorityFingerprint }) => {
      const query = { serials: [serial], authorityFingerprint, nowMs: clock.nowMs(), limit: 1 }
      return (await store.listCertificates(query))[0]?.revocation ?? null
    },
  })
  const events = createEventHub({ store, clock })

  const diagnose: DiagnoseFailure = (node, { certificate, ...failure }) =>
    diagnoseProgram(node, { ...failure, nowMs: clock.nowMs(), ...(certificate === undefined ? {} : { certificate }) })
  const repositorySide = createRepositorySide({
    store,
    clock,
    ids,
    keyVault,
    openSsh,
    sshPool,
    home,
    logger,
    diagnose,
    principal: config.certificate.principals[0] ?? 'sync-agent',
    refreshPlans,
    parts: () => ({ plans, nodes, beginRuns: (request) => runs.push(request) }),
  })
  const runs = createRunService({
    store,
    logs,
    clock,
    ids,
    identities,
    sshPool,
    openSsh,
    diagnose,
    authority,
    authorities: pki.authorities,
    revocations: pki.revocations,
    probes: pki.probes,
    loginProbe,
    channels,
    content,
    trees: repositorySide.trees,
    sources: repositorySide.treeSources,
    config,
    logger,
    publishProgress: events.publishProgress,
  })
  const scheduler = createScheduler({ store, clock, ids, sshPool, identities, runs, config, logger })
  const terminals = createTerminalService({ openSsh, identities, clock, ids, logger, store })
  const nodes = createNodeService({
    store,
    clock,
    ids,
    sshPool,
    identities,
    hostKeyProbe,
    doctor,
    forgetAccess: (nodeId) => openSsh.forget(nodeId),
  })
  const lossWatch = createLossWatch({ sshPool, nodes, logger })
  const plans = createPlanService({ store, clock, ids, contentDigest })
  const agentSide = createAgentSide({
    store,
    logs,
    clock,
    ids,
    x509: pki.x509,
    authority,
    revocations: { revoke: (certificateIds, options) => trust.revokeCertificates(certificateIds, options) },
    content,
    config,
    logger,
    version: dependencies.version,
  })
  const registrySide = createRegistrySide({
    store,
    clock,
    ids,
    runs,
    keyVault,
    refreshPlans,
    config,
    logger,
    channels,
    sshPool,
    identities,
    home,
  })
  const certificates = createCertificateService({ store, clock, identities, sshPool })
  const otherIssuerActive = () => pki.stepCa.isActive()
  const renewal = createRenewalLoop({
    store,
    clock,
    ids,
    identities,
    authorities: pki.authorities,
    otherIssuerActive,
    renew: (due, reason) => certificates.renewNodes(due, { requestedBy: 'engine', reason }),
    runs,
    config,
    logger,
  })
  const trust = createTrustService({
    store,
    clock,
    authorities: pki.authorities,
    revocations: pki.revocations,
    otherIssuerActive,
    identities,
    sshPool,
    deliver: async (planIds, operator) => {
      const idempotencyKey = IdempotencyKey.parse(`deliver.${ids()}`)
      const targets = { kind: 'all' } as const
      const request = { idempotencyKey, plans: planIds, targets, trigger: 'operator', requestedBy: operator } as const
      return (await runs.push(request)).runs.length
    },
    terminals,
    gateway: agentSide.gateway,
    renewSoon: () => renewal.wake(),
  })
  const stepCa = createStepCaService({
    store,
    clock,
    issuer: pki.stepCa,
    contentDigest,
    identities,
  })
  const demo = createDemoService({
    demo: dependencies.demo ?? null,
    store,
    authority,
    nodes,
    plans,
    agents: agentSide.agents,
    gateway: agentSide.gateway,
    registry: registrySide.registry,
    repositories: repositorySide.repositories,
    cancelRun: (runId: RunId, operator) => runs.cancel(runId, operator),
    waitUntilFinal: (runId) => waitUntilFinal(store, runId),
  })

  async function status(): Promise<EngineStatus> {
    const open = await store.listOpenRuns()
    return {
      instanceId,
      version: dependencies.version,
      host: dependencies.host,
      pid: process.pid,
      home: home.home,
      startedAt,
      now: clock.nowMs(),
      vault: vault.describe(),
      reconcile: { intervalMs: config.reconcileIntervalMs, ...scheduler.times() },
      counts: {
        nodes: (await store.listNodes()).length,
        runsQueued: open.filter((run) => run.status === 'queued').length,
        runsRunning: open.filter((run) => run.status === 'running').length,
      },
    }
  }

  async function unlock(passphrase: string): Promise<void> {
    if (dependencies.acceptPassphrase === undefined) {
      throw new AppError('PRECONDITION_FAILED', `This engine needs no passphrase: ${keyVault.describe()}.`)
    }
    dependencies.acceptPassphrase(passphrase)
    try {
      await vault.open()
    } catch (error) {
      // A wrong one must not stand in the way of the file or the next try.
      dependencies.acceptPassphrase(null)
      throw error
    }
    await catchUpOnTrust()
    scheduler.wake()
    renewal.wake()
    agentSide.wake()
    registrySide.wake()
    repositorySide.wake()
  }

  const guides = createGuideService({
    store,
    clock,
    nodes,
    channels,
    content,
    sources: registrySide.sources,
    status,
    acts: {
      reconcile: async () => `A reconcile cycle began: ${(await scheduler.reconcileNow()).runs} runs.`,
      resync: async ({ id, name }, operator) => {
        const idempotencyKey = IdempotencyKey.parse(`guide.${ids()}`)
        const targets: PushTargets = { kind: 'nodes', nodes: [id] }
        const request = { idempotencyKey, plans: [], targets, trigger: 'operator', requestedBy: operator } as const
        return `${(await runs.push(request)).runs.length} runs began on ${name}.`
      },
      renew: async (node, operator) => {
        const [renewal] = await certificates.renewNodes([node], { requestedBy: operator, reason: 'guided diagnosis' })
        return renewal?.accepted === true
          ? `${node.name} accepted certificate ${renewal.serial}.`
          : `A certificate was issued, and ${node.name} has not accepted it.`
      },
      resumeRollout: async (id, operator) =>
        `The rollout is ${(await registrySide.rollouts.resume(id, operator)).status}.`,
    },
  })

  const router = createRouter({
    guides,
    ...registrySide,
    ...repositorySide,
    store,
    events,
    nodes,
    plans,
    runs,
    runLogs: createRunLogs({ store, logs }),
    authority,
    certificates,
    trust,
    stepCa,
    storage: createStorageService({
      store,
      clock,
      sshPool,
      identities,
      loginProbe,
      logger,
      authorities: pki.authorities,
      probes: pki.probes,
    }),
    agents: agentSide.agents,
    gateway: agentSide.gateway,
    clock,
    terminals,
    demo,
    status,
    unlock,
    reconcileNow: () => scheduler.reconcileNow(),
  })

  /** What a crash cut off between a key file and the plans that deliver it. A damaged file keeps nobody from starting. */
  async function catchUpOnTrust(): Promise<void> {
    try {
      await pki.load()
      await store.transact(refreshPlans)
    } catch (error) {
      if (!(error instanceof AppError) || !error.code.startsWith('VAULT_')) throw error
      logger.error({ err: error }, 'an authority cannot be read')
    }
  }

  async function start({ watch = true }: { readonly watch?: boolean } = {}): Promise<void> {
    await vault.tryOpen()
    await catchUpOnTrust()
    await runs.start()
    if (watch) {
      renewal.start()
      lossWatch.start()
      await scheduler.start()
      await registrySide.start()
      await repositorySide.start()
      await agentSide.start()
    }
    logger.info({ instanceId, host: dependencies.host }, 'engine started')
  }

  /** In the order in which work flows, so that nobody asks a part that is gone. */
  async function stopOnce(): Promise<void> {
    await renewal.stop()
    await scheduler.stop()
    await agentSide.stop()
    await registrySide.stop()
    await repositorySide.stop()
    await lossWatch.stop()
    await runs.stop()
    await repositorySide.close()
    await terminals.stop()
    events.close()
    await channels.close()
    await sshPool.close()
    await openSsh.close()
    await logs.close()
    await store.close()
    logger.info({ instanceId }, 'engine stopped')
  }

  let stopping: Promise<void> | null = null
  return {
    router,
    instanceId,
    start,
    stop: () => {
      stopping ??= stopOnce()
      return stopping
    },
    attachTerminal: (terminalId, duplex) => terminals.attach(terminalId, duplex),
    wake: () => {
      scheduler.wake()
      renewal.wake()
      registrySide.wake()
      repositorySide.wake()
    },
    webhook: registrySide.webhook,
    measures: {
      store,
      clock,
      status,
      connections: () => sshPool.openConnections(),
      channels: () => channels.openChannels(),
      sources: registrySide.sources,
    },
  }
}
