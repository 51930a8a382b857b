import type { ClientChannel } from 'ssh2'
import { BrokenReply, ReplyReader, type WireReply } from '../../../core/channel/answers.ts'
import { ChannelRefused, CommandCut } from '../command.ts'
import type { SshConnection } from '../connection.ts'
import { FifoGate } from '../fifoGate.ts'
import type { HeldSlot, PooledConnection } from '../pooledConnection.ts'
import { bootCommand, workerBoot } from './bootstrap.ts'
import type { PreparedExchange } from './wire.ts'

/** The shell ended, or said something else, before it ever answered: this node has none for us. */
export class NoWorker extends Error {
  /** Whether it may have got orders of ours before. */
  readonly asked: boolean

  constructor(asked: boolean, said = '') {
    super(said)
    this.name = 'NoWorker'
    this.asked = asked
  }
}

/** No whole answer until the signal aborted. */
export class NoReply extends Error {
  /** What the worker said of the request before. */
  readonly begun: boolean
  /** What was printed in the place of an answer. */
  readonly noise: string

  constructor({ begun, noise }: ReplyReader) {
    super('no answer')
    this.name = 'NoReply'
    this.begun = begun
    this.noise = noise
  }
}

interface Current {
  readonly reader: ReplyReader
  readonly resolve: (reply: WireReply) => void
  readonly reject: (error: Error) => void
}

const mostStrayBytes = 1024 * 1024
const longestComplaint = 2000

/**
 * One long-lived shell with a worker in it, on one of the slots of its connection. Takes one exchange at a time; who comes
 * meanwhile waits. After anything unexpected it is closed, as nobody can tell any more whose answer comes next.
 */
export class NodeShell implements HeldSlot {
  readonly #connection: PooledConnection
  readonly #channel: ClientChannel
  readonly #leaveSlot: () => void
  readonly #turn = new FifoGate(1)
  readonly #listeners: (() => void)[] = []
  #current: Current | null = null
  #started = false
  #answered = false
  #closed = false
  #strayBytes = 0
  #complaint = ''

  private constructor(connection: PooledConnection, channel: ClientChannel, leaveSlot: () => void) {
    this.#connection = connection
    this.#channel = channel
    this.#leaveSlot = leaveSlot
    channel.on('data', (chunk: Buffer) => this.#receive(chunk))
    channel.stderr.on('data', (chunk: Buffer) => {
      if (this.#complaint.length < longestComplaint) this.#complaint += chunk.toString('utf8')
    })
    channel.on('error', () => undefined)
    channel.once('close', () => this.#end())
    connection.ssh.onClosed(() => this.#end())
    connection.held = this
  }

  /** @throws ChannelRefused, CommandCut, or the reason of the abort */
  static async open(connection: PooledConnection, signal: AbortSignal): Promise<NodeShell> {
    const leaveSlot = await connection.gate.enter(signal)
    try {
      const channel = await openChannel(connection.ssh, signal)
      return new NodeShell(connection, channel, leaveSlot)
    } catch (thrown) {
      leaveSlot()
      throw thrown
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether it has answered. */
  get served(): boolean {
    return this.#answered
  }

  onClosed(listener: () => void): void {
    if (this.#closed) listener()
    else this.#listeners.push(listener)
  }

  get idle(): boolean {
    return this.#turn.idle
  }

  close(): void {
    this.#channel.close()
    this.#end()
  }

  /** @throws NoWorker, NoReply, CommandCut, BrokenReply; AppError when the wait for our turn is given up */
  async ask(exchange: PreparedExchange, signal: AbortSignal): Promise<WireReply> {
    const leaveTurn = await this.#turn.enter(signal)
    try {
      if (this.#closed) throw new CommandCut(true)
      return await this.#exchange(exchange, signal)
    } finally {
      leaveTurn()
      // Somebody may need a slot more than we need to be quick next time.
      if (this.idle && this.#connection.gate.awaited) this.close()
    }
  }

  #exchange(exchange: PreparedExchange, signal: AbortSignal): Promise<WireReply> {
    const reader = new ReplyReader(exchange.nonce, exchange.sent)
    return new Promise<WireReply>((resolve, reject) => {
      const onAbort = (): void => this.#fail(new NoReply(reader))
      const settle = (): void => {
        signal.removeEventListener('abort', onAbort)
        this.#current = null
      }
      this.#current = {
        reader,
        resolve: (reply) => {
          settle()
          this.#answered = true
          resolve(reply)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      else this.#send(exchange.pieces)
    })
  }

  #send(pieces: readonly Uint8Array[]): void {
    const all = this.#started ? pieces : [workerBoot, ...pieces]
    this.#started = true
    // One packet where it fits: each costs both sides an encryption and a wake-up.
    const [only] = all
    this.#channel.write(all.length === 1 ? only : Buffer.concat(all))
  }

  #receive(chunk: Buffer): void {
    if (this.#current === null) {
      // Nobody asked: a background process of a script, or a profile.
      this.#strayBytes += chunk.length
      if (this.#strayBytes > mostStrayBytes) this.close()
      return
    }
    try {
      const reply = this.#current.reader.push(chunk)
      if (reply !== null) this.#current.resolve(reply)
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new BrokenReply(String(thrown)))
    }
  }

  /** Also stops what runs there: by the signal, or because the worker notices that nobody listens any more. */
  #fail(error: Error): void {
    this.#current?.reject(error)
    if (this.#closed) return
    this.#channel.signal('TERM')
    this.close()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#connection.held === this) this.#connection.held = null
    this.#leaveSlot()
    for (const listener of this.#listeners) listener()
    const current = this.#current
    if (current === null) return
    const lost = this.#answered || current.reader.begun || this.#connection.ssh.closed
    current.reject(
      lost ? new CommandCut(false) : new NoWorker(true, `${current.reader.noise}\n${this.#complaint}`.trim()),
    )
  }
}

function openChannel(ssh: SshConnection, signal: AbortSignal): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    if (ssh.closed) return reject(new CommandCut(true))
    let settled = false
    const settle = (finish: () => void): void => {
      settled = true
      signal.removeEventListener('abort', onAbort)
      unsubscribe()
      finish()
    }
    const onAbort = (): void => settle(() => reject(new NoReply(new ReplyReader('', 0))))
    const unsubscribe = ssh.onClosed(() => settle(() => reject(new CommandCut(true))))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) return onAbort()
    try {
      ssh.client.exec(bootCommand, (error, channel) => {
        if (settled) return void channel?.close()
        settle(() => (error === undefined ? resolve(channel) : reject(refusal(error, ssh))))
      })
    } catch {
      // As in `runCommand`: nobody may be given this connection again.
      settle(() => reject(new CommandCut(true)))
      ssh.destroy()
    }
  })
}

function refusal(error: Error, ssh: SshConnection): Error {
  if (ssh.closed || /no response|not connected/i.test(error.message)) return new CommandCut(true)
  return new ChannelRefused(/unable to exec/i.test(error.message) ? 'command' : 'channel', error.message)
}
