import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import { timeoutReason } from './connection.ts'

interface Deadline {
  readonly clock: Pick<Clock, 'setTimer'>
  readonly timeoutMs: number
  /** Any of them ends the work too. */
  readonly signals: readonly AbortSignal[]
}

/**
 * Runs `work` with a signal that aborts with {@link timeoutReason} when time is up, and with the caller's reason when
 * the caller gives up. Waiting that was cut short by the time limit is reported as TIMED_OUT.
 */
export async function withDeadline<T>(deadline: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, timeoutMs, signals } = deadline
  const controller = new AbortController()
  const onAbort = (event: Event): void => controller.abort((event.target as AbortSignal).reason)
  const timer = clock.setTimer(timeoutMs, () => controller.abort(timeoutReason))
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason)
    else signal.addEventListener('abort', onAbort, { once: true })
  }
  try {
    if (controller.signal.aborted) throw new AppError('CANCELED', 'canceled before it began')
    return await work(controller.signal)
  } catch (thrown) {
    const timedOut = controller.signal.reason === timeoutReason
    if (timedOut && thrown instanceof AppError && thrown.code === 'CANCELED')
      throw new AppError('TIMED_OUT', `No free slot within ${timeoutMs} ms: ${thrown.message}.`)
    throw thrown
  } finally {
    timer.cancel()
    for (const signal of signals) signal.removeEventListener('abort', onAbort)
  }
}

interface Pause {
  readonly clock: Pick<Clock, 'setTimer'>
  readonly signal: AbortSignal
}

/** Waits, or throws CANCELED as soon as the signal aborts. */
export function pause(delayMs: number, { clock, signal }: Pause): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', done)
      if (signal.aborted)
        reject(new AppError('CANCELED', 'gave up while waiting to try again', { cause: signal.reason }))
      else resolve()
    }
    const timer = clock.setTimer(delayMs, done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
