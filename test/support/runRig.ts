import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import { diagnoseProgram } from '../../src/core/diagnose/program.ts'
import { assignPlans } from '../../src/core/fleet/assignment.ts'
import { createIdentities } from '../../src/engine/pki/identities.ts'
import { createLoginIdentities } from '../../src/engine/pki/loginIdentities.ts'
import { createPki, type Pki } from '../../src/engine/pki/pki.ts'
import { createStaticKeys } from '../../src/engine/pki/staticKeys.ts'
import type {
  Authorities,
  DiagnoseFailure,
  Identities,
  LoginProbe,
  LogStore,
  RepositoryTrees,
  Store,
} from '../../src/engine/ports.ts'
import { createRegistryContent } from '../../src/engine/registry/content.ts'
import type { RunConfig, RunServiceDependencies } from '../../src/engine/runs/dependencies.ts'
import type { PlanExecutors } from '../../src/engine/runs/executor.ts'
import { createExecutors } from '../../src/engine/runs/executors/index.ts'
import { createRunService, type RunService } from '../../src/engine/runs/runService.ts'
import { createNodeChannels } from '../../src/engine/ssh/channels/nodeChannels.ts'
import { createLoginProbe } from '../../src/engine/ssh/loginProbe.ts'
import { createOpenSshAccess, type ManagedOpenSshAccess } from '../../src/engine/ssh/openSshAccess.ts'
import { createSshPool } from '../../src/engine/ssh/pool.ts'
import { openLogStore, openStore } from '../../src/engine/store/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createIdSource } from '../../src/platform/ids.ts'
import { createLogging } from '../../src/platform/logger.ts'
import { AppError } from '../../src/shared/errors.ts'
import { IdempotencyKey, PlanId, type RunId } from '../../src/shared/model/ids.ts'
import type { FleetNode } from '../../src/shared/model/node.ts'
import { Plan, PlanInput, TreeSpec } from '../../src/shared/model/plan.ts'
import { isFinal, type Run, type RunProgress } from '../../src/shared/model/run.ts'
import { startSshd, type TestSshd, type TestSshdOptions } from './sshd.ts'
import { memoryVault, nodeFor } from './trust.ts'
import { waitFor } from './waitFor.ts'

export interface RunRig {
  readonly directory: string
  /** Where the node's side lies; its `$HOME` is `<remote>/home`. */
  readonly remote: string
  readonly local: string
  readonly sshd: TestSshd
  readonly trust: { readonly identities: Identities; readonly publicKey: string }
  readonly pki: Pki
  readonly loginProbe: LoginProbe
  readonly store: Store
  readonly logs: LogStore
  readonly node: FleetNode
  readonly service: RunService
  readonly pool: ReturnType<typeof createSshPool>
  readonly openSsh: ManagedOpenSshAccess
  readonly progress: { readonly runId: RunId; readonly progress: RunProgress }[]
  /** Another service over the same rig, as after a restart; `store` may be one that breaks. */
  makeService(store?: Store, changes?: ServiceChanges): RunService
  /** Saves a plan for the rig's nodes; the same name again makes a new revision. */
  plan(spec: z.input<typeof TreeSpec>, name?: string): Promise<Plan>
  /** The same for a plan of any kind; its name is its kind. */
  planOf(
    kind: 'krl' | 'trust' | 'host-certificate' | 'routes' | 'hosts' | 'repository',
    spec?: object,
    name?: string,
  ): Promise<Plan>
  addNode(overrides?: Partial<Record<keyof FleetNode, unknown>>): Promise<FleetNode>
  push(options?: { readonly plan?: string; readonly key?: string; readonly node?: string }): Promise<Run>
  /** The run once it satisfies `accept`; by default once it is final or halted. */
  until(runId: RunId, accept?: (run: Run) => boolean): Promise<Run>
  /** Pushes and waits for the end. */
  run(
    options?: { readonly plan?: string; readonly key?: string; readonly node?: string },
    over?: RunService,
  ): Promise<Run>
  log(runId: RunId): Promise<string>
  freshNode(id?: FleetNode['id']): Promise<FleetNode>
  dispose(): Promise<void>
}

