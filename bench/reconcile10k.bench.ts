import { setTimeout as pause } from 'node:timers/promises'
import { assignerOf } from '../src/core/fleet/assignment.ts'
import { needsSync } from '../src/engine/scheduler/reconcile.ts'
import { startSimulatedFleet } from './engineFleet.ts'
import { numberAfter } from './fleet.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type BenchRow, toRow } from './report.ts'

const sizes = [1_000, 5_000, 10_000]
const megabyte = 1024 * 1024

/**
 * The engine alone, over nodes that exist in memory: how long it takes to decide what a fleet needs when nothing has
 * changed and when everything has, how long until all is verified, what it costs while nothing happens, and what it
 * holds in memory. `--idle N` seconds to look at an idle engine (30), `--nodes N` for one size only.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const idleSeconds = numberAfter(args, '--idle', 30)
  const chosen = args.includes('--nodes') ? [numberAfter(args, '--nodes', 1)] : sizes
  const rows: BenchRow[] = []
  for (const nodes of chosen) rows.push(...(await measure(nodes, idleSeconds)))
  return { bench: 'reconcile10k', machine: thisMachine(), rows }
}

async function measure(nodes: number, idleSeconds: number): Promise<BenchRow[]> {
  const fleet = await startSimulatedFleet(nodes)
  const label = `${nodes} nodes`
  const row = (metric: string, unit: string, value: number): BenchRow =>
    toRow({ case: label, metric, unit, ours: [value] })
  try {
    const engine = await fleet.open({ watch: true })
    try {
      await engine.change(1)
      const change = await engine.change(2)
      const decided = await timed(() => engine.client.system.reconcile())
      await engine.settled()
      const decidedAgain = await timed(() => engine.client.system.reconcile())
      await engine.settled()
      const known = await engine.client.nodes.list({ filter: '' })
      const plans = await engine.client.plans.list()
      const decision = await timed(async () => {
        const assign = assignerOf(plans)
        return known.map(assign).filter(needsSync)
      })
      globalThis.gc?.()
      await pause(2_000)
      const before = process.cpuUsage()
      await pause(idleSeconds * 1_000)
      const idle = process.cpuUsage(before)
      return [
        row('saved to verified on every node', 'ms', change.wallMs),
        row('the same, CPU', 'ms', change.cpuMs),
        row('reconcile: what each node should have, and who lacks it', 'ms', decision),
        row('reconcile: decided and registered', 'ms', Math.min(decided, decidedAgain)),
        row('idle CPU', '%', (idle.user + idle.system) / 10_000 / idleSeconds),
        row('resident memory', 'MB', process.memoryUsage().rss / megabyte),
      ]
    } finally {
      await engine.stop()
    }
  } finally {
    await fleet.stop()
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}
