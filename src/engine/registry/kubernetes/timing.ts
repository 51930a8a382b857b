import type { Clock } from '../../../platform/clock.ts'
import type { Logger } from '../../../platform/logger.ts'

/** How patient we are with a cluster. */
export interface Timing {
  /** For one whole call, and for the answer that a watch begins with. */
  readonly callTimeoutMs: number
  /** The API server is asked to end a watch after this long; one that is open for longer is dead. */
  readonly watchSeconds: number
  readonly watchGraceMs: number
  /** Between tries while it does not answer: doubles, with jitter. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** Between tries with credentials or settings that were refused: no storm on what a person has to correct (U24). */
  readonly firstRefusedPauseMs: number
  readonly longestRefusedPauseMs: number
  /** The status of nodes is written back no more often than this. */
  readonly writeEveryMs: number
}

export const usualTiming: Timing = {
  callTimeoutMs: 10_000,
  watchSeconds: 290,
  watchGraceMs: 10_000,
  firstPauseMs: 500,
  longestPauseMs: 30_000,
  firstRefusedPauseMs: 60_000,
  longestRefusedPauseMs: 600_000,
  writeEveryMs: 5_000,
}

export interface ConfigMapDependencies {
  readonly clock: Clock
  readonly logger: Pick<Logger, 'info' | 'warn' | 'debug'>
  /** Whether a watch tells everything is looked up this often (S1.29, S1.86). */
  readonly pollIntervalMs: number
  /** Default: that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** 0 to 1; spreads the tries of many engines at one API server. */
  readonly random?: () => number
  readonly timing?: Partial<Timing>
}

/** Ends what it is given to when `timeoutMs` are over or `parent` is; `cancel` when there is nothing to end any more. */
export function deadline(
  clock: Clock,
  timeoutMs: number,
  { parent }: { readonly parent: AbortSignal },
): { readonly signal: AbortSignal; readonly expired: () => boolean; cancel(): void } {
  const controller = new AbortController()
  let expired = false
  const end = (): void => controller.abort()
  const timer = clock.setTimer(timeoutMs, () => {
    expired = true
    end()
  })
  parent.addEventListener('abort', end, { once: true })
  if (parent.aborted) end()
  return {
    signal: controller.signal,
    expired: () => expired,
    cancel: () => {
      timer.cancel()
      parent.removeEventListener('abort', end)
    },
  }
}

/** Resolves after the time, or as soon as `signal` ends. */
export function pause(clock: Clock, delayMs: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const finish = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = clock.setTimer(delayMs, finish)
    signal.addEventListener('abort', finish, { once: true })
  })
}
