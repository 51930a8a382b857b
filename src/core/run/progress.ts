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

/**
 * Rate over the last five seconds and the time left at that rate.
 * `atMs` is a monotonic time of the caller; calls come in its order.
 */
export class ProgressMeter {
  readonly #direction: RunProgress['direction']
  #samples: Sample[] = []

  constructor(direction: RunProgress['direction']) {
    this.#direction = direction
  }

  measure(figures: Figures, atMs: number): RunProgress {
    this.#samples = [
      ...this.#samples.filter((sample) => atMs - sample.atMs <= windowMs),
      { atMs, bytes: figures.bytes },
    ]
    const first = this.#samples[0] ?? { atMs, bytes: figures.bytes }
    const spanMs = atMs - first.atMs
    const bytesPerSecond = spanMs < shortestSpanMs ? 0 : Math.max(0, ((figures.bytes - first.bytes) * 1000) / spanMs)
    return { ...figures, bytesPerSecond, remainingMs: remaining(figures, bytesPerSecond), direction: this.#direction }
  }
}

function remaining({ bytes, totalBytes }: Figures, bytesPerSecond: number): number | null {
  if (totalBytes === null) return null
  if (bytes >= totalBytes) return 0
  return bytesPerSecond === 0 ? null : Math.round(((totalBytes - bytes) * 1000) / bytesPerSecond)
}
