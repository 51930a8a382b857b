import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { exec } from '../src/platform/exec.ts'
import type { HomePaths } from '../src/platform/paths.ts'
import type { EngineClient } from '../src/shared/contract/index.ts'
import { IdempotencyKey } from '../src/shared/model/ids.ts'
import type { FleetNode } from '../src/shared/model/node.ts'
import type { Repository } from '../src/shared/model/repository.ts'
import { type EngineFleet, type OpenEngine, startEngineFleet } from './engineFleet.ts'
import { numberAfter } from './fleet.ts'
import { thisMachine } from './machine.ts'
import { closePeers, type PeerSetup, preparePeers } from './peers.ts'
import { cpuMsOfAll } from './processTree.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'
import { type BenchRepository, createBenchRepository } from './repositoryFiles.ts'

/**
 * A commit of a repository until it is verified on every node, through the whole engine with its store on disk, against
 * plain `rsync -a --delete -e ssh` of a checkout, as many at once as the engine has runs. First to empty directories, then
 * with nothing changed, then with one file in a hundred changed. What git does to get a commit here is measured apart:
 * a refresh against `git pull`; so is the search for secrets. Ours includes the snapshot of the commit, every check, and
 * the proof read back from each node. Warm: connections stand on both sides; cold: nothing is open.
 *
 * `--nodes N` (20), `--files N` (10,000), `--rounds N` (3), `--only warm|cold`, `--no-scan`.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const nodes = numberAfter(args, '--nodes', 20)
  const files = numberAfter(args, '--files', 10_000)
  const rounds = numberAfter(args, '--rounds', 3)
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined
  const engineFleet = await startEngineFleet(nodes)
  const directory = await mkdtemp(join(tmpdir(), 'lsb-r-'))
  try {
    const config = await preparePeers(engineFleet.authority, { directory, nodes: engineFleet.fleet.nodes })
    const repository = await createBenchRepository(directory, files)
    const bench: Bench = { engineFleet, directory, config, repository, files, rounds, targets: 0 }
    await register(bench)
    const samples = [
      ...(only === 'cold' ? [] : await measure(bench, 'warm')),
      ...(only === 'warm' ? [] : await measure(bench, 'cold')),
      ...(args.includes('--no-scan') ? [] : await measureScan(bench)),
    ]
    return { bench: `repository of ${files} files to ${nodes} nodes`, machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rm(directory, { recursive: true, force: true })
    await engineFleet.stop()
  }
}

interface Bench {
  readonly engineFleet: EngineFleet
  readonly directory: string
  readonly config: { readonly warm: string; readonly cold: string }
  readonly repository: BenchRepository
  readonly files: number
  readonly rounds: number
  targets: number
}

type Connections = 'warm' | 'cold'

const repositoryName = 'bench'
const planName = 'bench tree'

async function register(bench: Bench): Promise<void> {
  await withEngine(bench, async ({ client }) => {
    await client.repositories.add({
      repository: { name: repositoryName, remote: bench.repository.url, scan: { enabled: false } },
    })
    await client.repositories.refresh({ repository: repositoryName })
    await applyPlan(client, '~/ours-0')
  })
}

const applyPlan = (client: EngineClient, target: string, repository = repositoryName) =>
  client.plans.apply({
    plans: [{ name: planName, kind: 'repository', selector: '*', spec: { repository, target, excludes: [] } }],
  })

async function withEngine<T>({ engineFleet }: Bench, use: (engine: OpenEngine) => Promise<T>): Promise<T> {
  const engine = await engineFleet.open()
  try {
    return await use(engine)
  } finally {
    await engine.stop()
  }
}

interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
}

/** What is measured of each case: ours and theirs. */
class Pair {
  readonly ours: Cost[] = []
  readonly theirs: Cost[] = []
}

/** CPU of all processes on both sides, since a machine that does something else meanwhile disturbs that less. */
async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const cpuBeforeMs = cpuMsOfAll()
  const startedMs = performance.now()
  await work()
  const wallMs = performance.now() - startedMs
  return { wallMs, cpuMs: cpuMsOfAll() - cpuBeforeMs }
}

