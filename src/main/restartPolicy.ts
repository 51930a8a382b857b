/** More failures than this within the window, and a person must decide. */
export const restartLimit = { failures: 5, windowMs: 60_000 } as const

const firstDelayMs = 250
const longestDelayMs = 8_000

/**
 * When to start the engine again.
 *
 * @param failuresAt when it died, oldest first, in milliseconds of one clock; the newest is the present failure
 * @param options.everlasting a network may be away for hours; only the wait has a limit then
 * @returns the wait in milliseconds, or null to give up
 */
export function nextRestartDelay(
  failuresAt: readonly number[],
  nowMs: number,
  { everlasting = false }: { readonly everlasting?: boolean } = {},
): number | null {
  const recent = failuresAt.filter((at) => nowMs - at < restartLimit.windowMs).length
  if (recent > restartLimit.failures && !everlasting) return null
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.max(0, recent - 1))
}
