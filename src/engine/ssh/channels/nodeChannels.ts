import { BrokenReply, ReplyReader, type WireReply } from '../../../core/channel/answers.ts'
import type { Clock } from '../../../platform/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { LoginProof, NodeChannels, NodeExchange, NodeOrder, RemoteCommandResult } from '../../ports.ts'
import { clockSkewOf } from '../clockSkew.ts'
import { ChannelRefused, runCommand } from '../command.ts'
import { timeoutReason } from '../connection.ts'
import { type ConnectionSource, loginMeans } from '../pool.ts'
import type { PooledConnection } from '../pooledConnection.ts'
import { bootCommand, shellBoot, workerBoot } from './bootstrap.ts'
import { NodeShell, NoReply, NoWorker } from './nodeShell.ts'
import { type PreparedExchange, prepareExchange } from './wire.ts'

interface NodeChannelsDependencies {
  readonly sshPool: ConnectionSource
  readonly clock: Clock
}

type ExchangeOptions = Parameters<NodeChannels['exchange']>[2]

/** A file comes back whole, and scripts print. */
const mostOutputBytes = 40 * 1024 * 1024

/** Small payloads to nodes and proof back. See {@link NodeChannels} for what callers may rely on. */
export function createNodeChannels(dependencies: NodeChannelsDependencies): NodeChannels {
  return new OpenShells(dependencies)
}

class OpenShells implements NodeChannels {
  readonly #sshPool: ConnectionSource
  readonly #clock: Clock
  /** The shell of each connection, or that it is being opened; null: this connection has none for us. */
  readonly #shells = new WeakMap<PooledConnection, Promise<NodeShell> | null>()
  readonly #open = new Set<NodeShell>()
  #closed = false

  constructor({ sshPool, clock }: NodeChannelsDependencies) {
    this.#sshPool = sshPool
    this.#clock = clock
  }

  async exchange(node: FleetNode, orders: readonly NodeOrder[], options: ExchangeOptions): Promise<NodeExchange> {
    const untilMs = this.#clock.monotonicMs() + options.timeoutMs
    try {
      return await this.#sshPool.onConnection(node, options, (connection, call) =>
        this.#byShell(node, orders, { connection, ...call, askClock: options.askClock === true }),
      )
    } catch (thrown) {
      if (!(thrown instanceof NoWorker || thrown instanceof ChannelRefused)) throw thrown
      const timeoutMs = Math.max(1, untilMs - this.#clock.monotonicMs())
      return this.#byExec(node, orders, { ...options, timeoutMs, again: thrown instanceof NoWorker && thrown.asked })
    }
  }

  openChannels(): number {
    return this.#open.size
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const shell of this.#open) shell.close()
    this.#open.clear()
  }

