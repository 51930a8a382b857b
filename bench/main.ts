import type { BenchOptions, BenchReport } from './report.ts'
import { toTable } from './report.ts'

/** Runs one bench in a process of its own; started by scripts/bench.mjs. */
const [name, ...words] = process.argv.slice(2)
const bench: { run(options: BenchOptions): Promise<BenchReport> } = await import(`./${name}.bench.ts`)
const report = await bench.run({ args: words.filter((word) => word !== '--json') })
console.log(words.includes('--json') ? JSON.stringify(report, null, 2) : toTable(report))
