import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createRouterClient } from '@orpc/server'
import { assignPlans } from '../src/core/fleet/assignment.ts'
import { createEngine, type Engine, type EngineDependencies } from '../src/engine/engine.ts'
import { createPki } from '../src/engine/pki/pki.ts'
import type { CertificateAuthority, Store } from '../src/engine/ports.ts'
import { openStore } from '../src/engine/store/index.ts'
import { systemClock } from '../src/platform/clock.ts'
import { Config } from '../src/platform/config.ts'
import { createIdSource } from '../src/platform/ids.ts'
import { receivedKeyVault } from '../src/platform/keyVault.ts'
import { createLogging } from '../src/platform/logger.ts'
import { type HomePaths, homePaths, prepareHome } from '../src/platform/paths.ts'
import type { EngineClient } from '../src/shared/contract/index.ts'
import { PlanId } from '../src/shared/model/ids.ts'
import type { FleetNode } from '../src/shared/model/node.ts'
import { Plan } from '../src/shared/model/plan.ts'
import { aNode } from '../test/fakes/aNode.ts'
import { type BenchFleet, startFleet } from './fleet.ts'
import { simulatedTransport } from './simulatedNodes.ts'

const vaultKey = Buffer.alloc(32, 7)
const hourMs = 3_600_000
export const benchDomain = 'bench.internal'

/** A home with a registered fleet in it, and the engines that run on it one after another. */
export interface EngineFleet {
  readonly fleet: BenchFleet
  readonly home: HomePaths
  /** Signs for those who log in beside the engine. */
  readonly authority: Pick<CertificateAuthority, 'sign'>
  /** A new engine with nothing open to anybody. The one before has to be stopped. */
  open(options?: OpenOptions): Promise<OpenEngine>
  stop(): Promise<void>
}

export interface OpenOptions {
  /** It looks after the fleet unasked. Default false. */
  readonly watch?: boolean
}

export interface OpenEngine {
  readonly client: EngineClient
  /**
   * Saves a registry of so many services; `revision` makes each of them different. @returns when every node, or each of
   * these, was proven
   */
  change(revision: number, among?: readonly FleetNode[]): Promise<{ readonly wallMs: number; readonly cpuMs: number }>
  /** Resolves when no run waits or works. */
  settled(): Promise<void>
  stop(): Promise<void>
}

/** The same over nodes that exist in memory alone. */
export async function startSimulatedFleet(count: number): Promise<Omit<EngineFleet, 'fleet' | 'authority'>> {
  const home = homePaths(await mkdtemp(join(tmpdir(), 'lsb-home-')))
  await prepareHome(home)
  const { store, close } = await openHome(home)
  const nodes = Array.from({ length: count }, (_, index) =>
    aNode({
      id: `01900000-0000-7000-8000-${String(index + 1).padStart(12, '0')}`,
      name: `node-${String(index + 1).padStart(5, '0')}`,
      address: `10.${Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}`,
    }),
  )
  await register(store, nodes)
  await close()
  return {
    home,
    open: (options) => openEngine(home, count, { ...options, transport: simulatedTransport }),
    stop: () => rm(home.home, { recursive: true, force: true }),
  }
}

/** Nodes with one plan of kind `hosts`, in a store on disk. */
export async function startEngineFleet(count: number): Promise<EngineFleet> {
  const home = homePaths(await mkdtemp(join(tmpdir(), 'lsb-home-')))
  await prepareHome(home)
  const { store, publicKey, close } = await openHome(home)
  const fleet = await startFleet(publicKey, count)
  await register(store, fleet.nodes)
  await close()
  return {
    fleet,
    home,
    authority: {
      sign: async (requests) => {
        const opened = await openHome(home)
        try {
          return await opened.authority.sign(requests)
        } finally {
          await opened.close()
        }
      },
    },
    open: (options) => openEngine(home, count, options),
    stop: async () => {
      await fleet.stop()
      await rm(home.home, { recursive: true, force: true })
    },
  }
}

async function openHome(home: HomePaths) {
  const { logger, close } = createLogging({ level: 'fatal', sinks: [] })
  const { databaseFile, backupsDirectory, keysDirectory } = home
  const store = await openStore({ databaseFile, backupsDirectory, clock: systemClock, logger })
  const pki = createPki({
    keysDirectory,
    vault: receivedKeyVault(Buffer.from(vaultKey)),
    store,
    clock: systemClock,
    newId: createIdSource(systemClock),
    principals: ['sync-agent'],
  })
  const { publicKey } = await pki.authority.describe()
  return {
    store,
    publicKey,
    authority: pki.authority,
    close: async () => {
      await store.close()
      close()
    },
  }
}

