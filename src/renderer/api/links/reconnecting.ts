import type { ClientContext, ClientLink, ClientOptions } from '@orpc/client'
import { AppError } from '../../../shared/errors.ts'
import type { LinkStatus } from '../link.ts'
import { createSubscribable, type Subscribable } from '../subscribable.ts'

/** One established connection. */
export interface Connection {
  readonly link: ClientLink<ClientContext>
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>
  close(): void
}

export interface ReconnectingLink {
  readonly link: ClientLink<ClientContext>
  readonly status: Subscribable<LinkStatus>
  /** Drops the present connection, if there is one, and connects again at once. */
  reconnect(): void
  close(): void
}

interface ReconnectOptions {
  /** First wait after a failure; doubles up to `maxDelayMs`. */
  readonly minDelayMs?: number
  readonly maxDelayMs?: number
}

/** Half of the wait is random, so that many windows do not come back in the same moment. */
const withJitter = (delayMs: number): number => delayMs / 2 + Math.random() * (delayMs / 2)

/**
 * Keeps one connection open. A call made while there is none waits for the next one; a call that was under way when
 * the connection broke fails, because only its caller knows whether asking again is safe.
 */
export function createReconnectingLink(
  connect: () => Promise<Connection>,
  options: ReconnectOptions = {},
): ReconnectingLink {
  const { minDelayMs = 250, maxDelayMs = 10_000 } = options
  const status = createSubscribable<LinkStatus>('connecting')
  let current: Connection | null = null
  let stopped = false
  let wake: (() => void) | null = null
  const waiting = new Set<{
    readonly resolve: (connection: Connection) => void
    readonly reject: (error: unknown) => void
  }>()

  const established = (connection: Connection): void => {
    current = connection
    for (const waiter of waiting) waiter.resolve(connection)
    waiting.clear()
    status.set('live')
  }
  const pause = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const run = async (): Promise<void> => {
    let delayMs = minDelayMs
    while (!stopped) {
      try {
        const connection = await connect()
        if (stopped) return connection.close()
        delayMs = minDelayMs
        established(connection)
        await connection.closed
        current = null
        if (!stopped) status.set('restarting')
      } catch {
        // The reason does not help anybody: the page says that it is not connected and since when.
      }
      if (!stopped) await pause(withJitter(delayMs))
      delayMs = Math.min(maxDelayMs, delayMs * 2)
    }
  }
  void run()

  const nextConnection = (signal: AbortSignal | undefined): Promise<Connection> => {
    if (current !== null) return Promise.resolve(current)
    if (stopped)
      return Promise.reject(
        new AppError('ENGINE_UNAVAILABLE', 'The connection to the engine was closed. Reload the window.'),
      )
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject }
      waiting.add(waiter)
      signal?.addEventListener('abort', () => waiting.delete(waiter) && reject(signal.reason), { once: true })
    })
  }
  return {
    status,
    link: {
      call: async (path: readonly string[], input: unknown, callOptions: ClientOptions<ClientContext>) => {
        const connection = await nextConnection(callOptions.signal)
        return connection.link.call(path, input, callOptions)
      },
    },
    reconnect: () => {
      current?.close()
      wake?.()
    },
    close: () => {
      stopped = true
      current?.close()
      wake?.()
      for (const waiter of waiting)
        waiter.reject(new AppError('ENGINE_UNAVAILABLE', 'The connection to the engine was closed.'))
      waiting.clear()
      status.set('closed')
    },
  }
}
