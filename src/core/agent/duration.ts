/** How many successful runs are remembered. */
export const rememberedDurations = 20

/** 95th percentile of the durations of earlier runs, in their unit; 0 without history (N2). */
export function usualDuration(durations: readonly number[]): number {
  const sorted = [...durations].sort((left, right) => left - right)
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0
}

/**
 * Wait before try number `attempt` (from 1): doubles up to a limit, and lies between half and the whole of that, so that
 * a fleet does not come back in step.
 *
 * @param random 0 to 1
 */
export function backoffMs(attempt: number, random: number, limits = { firstMs: 500, mostMs: 30_000 }): number {
  const whole = Math.min(limits.mostMs, limits.firstMs * 2 ** Math.min(20, attempt - 1))
  return Math.round(whole * (0.5 + random / 2))
}
