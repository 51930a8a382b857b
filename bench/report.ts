/** One measured comparison: ours and the peer's, side by side in the same run. */
export interface BenchRow {
  readonly case: string
  readonly metric: string
  readonly unit: string
  /** Median of ours. */
  readonly ours: number
  /** Median of the peer; null where nothing comparable exists. */
  readonly peer: number | null
  readonly peerName: string | null
  /** ours / peer: below 1 means ours is smaller. Null without a peer. */
  readonly ratio: number | null
  /** Smallest and largest of ours. */
  readonly min: number
  readonly max: number
}

export interface BenchReport {
  readonly bench: string
  readonly machine: Machine
  readonly rows: readonly BenchRow[]
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly node: string
  readonly platform: string
}

/** What `npm run bench -- <name>` hands to a bench; `args` are the words after the name that it does not know itself. */
export interface BenchOptions {
  readonly args: readonly string[]
}

export interface Samples {
  readonly case: string
  readonly metric: string
  readonly unit: string
  readonly ours: readonly number[]
  readonly peer?: { readonly name: string; readonly samples: readonly number[] }
}

/** Throws on an empty list: a bench that measured nothing has no result. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  if (low === undefined || high === undefined) throw new Error('median of no samples')
  return (low + high) / 2
}

export function toRow({ ours, peer, ...labels }: Samples): BenchRow {
  const [oursMedian, peerMedian] = [median(ours), peer === undefined ? null : median(peer.samples)]
  return {
    ...labels,
    ours: oursMedian,
    peer: peerMedian,
    peerName: peer?.name ?? null,
    ratio: peerMedian === null || peerMedian === 0 ? null : oursMedian / peerMedian,
    min: Math.min(...ours),
    max: Math.max(...ours),
  }
}

export function toTable({ bench, machine, rows }: BenchReport): string {
  const head = ['case', 'metric', 'ours', 'min', 'max', 'peer', '', 'ratio']
  const lines = [head, ...rows.map(cells)]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [`${bench} on ${machine.cores} x ${machine.cpu}, Node ${machine.node}`, ...table].join('\n')
}

function cells(row: BenchRow): string[] {
  return [
    row.case,
    `${row.metric} (${row.unit})`,
    rounded(row.ours),
    rounded(row.min),
    rounded(row.max),
    row.peer === null ? '-' : rounded(row.peer),
    row.peerName ?? '',
    row.ratio === null ? '-' : `${row.ratio.toFixed(2)} x`,
  ]
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
