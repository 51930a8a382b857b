import { diagnoseConnection } from '../../core/diagnose/connection.ts'
import type { ConnectEvidence } from '../../core/diagnose/evidence.ts'
import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type {
  Identities,
  LoginProof,
  NodeIdentity,
  RemoteCommandOptions,
  RemoteCommandResult,
  SshPool,
} from '../ports.ts'
import { clockCommand, clockSkewFrom } from './clockSkew.ts'
import { ChannelRefused, CommandCut, runCommand } from './command.ts'
import { timeoutReason } from './connection.ts'
import { Connector, type OpeningProgress } from './connector.ts'
import { pause, withDeadline } from './deadline.ts'
import { diagnosedError, presentedBy } from './failure.ts'
import { Liveness } from './liveness.ts'
import { PooledConnection } from './pooledConnection.ts'
import { AttemptFailed } from './transport.ts'

export interface SshPoolSettings {
  /** Idle connections beyond this are closed, least recently used first; busy ones never. Default 4096. */
  readonly maxConnections?: number
  /** Logins under way at once, over all nodes. Default 32. */
  readonly maxConnecting?: number
  /** Logins under way at once to one address and port; sshd starts refusing at 10 (U32). Default 4. */
  readonly maxConnectingPerTarget?: number
  /** Commands at once on one connection; sshd allows 10 (MaxSessions). Default 8. */
  readonly maxChannels?: number
  /** Default 75 minutes: what reconciles every hour finds its connections open (S1.82). */
  readonly idleCloseMs?: number
  /** For one login, from the first packet on. Default 10 s. */
  readonly connectTimeoutMs?: number
  /** A connection on which nothing came for this long is asked whether anybody is there. Default 5 s. */
  readonly askAfterMs?: number
  /** Wait between tries after MaxStartups; 0 to 1, multiplied with the back-off. */
  readonly random?: () => number
}

interface SshPoolDependencies {
  readonly identities: Pick<Identities, 'ensure'>
  readonly clock: Clock
  readonly settings?: SshPoolSettings
}

const defaults = {
  maxConnections: 4096,
  maxConnecting: 32,
  maxConnectingPerTarget: 4,
  maxChannels: 8,
  idleCloseMs: 4_500_000,
  connectTimeoutMs: 10_000,
  askAfterMs: 5_000,
  random: Math.random,
}

/** A login under way, shared by all who wait for it. */
interface Opening {
  readonly result: Promise<PooledConnection>
  readonly progress: OpeningProgress
}

interface CallOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** What `channels/` needs beyond the port; both reject as `SshPool` does. */
export interface ConnectionSource {
  /**
   * Work that keeps a slot of its own, or none. What is cut off is begun once more, on a new connection where the old one
   * is gone; `attempt` says so.
   */
  onConnection<T>(
    node: FleetNode,
    options: CallOptions,
    work: (
      connection: PooledConnection,
      call: { readonly signal: AbortSignal; readonly attempt: number },
    ) => Promise<T>,
  ): Promise<T>
  /** Work that takes a slot, as a command does. */
  onSlot<T>(
    node: FleetNode,
    options: CallOptions,
    work: (connection: PooledConnection, signal: AbortSignal) => Promise<T>,
  ): Promise<T>
  /** Node clock minus ours, for the next diagnosis. */
  noteClock(nodeId: NodeId, skewMs: number): void
  /** The error for what was seen, with its one cause. */
  failure(node: FleetNode, evidence: Omit<ConnectEvidence, 'nowMs'>): AppError
}

interface Lease {
  readonly connection: PooledConnection
  readonly leave: () => void
}

/** Warm connections, one for each node. See {@link SshPool} for what callers may rely on. */
export function createSshPool({ identities, clock, settings = {} }: SshPoolDependencies): SshPool & ConnectionSource {
  return new WarmPool({ identities, clock, settings: { ...defaults, ...settings } })
}

type LostListener = Parameters<SshPool['onLost']>[0]

