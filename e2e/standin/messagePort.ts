import { EventEmitter } from 'node:events'

/** Where the messages for a port that left this process go. */
export interface RemoteEnd {
  deliver(data: unknown): void
  disconnect(): void
}

/**
 * One end of a channel. After `handOver` it is a relay: what its peer posts goes to the remote end, and what the
 * remote end says is injected with `fromRemote`. Ports inside messages are not supported: the app sends none.
 */
export class MessagePortMain extends EventEmitter {
  peer: MessagePortMain | null = null
  #queue: unknown[] = []
  #started = false
  #closed = false
  #remote: RemoteEnd | null = null

  postMessage(message: unknown, transfer: readonly unknown[] = []): void {
    if (transfer.length > 0) throw new Error('stand-in: a port cannot be transferred over another port')
    const copy = structuredClone(message)
    queueMicrotask(() => this.peer?.receive(copy))
  }

  start(): void {
    this.#started = true
    for (const data of this.#queue.splice(0)) this.emit('message', { data, ports: [] })
  }

  close(): void {
    this.#shut()
    this.peer?.remoteClosed()
  }

  /** A message from the peer. */
  receive(data: unknown): void {
    if (this.#closed) return
    if (this.#remote !== null) this.#remote.deliver(data)
    else if (this.#started) this.emit('message', { data, ports: [] })
    else this.#queue.push(data)
  }

  /** The peer has closed: tell whoever holds this end. */
  remoteClosed(): void {
    if (this.#closed) return
    this.#shut()
    this.#remote?.disconnect()
  }

  handOver(remote: RemoteEnd): void {
    if (this.#closed || this.#remote !== null) throw new Error('stand-in: this port was closed or handed over before')
    this.#remote = remote
    for (const data of this.#queue.splice(0)) remote.deliver(data)
  }

  /** What the holder of a handed-over port posts. */
  fromRemote(data: unknown): void {
    this.peer?.receive(data)
  }

  #shut(): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => this.emit('close'))
  }
}

export class MessageChannelMain {
  readonly port1 = new MessagePortMain()
  readonly port2 = new MessagePortMain()

  constructor() {
    this.port1.peer = this.port2
    this.port2.peer = this.port1
  }
}
