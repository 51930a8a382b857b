import { isUnsearched, unsearchedFirst } from '../../../core/scan/skipped.ts'
import type { ScanOutcome } from '../../ports.ts'

type Skipped = ScanOutcome['skipped'][number]

/** Named one by one; of the others the number for each reason. */
const mostNamed = 900

/** Files that nobody looked into, or only in part, in a list that a report can hold: those first that nobody searched. */
export class SkippedFiles {
  readonly #unsearched: Skipped[] = []
  readonly #others: Skipped[] = []
  readonly #more = new Map<string, number>()

  add(file: string, reason: string): void {
    const list = isUnsearched({ file, reason }) ? this.#unsearched : this.#others
    if (list.length < mostNamed) list.push({ file, reason })
    else this.#count(reason)
  }

  list(): ScanOutcome['skipped'] {
    const named = [...this.#unsearched, ...this.#others]
    for (const { reason } of named.slice(mostNamed)) this.#count(reason)
    const counted = [...this.#more].map(([reason, count]) => ({ file: `${count} more`, reason }))
    return unsearchedFirst([...named.slice(0, mostNamed), ...counted])
  }

  #count(reason: string): void {
    this.#more.set(reason, (this.#more.get(reason) ?? 0) + 1)
  }
}
