import type { RemoteCommandResult } from '../ports.ts'

/** Understood by every `date` since POSIX; whole seconds are enough where a certificate is backdated by sixty. */
export const clockCommand = 'date +%s'

interface RoundTrip {
  /** Our clock, epoch ms. */
  readonly sentAt: number
  readonly receivedAt: number
}

/**
 * Node clock minus ours, from one run of {@link clockCommand}. 0 when the second that the node named overlaps the round
 * trip: then nothing tells the clocks apart. Null when the answer is not a time.
 */
export function clockSkewFrom(
  result: Pick<RemoteCommandResult, 'exitCode' | 'stdout'>,
  trip: RoundTrip,
): number | null {
  const line = Buffer.from(result.stdout).toString('latin1').trim()
  if (result.exitCode !== 0 || !/^\d{1,12}$/.test(line)) return null
  return clockSkewOf(Number(line), trip)
}

/** The same from whole seconds since 1970, as the node's clock said them. */
export function clockSkewOf(seconds: number, trip: RoundTrip): number {
  const earliestMs = seconds * 1000
  const latestMs = earliestMs + 999
  if (latestMs < trip.sentAt) return Math.round(latestMs - trip.sentAt)
  return earliestMs > trip.receivedAt ? Math.round(earliestMs - trip.receivedAt) : 0
}
