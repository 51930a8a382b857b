import type { RunProgress } from '../../shared/model/run.ts'

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

interface Figures {
  readonly bytes: number
  readonly totalBytes: number | null
  readonly files: number
}

/** Rates over less than this say nothing. */
const shortestSpanMs = 200
const windowMs = 5_000
/** Samples lie this far apart: small files bring thousands of figures a second, and each may cost only a little. */
const sampleSpacingMs = 100

/**
 * Rate over the last five seconds and the time left at that rate.
 * `atMs` is a monotonic time of the caller; calls come in its order.
 */
export class ProgressMeter {
  readonly #direction: RunProgress['direction']
  readonly #samples: Sample[] = []

  constructor(direction: RunProgress['direction']) {
    this.#direction = direction
  }

  measure(figures: Figures, atMs: number): RunProgress {
    this.#keep({ atMs, bytes: figures.bytes })
    const first = this.#samples[0] ?? { atMs, bytes: figures.bytes }
    const spanMs = atMs - first.atMs
    const bytesPerSecond = spanMs < shortestSpanMs ? 0 : Math.max(0, ((figures.bytes - first.bytes) * 1000) / spanMs)
    return { ...figures, bytesPerSecond, remainingMs: remaining(figures, bytesPerSecond), direction: this.#direction }
  }

  #keep(sample: Sample): void {
    const last = this.#samples.at(-1)
    if (last === undefined || sample.atMs - last.atMs >= sampleSpacingMs) this.#samples.push(sample)
    while (sample.atMs - (this.#samples[0]?.atMs ?? sample.atMs) > windowMs) this.#samples.shift()
  }
}

function remaining({ bytes, totalBytes }: Figures, bytesPerSecond: number): number | null {
  if (totalBytes === null) return null
  if (bytes >= totalBytes) return 0
  return bytesPerSecond === 0 ? null : Math.round(((totalBytes - bytes) * 1000) / bytesPerSecond)
}
