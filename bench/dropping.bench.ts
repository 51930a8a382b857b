import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { computeTile } from '../src/core/fleet/health.ts'
import type { FleetNode } from '../src/shared/model/node.ts'
import { type OpenEngine, startEngineFleet } from './engineFleet.ts'
import { numberAfter } from './fleet.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, toRow } from './report.ts'

const table = 'lockstep_bench'
const targetRatio = 1.15

/**
 * A tenth of the fleet drops packets: how long a change takes until the others are verified, beside the same change with
 * that tenth in maintenance, where nobody tries it. Then whether those that dropped say so, and how long they take to be
 * verified once packets pass again. Root, for the packet filter. `--nodes N` (1000), `--rounds N` (3).
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const count = numberAfter(args, '--nodes', 1_000)
  const rounds = numberAfter(args, '--rounds', 3)
  const away = Math.floor(count / 10)
  const packetFilter = openPacketFilter()
  const engineFleet = await startEngineFleet(count)
  try {
    const { nodes } = engineFleet.fleet
    const [near, far] = [nodes.slice(0, count - away), nodes.slice(count - away)]
    const engine = await engineFleet.open({ watch: true })
    const measured = { without: [] as number[], dropping: [] as number[], back: [] as number[] }
    try {
      await engine.change(1)
      for (let round = 0; round < rounds; round += 1) {
        await setMaintenance(engine, far, true)
        measured.without.push((await engine.change(2 * round + 2, near)).wallMs)
        await setMaintenance(engine, far, false)
        await engine.client.system.reconcile()
        await allVerified(engine, count)
        packetFilter.drop(far.map(({ address }) => address))
        measured.dropping.push((await engine.change(2 * round + 3, near)).wallMs)
        await allSayWhy(engine, far)
        packetFilter.pass()
        measured.back.push(await timed(() => allVerified(engine, count)))
      }
    } finally {
      await engine.stop()
    }
    const label = `${near.length} nodes while ${far.length} drop packets`
    const rows = [
      {
        metric: `saved to verified (at most ${targetRatio})`,
        ours: measured.dropping,
        peer: { name: 'ours, without them', samples: measured.without },
      },
      { metric: `the ${far.length}: packets pass to verified`, ours: measured.back },
    ]
    return {
      bench: 'dropping',
      machine: thisMachine(),
      rows: rows.map((row) => toRow({ case: label, unit: 'ms', ...row })),
    }
  } finally {
    packetFilter.close()
    await engineFleet.stop()
  }
}

/** Packets to some addresses vanish, as behind a firewall that says nothing. */
function openPacketFilter() {
  const nft = (text: string): void => {
    const { status, stderr, error } = spawnSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' })
    if (status !== 0) throw new Error(`nft (Debian: nftables; as root): ${error?.message ?? stderr}`)
  }
  // A bench that was killed leaves its table, and every later one would wonder where the nodes are.
  nft(`add table inet ${table}
delete table inet ${table}
add table inet ${table}
add set inet ${table} away { type ipv4_addr; }
add chain inet ${table} output { type filter hook output priority 0; }
add rule inet ${table} output ip daddr @away drop
add rule inet ${table} output ip saddr @away drop`)
  return {
    drop: (addresses: readonly string[]) => nft(`add element inet ${table} away { ${addresses.join(', ')} }`),
    pass: () => nft(`flush set inet ${table} away`),
    close: () => nft(`delete table inet ${table}`),
  }
}

async function setMaintenance(
  { client }: OpenEngine,
  nodes: readonly FleetNode[],
  maintenance: boolean,
): Promise<void> {
  for (const { id } of nodes) await client.nodes.update({ node: id, patch: { maintenance } })
}

/** Nobody asks for it: a node that lacks something is brought it when it can be reached. */
async function allVerified(engine: OpenEngine, count: number): Promise<void> {
  await until(`${count} nodes in step`, async () => {
    const nodes = await engine.client.nodes.list({ filter: '' })
    return nodes.filter((node) => fillOf(node) === 'in-step').length === count
  })
}

/** `pending_sync` with the cause, and no tile that is green (S1.72). */
async function allSayWhy(engine: OpenEngine, far: readonly FleetNode[]): Promise<void> {
  const ids = new Set(far.map(({ id }) => id))
  await until('the cause on every node that is away', async () => {
    const nodes = (await engine.client.nodes.list({ filter: '' })).filter(({ id }) => ids.has(id))
    return nodes.every(
      (node) =>
        node.status === 'pending_sync' && node.reachability.status === 'unreachable' && fillOf(node) === 'unreachable',
    )
  })
}

const fillOf = (node: FleetNode): string => computeTile(node, Date.now()).fill

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 300_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`did not happen within 5 minutes: ${what}`)
    await pause(100)
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}
