import { setImmediate as nextTurn } from 'node:timers/promises'
import { canceled } from './failure.ts'

const perTurn = 256

/**
 * The same small thing for very many files: at once, which is much faster than one by one through the thread pool, but in
 * turns of a few milliseconds, so that everybody else gets theirs.
 */
export async function inTurns<T>(
  items: Iterable<T>,
  work: (item: T) => void,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  let done = 0
  for (const item of items) {
    work(item)
    done += 1
    if (done % perTurn !== 0) continue
    if (signal?.aborted === true) throw canceled(signal)
    await nextTurn()
  }
}