interface PoolContext {
  readonly identities: Pick<Identities, 'ensure'>
  readonly clock: Clock
  readonly settings: Required<SshPoolSettings>
}

const answerWithinMs = 5_000
/** A quarter of a millisecond each: half a percent of a core. */
const mostQuestionsPerSecond = 20
const mostRefusals = 20
const refusalPauseMs = 20

class WarmPool implements SshPool, ConnectionSource {
  readonly #context: PoolContext
  readonly #connector: Connector
  /** In order of last use, oldest first. */
  readonly #connections = new Map<NodeId, PooledConnection>()
  readonly #opening = new Map<string, Opening>()
  /** Superseded ones that still run something. */
  readonly #retiring = new Set<PooledConnection>()
  readonly #skewMs = new Map<NodeId, number>()
  readonly #lostListeners = new Set<LostListener>()
  readonly #liveness: Liveness
  readonly #closing = new AbortController()

  constructor(context: PoolContext) {
    this.#context = context
    const { clock, settings } = context
    this.#connector = new Connector(clock, { ...settings, keepaliveIntervalMs: 0 })
    const { askAfterMs } = settings
    this.#liveness = new Liveness(clock, { askAfterMs, answerWithinMs, mostPerSecond: mostQuestionsPerSecond })
  }

  exec(node: FleetNode, command: string, options: RemoteCommandOptions): Promise<RemoteCommandResult> {
    return withDeadline(this.#deadline(options), (signal) => this.#run(node, command, { ...options, signal }))
  }

  async login(node: FleetNode, options: Parameters<SshPool['login']>[1]): Promise<LoginProof> {
    const open = this.#connections.get(node.id)
    // Retired and not dropped: a run may be at work on it.
    if (options.fresh === true && open !== undefined) this.#retire(open)
    return withDeadline(this.#deadline(options), (signal) => this.#proveLogin(node, signal))
  }

  onConnection<T>(...[node, options, work]: Parameters<ConnectionSource['onConnection']>): Promise<T> {
    return withDeadline(this.#deadline(options), async (signal) => {
      for (let attempt = 0; ; attempt += 1) {
        const connection = await this.#acquire(node, signal)
        try {
          const result = await work(connection, { signal, attempt })
          connection.servedChannel = true
          return result as T
        } catch (thrown) {
          if (isTimeout(thrown)) this.#retire(connection)
          if (!(thrown instanceof CommandCut)) throw thrown
          if (attempt > 0) throw this.#failed(node, this.#cutEvidence(thrown))
        } finally {
          this.#touch(connection)
        }
      }
    })
  }

  onSlot<T>(...[node, options, work]: Parameters<ConnectionSource['onSlot']>): Promise<T> {
    return withDeadline(this.#deadline(options), (signal) =>
      this.#onConnection(node, signal, (connection) => work(connection, signal) as Promise<T>),
    )
  }

  noteClock(nodeId: NodeId, skewMs: number): void {
    this.#skewMs.set(nodeId, skewMs)
  }

  failure(node: FleetNode, evidence: Omit<ConnectEvidence, 'nowMs'>): AppError {
    return this.#failed(node, { ...evidence, nowMs: this.#context.clock.nowMs() })
  }

  drop(nodeId: NodeId): void {
    this.#connections.get(nodeId)?.destroy()
    this.#connections.delete(nodeId)
    for (const connection of this.#retiring) if (connection.nodeId === nodeId) connection.destroy()
    // What is being opened for the old facts must not be kept when it arrives.
    for (const key of this.#opening.keys()) if (key.startsWith(`${nodeId} `)) this.#opening.delete(key)
  }

  onLost(listener: LostListener): () => void {
    this.#lostListeners.add(listener)
    return () => void this.#lostListeners.delete(listener)
  }

  openConnections(): number {
    return this.#connections.size + this.#retiring.size
  }

  isOpen(nodeId: NodeId): boolean {
    return this.#connections.get(nodeId)?.ssh.closed === false
  }

  async close(): Promise<void> {
    this.#closing.abort(new AppError('CANCELED', 'the connection pool was closed'))
    const all = [...this.#connections.values(), ...this.#retiring]
    this.#connections.clear()
    await Promise.all([
      ...all.map((connection) => connection.closeAndWait()),
      ...[...this.#opening.values()].map(({ result }) => result.catch(() => undefined)),
    ])
  }

  #deadline(options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): {
    clock: Clock
    timeoutMs: number
    signals: AbortSignal[]
  } {
    const signals = options.signal === undefined ? [this.#closing.signal] : [options.signal, this.#closing.signal]
    return { clock: this.#context.clock, timeoutMs: options.timeoutMs, signals }
  }

  #proveLogin(node: FleetNode, signal: AbortSignal): Promise<LoginProof> {
    return this.#onConnection(node, signal, async (connection) => {
      const { clock } = this.#context
      const sentAt = clock.nowMs()
      const result = await runCommand(connection.ssh, clockCommand, { signal }).catch((thrown: unknown) => {
        // Nobody needs this long to tell the time: the node, or the way to it, is gone.
        if (isTimeout(thrown)) throw this.#failed(node, { stage: 'authenticate', nowMs: clock.nowMs(), timedOut: true })
        throw thrown
      })
      const at = clock.nowMs()
      const clockSkewMs = clockSkewFrom(result, { sentAt, receivedAt: at })
      if (clockSkewMs === null && result.exitCode !== 0) throw this.#failed(node, shellRefusal(result, at))
      if (clockSkewMs !== null) this.#skewMs.set(node.id, clockSkewMs)
      return { nodeId: node.id, ...loginMeans(connection.identity), at, clockSkewMs }
    })
  }

  #run(
    node: FleetNode,
    command: string,
    options: RemoteCommandOptions & { readonly signal: AbortSignal },
  ): Promise<RemoteCommandResult> {
    return this.#onConnection(node, options.signal, (connection) => runCommand(connection.ssh, command, options))
  }

  async #onConnection<T>(
    node: FleetNode,
    signal: AbortSignal,
    work: (connection: PooledConnection) => Promise<T>,
  ): Promise<T> {
    for (let refusals = 0; ; refusals += 1) {
      const lease = await this.#enter(node, signal)
      try {
        const result = await this.#onLease(node, lease, () => work(lease.connection))
        lease.connection.servedChannel = true
        return result
      } catch (thrown) {
        // An open connection that had died unnoticed, after sleep for one; the next one is new.
        if (thrown instanceof CommandCut && thrown.neverSent && lease.connection.servedChannel) {
          lease.connection.destroy()
          continue
        }
        if (thrown instanceof CommandCut) throw this.#failed(node, this.#cutEvidence(thrown))
        if (!(thrown instanceof ChannelRefused)) throw thrown
        this.#learnLimit(node, lease.connection, { refusals, message: thrown.message })
      } finally {
        lease.leave()
      }
      await pause(refusalPauseMs * (refusals + 1), { clock: this.#context.clock, signal })
    }
  }

  #cutEvidence(cut: CommandCut): ConnectEvidence {
    return { stage: 'command', nowMs: this.#context.clock.nowMs(), message: cut.message }
  }

  /**
   * The server allows fewer sessions than we thought, or has not yet counted out one that has just ended: both pass.
   * It is the answer only when nothing ever got through and nothing else is open, or when it goes on and on.
   */
  #learnLimit(
    node: FleetNode,
    connection: PooledConnection,
    refused: { readonly refusals: number; readonly message: string },
  ): void {
    const othersOpen = connection.gate.inside - 1
    if (othersOpen > 0) connection.gate.lowerLimit(othersOpen)
    const hopeless = othersOpen === 0 && !connection.servedChannel
    if (!hopeless && refused.refusals < mostRefusals) return
    throw this.#failed(node, { stage: 'channel', nowMs: this.#context.clock.nowMs(), message: refused.message })
  }

  /** Turns what happens on the connection into one diagnosed error; a refused channel may be asked for again. */
  async #onLease<T>(node: FleetNode, lease: Lease, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (thrown) {
      const nowMs = this.#context.clock.nowMs()
      // It may be slow, or it may be dead: whoever comes next finds out on a new connection.
      if (isTimeout(thrown)) this.#retire(lease.connection)
      if (thrown instanceof CommandCut) throw thrown
      if (!(thrown instanceof ChannelRefused) || thrown.kind === 'channel') throw thrown
      throw this.#failed(node, { stage: 'channel', nowMs, message: `exec request failed (${thrown.message})` })
    }
  }

