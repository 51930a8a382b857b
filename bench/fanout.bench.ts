import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { renderHosts } from '../src/core/registry/hosts.ts'
import { readServiceRegistry } from '../src/core/registry/serviceRegistry.ts'
import { benchDomain, type EngineFleet, type OpenEngine, registryText, startEngineFleet } from './engineFleet.ts'
import { numberAfter } from './fleet.ts'
import { thisMachine } from './machine.ts'
import { availablePeers, closePeers, type Peer, type PeerSetup, peers, preparePeers, runPeer } from './peers.ts'
import { type BenchOptions, type BenchReport, median, type Samples, toRow } from './report.ts'

/**
 * A change of the registry until it is verified on every node: from the save of the revision to the commit of the last
 * proof, through the whole engine with its store on disk. The peers bring a file of the same size to the same nodes and
 * read its digest back. Warm: connections stand on both sides; cold: nothing is open, and the engine has no certificates.
 *
 * `--nodes N` (200), `--rounds N` (5), `--slow` for the peers that take minutes (`--slow-rounds N`, 1), `--only warm|cold`.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const nodes = numberAfter(args, '--nodes', 200)
  const rounds = numberAfter(args, '--rounds', 5)
  const slowRounds = numberAfter(args, '--slow-rounds', 1)
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined
  const { there, missing } = availablePeers(peers.filter(({ slow }) => slow !== true || args.includes('--slow')))
  for (const name of missing) console.error(`not measured, because it is not installed: ${name}`)
  const engineFleet = await startEngineFleet(nodes)
  const directory = await mkdtemp(join(tmpdir(), 'lsb-p-'))
  try {
    const config = await preparePeers(engineFleet.authority, { directory, nodes: engineFleet.fleet.nodes })
    const bench: Bench = { engineFleet, directory, config, rounds, slowRounds, peers: there, revision: 0 }
    const samples = [
      ...(only === 'cold' ? [] : await measureWarm(bench)),
      ...(only === 'warm' ? [] : await measureCold(bench)),
    ]
    return { bench: `fanout to ${nodes} nodes`, machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rm(directory, { recursive: true, force: true })
    await engineFleet.stop()
  }
}

interface Bench {
  readonly engineFleet: EngineFleet
  readonly directory: string
  readonly config: { readonly warm: string; readonly cold: string }
  readonly rounds: number
  readonly slowRounds: number
  readonly peers: readonly Peer[]
  revision: number
}

interface Measured {
  readonly ours: number[]
  readonly cpu: number[]
  readonly peers: Map<Peer, number[]>
}

async function measureWarm(bench: Bench): Promise<Samples[]> {
  const warm = bench.peers.filter(({ coldOnly }) => coldOnly !== true)
  const setup = (): PeerSetup => setupOf(bench, bench.config.warm)
  const engine = await bench.engineFleet.open()
  try {
    await engine.change(nextRevision(bench))
    const [first] = warm
    if (first !== undefined) await runPeer(first, setup())
    return samplesOf(
      'warm',
      await measure(bench, { peers: warm, setup, ours: () => engine.change(nextRevision(bench)) }),
    )
  } finally {
    await engine.stop()
    await closePeers(setup())
  }
}

async function measureCold(bench: Bench): Promise<Samples[]> {
  const setup = (): PeerSetup => setupOf(bench, bench.config.cold)
  const ours = async (): Promise<Awaited<ReturnType<OpenEngine['change']>>> => {
    const engine = await bench.engineFleet.open()
    try {
      return await engine.change(nextRevision(bench))
    } finally {
      await engine.stop()
    }
  }
  return samplesOf('cold', await measure(bench, { peers: bench.peers, setup, ours }))
}

interface Sides {
  readonly peers: readonly Peer[]
  readonly setup: () => PeerSetup
  readonly ours: () => ReturnType<OpenEngine['change']>
}

/** In turns, so that whatever else the machine does meets both sides. */
async function measure(bench: Bench, sides: Sides): Promise<Measured> {
  const measured: Measured = { ours: [], cpu: [], peers: new Map(sides.peers.map((peer) => [peer, []])) }
  for (let round = 1; round <= bench.rounds; round += 1) {
    const { wallMs, cpuMs } = await sides.ours()
    measured.ours.push(wallMs)
    measured.cpu.push(cpuMs)
    for (const peer of sides.peers) {
      if (peer.slow === true && round > bench.slowRounds) continue
      nextRevision(bench)
      measured.peers.get(peer)?.push(await runPeer(peer, sides.setup()))
    }
  }
  return measured
}

function samplesOf(label: string, { ours, cpu, peers: others }: Measured): Samples[] {
  const rows = [...others].map(([peer, samples]): Samples & { readonly best: number } => ({
    case: label,
    metric: 'saved to verified on every node',
    unit: 'ms',
    ours,
    peer: { name: peer.name, samples },
    best: median(samples),
  }))
  rows.sort((left, right) => left.best - right.best)
  const alone = rows.length === 0 ? [{ case: label, metric: 'saved to verified on every node', unit: 'ms', ours }] : []
  return [...alone, ...rows, { case: label, metric: 'CPU of the engine', unit: 'ms', ours: cpu }]
}

function nextRevision(bench: Bench): number {
  bench.revision += 1
  return bench.revision
}

/** The file as ours ends up: what was there, and the block. */
function setupOf({ directory, engineFleet, revision }: Bench, config: string): PeerSetup {
  const read = readServiceRegistry(registryText(revision))
  if (!read.ok) throw new Error('the registry of the bench does not read')
  const payload = renderHosts(read.services, { domain: benchDomain, shortNames: false })
  const digest = createHash('sha256').update(payload).digest('hex')
  return { directory, nodes: engineFleet.fleet.nodes, config, payload, digest }
}