/** A plan that delivers the hosts block to `~/hosts` of every node. */
function benchPlan(): Plan {
  return Plan.parse({
    id: PlanId.parse(createIdSource(systemClock)()),
    name: 'hosts',
    kind: 'hosts',
    selector: '*',
    spec: { file: '~/hosts', hosts: { domain: benchDomain }, sudo: 'never' },
    revision: 1,
    digest: '0'.repeat(64),
    createdAt: 0,
    updatedAt: 0,
  })
}

async function register(store: Store, nodes: readonly FleetNode[]): Promise<void> {
  const plan = benchPlan()
  await store.transact(async (transaction) => {
    await transaction.savePlan(plan)
    for (const node of nodes) await transaction.saveNode(assignPlans(node, [plan]))
  })
}

async function openEngine(
  home: HomePaths,
  count: number,
  { watch = false, transport }: OpenOptions & Pick<EngineDependencies, 'transport'> = {},
): Promise<OpenEngine> {
  const { logger, close } = createLogging({ level: 'error', sinks: [(line) => process.stderr.write(`${line}\n`)] })
  const engine: Engine = await createEngine({
    home,
    host: 'test',
    keyVault: receivedKeyVault(Buffer.from(vaultKey)),
    logger,
    version: '0.0.0-bench',
    config: { ...Config.parse({}), reconcileIntervalMs: 24 * hourMs, poolMaxConnections: 4_096 },
    ...(transport === undefined ? {} : { transport }),
  })
  const caller = { operator: 'bench@here', via: 'embedded' } as const
  const client: EngineClient = createRouterClient(engine.router, { context: { caller } })
  await engine.start({ watch })
  return {
    client,
    change: (revision, among) =>
      change(client, { revision, count: among?.length ?? count, among: among && new Set(among.map(({ id }) => id)) }),
    settled: async () => {
      const isBusy = async (): Promise<boolean> => {
        const { runsQueued, runsRunning } = (await client.system.status()).counts
        return runsQueued + runsRunning > 0
      }
      while (await isBusy()) await pause(250)
    },
    stop: async () => {
      await engine.stop()
      close()
    },
  }
}

const services = 40

/** The registry in the sources' form; another `revision` is other text of the same length. */
export function registryText(revision: number): string {
  const entries = Array.from({ length: services }, (_, index) => [
    `service-${index}`,
    {
      subdomain: `service-${index}`,
      ip: `100.64.${100 + (revision % 100)}.${100 + index}`,
      port: 8_000 + index,
      public: true,
    },
  ])
  return JSON.stringify(Object.fromEntries(entries))
}

async function change(
  client: EngineClient,
  {
    revision,
    count,
    among,
  }: { readonly revision: number; readonly count: number; readonly among: ReadonlySet<string> | undefined },
): Promise<{ wallMs: number; cpuMs: number }> {
  const watching = new AbortController()
  const { seq } = await client.system.snapshot()
  const messages = await client.system.watch({ afterSeq: seq }, { signal: watching.signal })
  const newest = await client.registry.get({ registry: 'services', format: 'json' })
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const saved = client.registry.save({
    registry: 'services',
    text: registryText(revision),
    baseNumber: newest?.revision.number ?? 0,
    comment: '',
  })
  const verified = new Set<string>()
  for await (const message of messages) {
    if (message.kind === 'gap') throw new Error('events were missed')
    if (message.kind !== 'event' || message.event.change.kind !== 'node.saved') continue
    const { node } = message.event.change
    if (among?.has(node.id) === false) continue
    const inStep = node.plans.every((plan) => plan.observed?.revision === plan.desiredRevision)
    if (inStep && node.status === 'active') verified.add(node.id)
    else verified.delete(node.id)
    if (verified.size === count) break
  }
  const wallMs = performance.now() - startedMs
  const cpu = process.cpuUsage(cpuBefore)
  watching.abort()
  const { status } = await saved
  if (status !== 'saved') throw new Error(`the registry was not saved: ${status}`)
  return { wallMs, cpuMs: (cpu.user + cpu.system) / 1000 }
}
