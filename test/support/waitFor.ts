import { setTimeout as sleep } from 'node:timers/promises'

export interface WaitOptions {
  /** Gives up after this long; generous, since it only costs time when the test fails anyway. */
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/**
 * Polls until `probe` gives a value that is neither false, null nor undefined, and returns that value. A probe that
 * throws counts as "not yet". At the deadline it fails with `what` and the last thing seen.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 15_000, intervalMs = 20 } = options
  const deadline = performance.now() + timeoutMs
  let last = 'nothing yet'
  while (performance.now() < deadline) {
    try {
      const value = await probe()
      if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>
      last = `the value ${String(value)}`
    } catch (error) {
      last = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    }
    await sleep(intervalMs)
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${last}`)
}