async function measure(bench: Bench, connections: Connections): Promise<Samples[]> {
  const cases = { first: new Pair(), unchanged: new Pair(), changed: new Pair(), fetch: new Pair() }
  const setup: PeerSetup = {
    directory: bench.directory,
    nodes: bench.engineFleet.fleet.nodes,
    config: bench.config[connections],
    payload: '',
    digest: '',
  }
  const engine = connections === 'warm' ? await bench.engineFleet.open() : null
  const ours = <T>(use: (each: OpenEngine) => Promise<T>): Promise<T> =>
    engine === null ? withEngine(bench, use) : use(engine)
  try {
    // Once for nothing: connections, caches, the first snapshot.
    await round({ bench, ours, setup, cases: null, isEven: true })
    for (let index = 0; index < bench.rounds; index += 1)
      await round({ bench, ours, setup, cases, isEven: index % 2 === 0 })
  } finally {
    await engine?.stop()
    if (connections === 'warm') await closePeers(setup)
  }
  const peer = `xargs -P ${parallel} rsync -a --delete`
  return [
    ...rows(`${connections}, first`, 'pushed and verified', cases.first, peer),
    ...rows(`${connections}, nothing changed`, 'pushed and verified', cases.unchanged, peer),
    ...rows(`${connections}, 1 % changed`, 'pushed and verified', cases.changed, peer),
    ...rows(`${connections}, 1 % changed`, 'fetched', cases.fetch, 'git pull'),
  ]
}

function rows(label: string, metric: string, { ours, theirs }: Pair, name: string): Samples[] {
  const of = (what: string, pick: (cost: Cost) => number): Samples => ({
    case: label,
    metric: what,
    unit: 'ms',
    ours: ours.map(pick),
    peer: { name, samples: theirs.map(pick) },
  })
  return [of(metric, ({ wallMs }) => wallMs), of('CPU', ({ cpuMs }) => cpuMs)]
}

interface Round {
  readonly bench: Bench
  readonly ours: <T>(use: (engine: OpenEngine) => Promise<T>) => Promise<T>
  readonly setup: PeerSetup
  readonly cases: Readonly<Record<'first' | 'unchanged' | 'changed' | 'fetch', Pair>> | null
  /** Who goes first alternates, so that neither always finds the warmer cache. */
  readonly isEven: boolean
}

async function round({ bench, ours, setup, cases, isEven }: Round): Promise<void> {
  bench.targets += 1
  const targets = { ours: `ours-${bench.targets}`, theirs: `theirs-${bench.targets}` }
  const both = async (pair: Pair | undefined): Promise<void> => {
    const sides = [
      async () => void pair?.ours.push(await costOf(() => ours(({ client }) => push(client, setup.nodes)))),
      async () => void pair?.theirs.push(await costOf(() => plainRsync(bench, setup, targets.theirs))),
    ]
    for (const side of isEven ? sides : sides.reverse()) {
      await exec({ command: 'sync', args: [] })
      await side()
    }
  }
  await ours(({ client }) => applyPlan(client, `~/${targets.ours}`))
  await both(cases?.first)
  await both(cases?.unchanged)
  await bench.repository.change(Math.ceil(bench.files / 100))
  cases?.fetch.theirs.push(await costOf(() => bench.repository.pull()))
  // `git pull` writes the files too: a commit has come when it is laid out and listed for those who bring it.
  const refresh = () =>
    ours(async ({ client }) => {
      const repository = await client.repositories.refresh({ repository: repositoryName })
      await laidOut(bench.engineFleet.home, repository)
      await atRest()
    })
  cases?.fetch.ours.push(await costOf(refresh))
  await both(cases?.changed)
  for (const node of bench.engineFleet.fleet.nodes) {
    const home = bench.engineFleet.fleet.homeOf(node)
    await rm(join(home, targets.ours), { recursive: true, force: true })
    await rm(join(home, targets.theirs), { recursive: true, force: true })
  }
}

