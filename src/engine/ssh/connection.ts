import type { Socket } from 'node:net'
import type { AnyAuthMethod, Client } from 'ssh2'
import type { Clock } from '../../platform/clock.ts'
import type { PinnedHostKey } from '../../shared/model/node.ts'
import { hostKeyAlgorithmsFor, judgeHostKey } from './hostKeys.ts'
import { enableIdentityLogin, IdentityAgent, type LoginKey } from './identityLogin.ts'
import { AttemptFailed, AttemptTrace, openClient, type SshTarget } from './transport.ts'

/** One authenticated connection. */
export interface SshConnection {
  readonly client: Client
  readonly banner: string
  /** Grows with everything the server sends. */
  readonly bytesReceived: number
  /** True as soon as it is of no more use, which may be before the socket is gone. */
  readonly closed: boolean
  /** True when it ended because the other side had stopped answering, not because anybody closed it. */
  readonly silent: boolean
  /** Asks the server for an answer of any kind. */
  ping(): void
  /** Nobody answers any more: ends it as {@link silent}. */
  giveUp(): void
  /** Called once, also when it is closed by us. @returns the function that unsubscribes. */
  onClosed(listener: () => void): () => void
  /** Says goodbye and closes. */
  close(): void
  destroy(): void
}

interface ConnectOptions {
  readonly user: string
  readonly pins: readonly PinnedHostKey[]
  readonly identity: LoginKey
  readonly clock: Pick<Clock, 'nowMs'>
  /** Aborted with reason `timeout` when time is up, with anything else when nobody wants it any more. */
  readonly signal: AbortSignal
  /** Filled in as the attempt proceeds. */
  readonly trace?: AttemptTrace
  readonly keepaliveIntervalMs?: number
}

export const timeoutReason = 'timeout'

/**
 * Connects, checks the host key against the pins, and only then logs in with the identity.
 * @throws AttemptFailed with the evidence of the stage that failed
 */
export function connectSsh(target: SshTarget, options: ConnectOptions): Promise<SshConnection> {
  const trace = options.trace ?? new AttemptTrace()
  const { signal, clock, identity } = options
  return new Promise((resolve, reject) => {
    const { client, socket } = openClient(target, {
      trace,
      username: options.user,
      hostKeyAlgorithms: hostKeyAlgorithmsFor(options.pins),
      acceptHostKey: (blob) => {
        trace.hostKey = judgeHostKey(blob, options.pins) ?? undefined
        return trace.hostKey === undefined
      },
      authHandler: oneLogin(options.user, new IdentityAgent(identity)),
      prepare: (started) => enableIdentityLogin(started, identity),
      keepaliveIntervalMs: options.keepaliveIntervalMs ?? 30_000,
    })
    let firstError: unknown
    const settle = (finish: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      client.off('close', onClose)
      finish()
    }
    const fail = (error: unknown): void =>
      settle(() => {
        socket.destroy()
        reject(new AttemptFailed(trace.evidence(error, clock.nowMs())))
      })
    const onAbort = (): void => {
      trace.timedOut = signal.reason === timeoutReason
      fail(undefined)
    }
    const onClose = (): void => fail(firstError ?? new Error('the server closed the connection'))
    // ssh2 may report an error and then another; an emitter without a listener would end the process.
    client.on('error', (error) => {
      firstError ??= error
    })
    client.on('close', onClose)
    client.once('ready', () => settle(() => resolve(wrap(client, socket, trace))))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

/** We have one certificate or key; when it is refused there is nothing else to try. */
function oneLogin(username: string, agent: IdentityAgent): () => AnyAuthMethod | false {
  let tried = false
  return () => {
    if (tried) return false
    tried = true
    return { type: 'agent', username, agent }
  }
}

/** What the kernel reports when it has given up on the other side, or has no way there any more. */
const silentErrors = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'])

function wrap(client: Client, socket: Socket, trace: AttemptTrace): SshConnection {
  let usable = true
  let gone = false
  let silent = false
  socket.on('error', (error: NodeJS.ErrnoException) => {
    silent ||= silentErrors.has(error.code ?? '')
  })
  const listeners = new Set<() => void>()
  client.once('close', () => {
    usable = false
    gone = true
    for (const listener of listeners) listener()
    listeners.clear()
  })
  return {
    client,
    banner: trace.banner ?? '',
    get bytesReceived() {
      return socket.bytesRead
    },
    get closed() {
      return !usable
    },
    get silent() {
      return silent
    },
    // A global request that every server answers, and that asks for nothing: there is no such forwarding.
    ping: () => {
      if (usable && !gone && socket.writable) client.unforwardIn('127.0.0.1', 1, () => undefined)
    },
    giveUp: () => {
      silent = true
      usable = false
      client.destroy()
    },
    onClosed: (listener) => {
      if (gone) listener()
      else listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => {
      usable = false
      client.end()
    },
    destroy: () => {
      usable = false
      client.destroy()
    },
  }
}
