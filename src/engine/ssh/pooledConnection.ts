import type { Timer } from '../../platform/clock.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { NodeIdentity } from '../ports.ts'
import type { SshConnection } from './connection.ts'
import { FifoGate } from './fifoGate.ts'

interface PooledConnectionFacts {
  readonly nodeId: NodeId
  /** See `connectionKey`. */
  readonly key: string
  readonly identity: NodeIdentity
  readonly ssh: SshConnection
  readonly maxChannels: number
}

/** Something that keeps a slot of its connection between its uses, and gives it back when others need it. */
export interface HeldSlot {
  readonly idle: boolean
  close(): void
}

/** An open connection with its queue for channels and its idle timer. */
export class PooledConnection {
  readonly nodeId: NodeId
  readonly key: string
  /** What it was opened with. */
  readonly identity: NodeIdentity
  readonly ssh: SshConnection
  readonly gate: FifoGate
  /** True once the server has opened a channel on it. */
  servedChannel = false
  /** Monotonic. */
  usedAtMs = 0
  /** Null: nobody keeps one. */
  held: HeldSlot | null = null
  #idleTimer: Timer | undefined

  constructor(facts: PooledConnectionFacts) {
    this.nodeId = facts.nodeId
    this.key = facts.key
    this.identity = facts.identity
    this.ssh = facts.ssh
    this.gate = new FifoGate(facts.maxChannels)
  }

  /** Nothing is at work on it. */
  get idle(): boolean {
    if (this.held === null) return this.gate.idle
    return this.held.idle && this.gate.inside <= 1 && !this.gate.awaited
  }

  /** Takes the slot that is kept for later from whoever keeps it, when all others are taken. */
  makeRoom(): void {
    if (this.gate.full && this.held?.idle === true) this.held.close()
  }

  setIdleTimer(timer: Timer): void {
    this.#idleTimer = timer
  }

  stopIdleTimer(): void {
    this.#idleTimer?.cancel()
  }

  /** Says goodbye first. */
  close(): void {
    this.stopIdleTimer()
    this.ssh.close()
  }

  destroy(): void {
    this.stopIdleTimer()
    this.ssh.destroy()
  }

  /** @returns when the socket is gone */
  closeAndWait(): Promise<void> {
    return new Promise((resolve) => {
      this.ssh.onClosed(resolve)
      this.destroy()
    })
  }
}