  async #byShell(
    node: FleetNode,
    orders: readonly NodeOrder[],
    call: {
      readonly connection: PooledConnection
      readonly signal: AbortSignal
      readonly attempt: number
      readonly askClock: boolean
    },
  ): Promise<NodeExchange> {
    const { connection, signal } = call
    if (this.#closed) throw new AppError('CANCELED', 'the channels to the nodes were closed')
    const shell = await this.#shellOn(connection, signal).catch((thrown: unknown) => {
      throw this.#explained(node, thrown, { signal, orders })
    })
    const fresh = !shell.served
    const prepared = prepareExchange(orders, { askClock: fresh || call.askClock, again: call.attempt > 0 })
    const sentAt = this.#clock.nowMs()
    try {
      const reply = await shell.ask(prepared, signal)
      const login = this.#proof(node, connection, { reply, sentAt })
      const bytes = prepared.sizeBytes + reply.sizeBytes + (fresh ? workerBoot.length : 0)
      return { answers: prepared.answers(reply), login, via: 'channel', bytes }
    } catch (thrown) {
      if (thrown instanceof NoWorker) this.#shells.set(connection, null)
      throw this.#explained(node, thrown, { signal, orders })
    }
  }

  /** @throws NoWorker when this connection has none, and what {@link NodeShell.open} throws */
  async #shellOn(connection: PooledConnection, signal: AbortSignal): Promise<NodeShell> {
    const known = this.#shells.get(connection)
    if (known === null) throw new NoWorker(false)
    const shell = known === undefined ? null : await known.catch(() => null)
    if (shell !== null && !shell.closed) return shell
    const meanwhile = this.#shells.get(connection)
    if (meanwhile !== known && meanwhile !== undefined && meanwhile !== null) return meanwhile
    const opening = this.#openShell(connection, signal)
    this.#shells.set(connection, opening)
    return opening
  }

  async #openShell(connection: PooledConnection, signal: AbortSignal): Promise<NodeShell> {
    const shell = await NodeShell.open(connection, signal)
    this.#open.add(shell)
    shell.onClosed(() => void this.#open.delete(shell))
    return shell
  }

  async #byExec(
    node: FleetNode,
    orders: readonly NodeOrder[],
    options: ExchangeOptions & { readonly again: boolean },
  ): Promise<NodeExchange> {
    const prepared = prepareExchange(orders, { askClock: true, again: options.again })
    const stdin = Buffer.concat([shellBoot, ...prepared.pieces])
    return this.#sshPool.onSlot(node, options, async (connection, signal) => {
      const sentAt = this.#clock.nowMs()
      const command = { stdin, signal, maxOutputBytes: mostOutputBytes }
      const result = await runCommand(connection.ssh, bootCommand, command)
      const reply = this.#replyFrom(node, prepared, result)
      const login = this.#proof(node, connection, { reply, sentAt })
      const bytes = stdin.length + result.stdout.length + result.stderr.length
      return { answers: readAnswers(prepared, reply), login, via: 'exec', bytes }
    })
  }

  #replyFrom(node: FleetNode, prepared: PreparedExchange, result: RemoteCommandResult): WireReply {
    const reader = new ReplyReader(prepared.nonce, prepared.sent)
    const reply = readReply(() => reader.push(result.stdout))
    if (reply !== null) return reply
    const said = `${reader.noise}\n${Buffer.from(result.stderr).toString('utf8')}`.trim()
    const message = `the shell ended with exit code ${result.exitCode}: ${said}`
    throw this.#sshPool.failure(node, { stage: 'channel', message })
  }

  #proof(
    node: FleetNode,
    connection: PooledConnection,
    { reply, sentAt }: { readonly reply: WireReply; readonly sentAt: number },
  ): LoginProof {
    const at = this.#clock.nowMs()
    const { clockSeconds } = reply
    const clockSkewMs = clockSeconds === null ? null : clockSkewOf(clockSeconds, { sentAt, receivedAt: at })
    if (clockSkewMs !== null) this.#sshPool.noteClock(node.id, clockSkewMs)
    return { nodeId: node.id, ...loginMeans(connection.identity), at, clockSkewMs }
  }

  /** What callers may see of what went wrong in a shell; what the pool or `exchange` looks at stays as it is. */
  #explained(
    node: FleetNode,
    thrown: unknown,
    { signal, orders }: { readonly signal: AbortSignal; readonly orders: readonly NodeOrder[] },
  ): unknown {
    if (thrown instanceof BrokenReply) return unusable(thrown)
    if (!(thrown instanceof NoReply)) return thrown
    if (signal.reason !== timeoutReason) return new AppError('CANCELED', 'The exchange with the node was canceled.')
    const scripts = orders.some((order) => order.kind === 'run')
    if (thrown.begun && scripts)
      return new AppError('TIMED_OUT', `A script on ${node.name} took too long and was stopped.`)
    const message = `the shell was started and did not answer in time${thrown.noise === '' ? '' : `; it printed: ${thrown.noise}`}`
    return this.#sshPool.failure(node, { stage: 'channel', timedOut: true, message })
  }
}

const unusable = (broken: BrokenReply): AppError =>
  new AppError('REMOTE_COMMAND_FAILED', `What the node answered cannot be used: ${broken.message}. Try again.`)

function readReply<T>(read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw thrown instanceof BrokenReply ? unusable(thrown) : thrown
  }
}

const readAnswers = (prepared: PreparedExchange, reply: WireReply): NodeExchange['answers'] =>
  readReply(() => prepared.answers(reply))
