import { startEngineFleet } from './engineFleet.ts'
import { numberAfter } from './fleet.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, toRow } from './report.ts'

/**
 * How long a change takes until it is verified on every node, one change after another over warm connections: the
 * median, the 99th percentile and the longest. `--nodes N` (200), `--changes N` (100).
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const nodes = numberAfter(args, '--nodes', 200)
  const changes = numberAfter(args, '--changes', 100)
  const engineFleet = await startEngineFleet(nodes)
  try {
    const engine = await engineFleet.open()
    try {
      await engine.change(1)
      const samples: number[] = []
      for (let index = 0; index < changes; index += 1) samples.push((await engine.change(index + 2)).wallMs)
      samples.sort((left, right) => left - right)
      const label = `${changes} changes to ${nodes} nodes`
      const rows = [50, 99, 100].map((percent) => ({
        case: label,
        metric: percent === 100 ? 'longest' : `p${percent}`,
        unit: 'ms',
        ours: [samples[Math.ceil((samples.length * percent) / 100) - 1] ?? Number.NaN],
      }))
      return { bench: 'latency', machine: thisMachine(), rows: rows.map(toRow) }
    } finally {
      await engine.stop()
    }
  } finally {
    await engineFleet.stop()
  }
}