  /** A slot on an open connection of this node. */
  async #enter(node: FleetNode, signal: AbortSignal): Promise<Lease> {
    for (;;) {
      const connection = await this.#acquire(node, signal)
      connection.makeRoom()
      const leave = await connection.gate.enter(signal)
      if (!connection.ssh.closed) {
        return {
          connection,
          leave: () => {
            leave()
            this.#touch(connection)
          },
        }
      }
      leave()
    }
  }

  async #acquire(node: FleetNode, signal: AbortSignal): Promise<PooledConnection> {
    const identity = await this.#context.identities.ensure(node, 'automation', { reason: 'log in to the node' })
    const key = connectionKey(node, identity)
    const open = this.#connections.get(node.id)
    if (open !== undefined && open.key === key && !open.ssh.closed) return open
    if (open !== undefined) this.#retire(open)
    const opening = this.#opening.get(key) ?? this.#open(node, { key, identity })
    return abortable(opening.result, signal, () => {
      const { trace } = opening.progress
      if (trace === null || signal.reason !== timeoutReason)
        return new AppError('CANCELED', 'gave up while waiting for a connection', { cause: signal.reason })
      return this.#failed(node, { ...trace.evidence(undefined, this.#context.clock.nowMs()), timedOut: true }, identity)
    })
  }

  /** One login for everybody who waits for this node; it has a deadline of its own, not that of the first who asked. */
  #open(node: FleetNode, facts: { readonly key: string; readonly identity: NodeIdentity }): Opening {
    const { key } = facts
    const progress: OpeningProgress = { trace: null }
    const wanted = (): boolean => this.#opening.get(key) === opening
    const opening: Opening = { progress, result: this.#connect(node, { ...facts, progress, wanted }) }
    this.#opening.set(key, opening)
    const done = (): void => {
      if (wanted()) this.#opening.delete(key)
    }
    opening.result.then(done, done)
    return opening
  }

  async #connect(
    node: FleetNode,
    facts: {
      readonly key: string
      readonly identity: NodeIdentity
      readonly progress: OpeningProgress
      readonly wanted: () => boolean
    },
  ): Promise<PooledConnection> {
    const { key, identity, progress } = facts
    const { maxChannels } = this.#context.settings
    try {
      const ssh = await this.#connector.connect({ node, identity, progress, signal: this.#closing.signal })
      const connection = new PooledConnection({
        nodeId: node.id,
        key,
        identity,
        ssh,
        maxChannels,
      })
      if (facts.wanted()) this.#keep(connection)
      else connection.destroy()
      return connection
    } catch (thrown) {
      if (this.#closing.signal.aborted) throw new AppError('CANCELED', 'the connection pool was closed')
      throw thrown instanceof AttemptFailed ? this.#failed(node, thrown.evidence, identity) : thrown
    }
  }

  #keep(connection: PooledConnection): void {
    const previous = this.#connections.get(connection.nodeId)
    if (previous !== undefined) this.#retire(previous)
    this.#connections.set(connection.nodeId, connection)
    connection.ssh.onClosed(() => this.#forget(connection))
    this.#liveness.watch(connection.ssh)
    this.#armIdleClose(connection)
    this.#evict()
  }

  #forget(connection: PooledConnection): void {
    connection.stopIdleTimer()
    this.#liveness.forget(connection.ssh)
    this.#retiring.delete(connection)
    // What we end ourselves is taken off the list first.
    if (this.#connections.get(connection.nodeId) !== connection) return
    this.#connections.delete(connection.nodeId)
    for (const listener of this.#lostListeners) listener(connection.nodeId, { silent: connection.ssh.silent })
  }

  /** No new work on it: its certificate, address or pins are no longer the node's. What runs may end. */
  #retire(connection: PooledConnection): void {
    if (this.#connections.get(connection.nodeId) === connection) this.#connections.delete(connection.nodeId)
    if (connection.ssh.closed) return
    if (connection.idle) connection.destroy()
    else this.#retiring.add(connection)
  }

  #touch(connection: PooledConnection): void {
    connection.usedAtMs = this.#context.clock.monotonicMs()
    if (this.#retiring.has(connection)) {
      if (connection.idle) connection.destroy()
      return
    }
    if (this.#connections.get(connection.nodeId) !== connection) return
    this.#connections.delete(connection.nodeId)
    this.#connections.set(connection.nodeId, connection)
    this.#evict()
  }

  #evict(): void {
    if (this.#connections.size <= this.#context.settings.maxConnections) return
    for (const connection of this.#connections.values()) {
      if (!connection.idle) continue
      this.#closeIdle(connection)
      if (this.#connections.size <= this.#context.settings.maxConnections) return
    }
  }

  /** One timer for each connection that looks again when it fires, instead of one armed anew at each command. */
  #armIdleClose(connection: PooledConnection): void {
    const { clock, settings } = this.#context
    connection.usedAtMs = clock.monotonicMs()
    const look = (delayMs: number): void =>
      connection.setIdleTimer(
        clock.setTimer(
          delayMs,
          () => {
            const leftMs = connection.usedAtMs + settings.idleCloseMs - clock.monotonicMs()
            if (!connection.idle) look(settings.idleCloseMs)
            else if (leftMs > 0) look(leftMs)
            else this.#closeIdle(connection)
          },
          { unref: true },
        ),
      )
    look(settings.idleCloseMs)
  }

  #closeIdle(connection: PooledConnection): void {
    if (this.#connections.get(connection.nodeId) === connection) this.#connections.delete(connection.nodeId)
    connection.close()
  }

  #failed(node: FleetNode, evidence: ConnectEvidence, identity?: NodeIdentity): AppError {
    const clockSkewMs =
      this.#skewMs.get(node.id) ?? (node.reachability.status === 'reachable' ? node.reachability.clockSkewMs : null)
    return diagnosedError(node, diagnoseConnection(node, { ...evidence, ...presentedBy(identity), clockSkewMs }))
  }
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof AppError && (thrown.code === 'TIMED_OUT' || thrown.code === 'CONNECTION_TIMED_OUT')
}

function shellRefusal(result: RemoteCommandResult, nowMs: number): ConnectEvidence {
  const said = Buffer.concat([result.stdout, result.stderr]).toString('utf8').trim()
  return { stage: 'channel', nowMs, message: `the shell ended with exit code ${result.exitCode}: ${said}` }
}

/** Everything that makes an open connection the right one for this node; any change means: open another. */
function connectionKey(node: FleetNode, identity: NodeIdentity): string {
  const pins = node.hostKeys.map((pin) => pin.fingerprint).sort()
  const { certificateSerial, staticKey } = loginMeans(identity)
  return [node.id, node.address, node.port, node.user, certificateSerial ?? staticKey, ...pins].join(' ')
}

/** What a login was made with. */
export const loginMeans = (identity: NodeIdentity): Pick<LoginProof, 'certificateSerial' | 'staticKey'> =>
  identity.kind === 'certificate'
    ? { certificateSerial: identity.certificate.serial, staticKey: null }
    : { certificateSerial: null, staticKey: identity.fingerprint }

function abortable<T>(promise: Promise<T>, signal: AbortSignal, reason: () => AppError): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reason())
    const done = (): void => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(done)
    if (signal.aborted) onAbort()
  })
}