/** What another service over the rig sees differently. */
export interface ServiceChanges {
  readonly authorities?: Authorities
  readonly clockAheadMs?: number
  /** In the place of the real ones. */
  readonly executors?: Partial<PlanExecutors>
  readonly trees?: RepositoryTrees
}

/** A rig without repositories. */
const noTrees: RepositoryTrees = {
  wanted: () => Promise.resolve(null),
  prepare: ({ name }) => Promise.reject(new AppError('REF_NOT_FOUND', `nothing was fetched for ${name}`)),
}

export interface RigOptions {
  readonly config?: Partial<RunConfig>
  readonly extraConfig?: readonly string[]
  /** More about the sshd; `extraConfig` goes before its own. */
  readonly sshd?: Omit<TestSshdOptions, 'trustedUserCa'>
}

const defaults: RunConfig = {
  maxParallelRuns: 4,
  errorAfterFailures: 3,
  retryDelayMs: 20,
  certificate: { minValidSeconds: 60, lifetimeSeconds: 3_600 },
}

/** The run service over its real parts: SQLite, a certificate authority, ssh2, system ssh and rsync, one sshd. */
export async function createRunRig(options: RigOptions = {}): Promise<RunRig> {
  const directory = await mkdtemp(join(tmpdir(), 'ls-run-'))
  const remote = join(directory, 'remote')
  const local = join(directory, 'local')
  await Promise.all(
    [join(remote, 'home'), local, join(directory, 'ssh'), join(directory, 'keys')].map((path) =>
      mkdir(path, { recursive: true }),
    ),
  )
  const { logger, close: closeLog } = createLogging({ level: 'debug', sinks: [] })
  const store = await openStore({
    databaseFile: join(directory, 'db.sqlite'),
    backupsDirectory: join(directory, 'backups'),
    clock: systemClock,
    logger,
  })
  const logs = await openLogStore({ directory: join(directory, 'logs'), logger })
  const ids = createIdSource(systemClock)
  const pki = createPki({
    keysDirectory: join(directory, 'keys'),
    vault: memoryVault(),
    store,
    clock: systemClock,
    newId: ids,
    principals: ['sync-agent'],
  })
  const trust = {
    identities: createLoginIdentities({
      certificates: createIdentities({ authority: pki.authority, clock: systemClock }),
      staticKeys: createStaticKeys(),
    }),
    publicKey: (await pki.authority.describe()).publicKey,
  }
  const sshd = await startSshd({
    principals: ['sync-agent'],
    ...options.sshd,
    trustedUserCa: trust.publicKey,
    extraConfig: [
      ...(options.extraConfig ?? []),
      ...(options.sshd?.extraConfig ?? []),
      `SetEnv SHLVL=5 HOME=${join(remote, 'home')}`,
    ],
  })
  const loginProbe = createLoginProbe({ clock: systemClock, trustedHostKeys: () => pki.authorities.trustedHostKeys() })
  const pool = createSshPool({ identities: trust.identities, clock: systemClock })
  const openSsh = await createOpenSshAccess({ directory: join(directory, 'ssh'), identities: trust.identities })
  const diagnose: DiagnoseFailure = (node, { certificate: _certificate, ...failure }) =>
    diagnoseProgram(node, { ...failure, nowMs: Date.now() })
  const progress: { runId: RunId; progress: RunProgress }[] = []
  // As in an engine: the shells on the connections of one pool are one's own.
  const channels = createNodeChannels({ sshPool: pool, clock: systemClock })
  const makeService = (
    over: Store = store,
    { authorities, clockAheadMs = 0, executors = {}, trees = noTrees }: ServiceChanges = {},
  ): RunService => {
    const dependencies: RunServiceDependencies = {
      store: over,
      logs,
      clock: { ...systemClock, nowMs: () => systemClock.nowMs() + clockAheadMs },
      ids,
      identities: trust.identities,
      sshPool: pool,
      openSsh,
      diagnose,
      authority: pki.authority,
      authorities: authorities ?? pki.authorities,
      revocations: pki.revocations,
      probes: pki.probes,
      loginProbe,
      channels,
      content: createRegistryContent(over),
      trees,
      config: { ...defaults, ...options.config },
      logger,
      publishProgress: (runId, value) => progress.push({ runId, progress: value }),
    }
    return createRunService(dependencies, { ...createExecutors(dependencies), ...executors })
  }
  const addNode = async (overrides: Partial<Record<keyof FleetNode, unknown>> = {}): Promise<FleetNode> => {
    const added = assignPlans(nodeFor(sshd, overrides), await store.listPlans())
    await store.transact((transaction) => transaction.saveNode(added))
    return added
  }
  const savePlan = async (input: PlanInput): Promise<Plan> => {
    const before = await store.findPlanByName(input.name)
    const plan = Plan.parse({
      ...input,
      id: before?.id ?? PlanId.parse(ids()),
      revision: (before?.revision ?? 0) + 1,
      digest: 'a'.repeat(64),
      createdAt: 0,
      updatedAt: 0,
    })
    await store.transact(async (transaction) => {
      await transaction.savePlan(plan)
      const plans = await transaction.listPlans()
      for (const known of await transaction.listNodes()) await transaction.saveNode(assignPlans(known, plans))
    })
    return plan
  }
  const node = await addNode()
  const service = makeService()
  await service.start()
  const until: RunRig['until'] = (runId, accept = (run) => isFinal(run.status) || run.status === 'halted') =>
    waitFor(
      `run ${runId}`,
      async () => {
        const run = await store.getRun(runId)
        if (run !== null && accept(run)) return run
        throw new Error(
          `${run?.status} in ${run?.state}, tries ${run?.tries}: ${run?.attempts.at(-1)?.diagnosis?.sentence ?? ''}`,
        )
      },
      { timeoutMs: 40_000 },
    )
  const pushOver = async (over: RunService, wanted: Parameters<RunRig['push']>[0] = {}): Promise<Run> => {
    const { runs } = await over.push({
      idempotencyKey: IdempotencyKey.parse(wanted.key ?? `test-${ids()}`),
      plans: wanted.plan === undefined ? [] : [wanted.plan],
      targets: { kind: 'nodes', nodes: [wanted.node ?? node.name] },
      trigger: 'operator',
      requestedBy: 'tester@here',
    })
    const [run] = runs
    if (run === undefined) throw new Error('nothing was registered')
    return run
  }
  const push: RunRig['push'] = (wanted) => pushOver(service, wanted)
  return {
    directory,
    remote,
    local,
    sshd,
    trust,
    pki,
    loginProbe,
    store,
    logs,
    node,
    service,
    pool,
    openSsh,
    progress,
    makeService,
    addNode,
    push,
    until,
    plan: (spec, name = 'site') => savePlan({ name, kind: 'tree', selector: '*', spec: TreeSpec.parse(spec) }),
    planOf: (kind, spec = {}, name = kind) => savePlan(PlanInput.parse({ name, kind, selector: '*', spec })),
    run: async (wanted, over = service) => until((await pushOver(over, wanted)).id),
    log: async (runId) => Buffer.from(await logs.read(runId, 0, 16 * 1024 * 1024)).toString('utf8'),
    freshNode: async (id = node.id) => {
      const found = await store.getNode(id)
      if (found === null) throw new Error('the node is gone')
      return found
    },
    dispose: async () => {
      await service.stop()
      await pool.close()
      await openSsh.close()
      await sshd.stop()
      await logs.close()
      await store.close()
      closeLog()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Writes files, making their directories; names may hold anything a file system takes. */
export async function writeTree(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}
