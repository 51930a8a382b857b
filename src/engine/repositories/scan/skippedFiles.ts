import type { ScanOutcome } from '../../ports.ts'

/** Named one by one; of the others the number for each reason. */
const mostNamed = 1_000

/** Files that nobody looked into, in a list that a report can hold. */
export class SkippedFiles {
  readonly #named: ScanOutcome['skipped'] = []
  readonly #others = new Map<string, number>()

  add(file: string, reason: string): void {
    if (this.#named.length < mostNamed) this.#named.push({ file, reason })
    else this.#others.set(reason, (this.#others.get(reason) ?? 0) + 1)
  }

  list(): ScanOutcome['skipped'] {
    const counted = [...this.#others].map(([reason, count]) => ({ file: `${count} more`, reason }))
    return [...this.#named, ...counted]
  }
}
