import type { Clock } from '../../platform/clock.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { NodeIdentity } from '../ports.ts'
import { connectSsh, type SshConnection, timeoutReason } from './connection.ts'
import { pause } from './deadline.ts'
import { FifoGate } from './fifoGate.ts'
import { AttemptFailed, AttemptTrace } from './transport.ts'

export interface ConnectorSettings {
  readonly maxConnecting: number
  readonly maxConnectingPerTarget: number
  /** For one attempt, from the first packet to the login. */
  readonly connectTimeoutMs: number
  readonly keepaliveIntervalMs: number
  readonly random: () => number
}

/** How far an opening has come; null while it waits for its turn. */
export interface OpeningProgress {
  trace: AttemptTrace | null
}

interface ConnectRequest {
  readonly node: FleetNode
  readonly identity: NodeIdentity
  readonly progress: OpeningProgress
  readonly signal: AbortSignal
}

const mostStartupDrops = 6
const firstBackOffMs = 100

/** Logs in to nodes without running into MaxStartups: bounded in all and for each target, with jitter after a drop. */
export class Connector {
  readonly #clock: Clock
  readonly #settings: ConnectorSettings
  readonly #all: FifoGate
  readonly #targets = new Map<string, FifoGate>()

  constructor(clock: Clock, settings: ConnectorSettings) {
    this.#clock = clock
    this.#settings = settings
    this.#all = new FifoGate(settings.maxConnecting)
  }

  /** @throws AttemptFailed; only drops that look like MaxStartups are tried again */
  async connect(request: ConnectRequest): Promise<SshConnection> {
    for (let drops = 1; ; drops += 1) {
      try {
        return await this.#attempt(request)
      } catch (thrown) {
        if (!(thrown instanceof AttemptFailed) || !thrown.retryable || drops >= mostStartupDrops) throw thrown
        await this.#backOff(drops, request.signal)
      }
    }
  }

  async #attempt(request: ConnectRequest): Promise<SshConnection> {
    const leaveTarget = await this.#enterTarget(request)
    try {
      const leaveAll = await this.#all.enter(request.signal)
      try {
        return await this.#connectOnce(request)
      } finally {
        leaveAll()
      }
    } finally {
      leaveTarget()
    }
  }

  async #enterTarget({ node, signal }: ConnectRequest): Promise<() => void> {
    const target = `${node.address} ${node.port}`
    const gate = this.#targets.get(target) ?? new FifoGate(this.#settings.maxConnectingPerTarget)
    this.#targets.set(target, gate)
    const leave = await gate.enter(signal)
    return () => {
      leave()
      if (gate.idle && this.#targets.get(target) === gate) this.#targets.delete(target)
    }
  }

  async #connectOnce({ node, identity, progress, signal }: ConnectRequest): Promise<SshConnection> {
    const controller = new AbortController()
    const onAbort = (): void => controller.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = this.#clock.setTimer(this.#settings.connectTimeoutMs, () => controller.abort(timeoutReason))
    const trace = new AttemptTrace()
    progress.trace = trace
    try {
      const { user, hostKeys: pins } = node
      const { keepaliveIntervalMs } = this.#settings
      return await connectSsh(node, {
        user,
        pins,
        identity,
        clock: this.#clock,
        signal: controller.signal,
        trace,
        keepaliveIntervalMs,
      })
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  #backOff(drops: number, signal: AbortSignal): Promise<void> {
    const longestMs = firstBackOffMs * 2 ** drops
    const delayMs = longestMs * (0.25 + 0.75 * this.#settings.random())
    return pause(delayMs, { clock: this.#clock, signal })
  }
}