async function laidOut({ repositoriesDirectory }: HomePaths, { id, state }: Repository): Promise<void> {
  const record = join(repositoriesDirectory, id, 'trees', state.heads.main ?? 'unknown', 'snapshot.json')
  for (const untilMs = performance.now() + 60_000; !existsSync(record); await pause(2))
    if (performance.now() > untilMs) throw new Error(`${record} was not made`)
}

/** Until nothing of ours has worked for a moment: what was begun ahead is counted here, and disturbs nobody after this. */
async function atRest(): Promise<void> {
  for (let before = -1, now = cpuMsOfAll(); now - before > 10; before = now, now = cpuMsOfAll()) await pause(40)
}

let keys = 0

/** Resolves when the last run of the push was proven. @throws when one of them was not */
async function push(client: EngineClient, nodes: readonly FleetNode[]): Promise<void> {
  keys += 1
  const watching = new AbortController()
  const { seq } = await client.system.snapshot()
  const messages = await client.system.watch({ afterSeq: seq }, { signal: watching.signal })
  const { runs } = await client.runs.push({
    idempotencyKey: IdempotencyKey.parse(`bench-repository-${process.pid}-${keys}`),
    plans: [planName],
    targets: { kind: 'nodes', nodes: nodes.map(({ id }) => id) },
  })
  const open = new Set<string>(runs.map(({ id }) => id))
  for await (const message of messages) {
    if (message.kind === 'gap') throw new Error('events were missed')
    if (message.kind !== 'event' || message.event.change.kind !== 'run.saved') continue
    const { id, status, failure, halt } = message.event.change.run
    if (status === 'succeeded') open.delete(id)
    else if (status === 'failed' || status === 'halted' || status === 'canceled')
      throw new Error(`a run ended as ${status}: ${(failure ?? halt?.diagnosis)?.sentence ?? ''}`)
    if (open.size === 0) break
  }
  watching.abort()
}

/** As many runs at once as the engine has by default. */
const parallel = 16

async function plainRsync({ repository, engineFleet }: Bench, { config }: PeerSetup, target: string): Promise<void> {
  const { nodes, homeOf } = engineFleet.fleet
  await exec({
    command: 'xargs',
    args: [
      ...['-P', String(parallel), '-I{}', 'rsync', '-a', '--delete', '--exclude=.git', '-e', `ssh -F ${config}`],
      ...[`${repository.checkout}/`, '{}'],
    ],
    stdin: nodes.map((node) => `${node.address}:${homeOf(node)}/${target}/\n`).join(''),
    timeoutMs: 1_800_000,
  })
}

/** The search of a whole commit, and of what a later one has changed, as the first run of each pays for it. */
async function measureScan(bench: Bench): Promise<Samples[]> {
  const full: number[] = []
  const changed: number[] = []
  await withEngine(bench, async ({ client }) => {
    const { settings } = await client.repositories.get({ repository: repositoryName })
    for (let index = 0; index < bench.rounds; index += 1) {
      const name = `scanned-${index}`
      const scan = { ...settings.scan, enabled: true, blockOnSecrets: false }
      await client.repositories.add({ repository: { ...settings, name, scan } })
      for (const [kind, kept] of [
        ['full', full],
        ['changed', changed],
      ] as const) {
        await client.repositories.refresh({ repository: name })
        await applyPlan(client, '~/scanned', name)
        await push(client, bench.engineFleet.fleet.nodes.slice(0, 1))
        const report = await client.repositories.findings({ repository: name })
        if (report === null || report.status === 'failed' || report.scope.kind !== kind)
          throw new Error(`the scan ended as ${report?.status}, of ${report?.scope.kind}`)
        kept.push(report.durationMs)
        await bench.repository.change(Math.ceil(bench.files / 100))
      }
    }
  })
  return [
    { case: 'scan for secrets', metric: 'whole commit', unit: 'ms', ours: full },
    { case: 'scan for secrets', metric: '1 % changed', unit: 'ms', ours: changed },
  ]
}
