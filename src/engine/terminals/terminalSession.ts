import type { Clock } from '../../platform/clock.ts'
import { endProcessGroup } from '../../platform/processGroup.ts'
import type { NodeId, TerminalId } from '../../shared/model/ids.ts'
import type { Terminal, TerminalSize } from '../../shared/model/terminal.ts'
import { Attachment } from './attachment.ts'
import type { TerminalDuplex } from './duplex.ts'
import { type PtyProcess, startPty, type TerminalCommand } from './ptyProcess.ts'
import { ReplayBuffer } from './replayBuffer.ts'

const replayBytes = 256 * 1024
const gatherMs = 4
const largestBatchBytes = 32 * 1024
const endGraceMs = 1_000
const endPollMs = 50
const endDeadlineMs = 5_000

export interface SessionIdentity {
  readonly id: TerminalId
  readonly nodeId: NodeId
  readonly nodeName: string
  readonly openedAt: number
}

interface SessionOptions {
  readonly command: TerminalCommand
  readonly size: TerminalSize
  readonly clock: Clock
  readonly onExit: (exitCode: number) => void
}

/**
 * One program on a pseudo-terminal and the windows that watch it. The slowest window governs the flow; a window that
 * has gone does not. With nobody watching the output runs into the bounded replay buffer.
 */
export class TerminalSession {
  readonly #identity: SessionIdentity
  readonly #options: SessionOptions
  readonly #replay = new ReplayBuffer(replayBytes)
  readonly #attachments = new Set<Attachment>()
  readonly #pty: PtyProcess
  readonly #ended: Promise<void>
  #batch: Uint8Array[] = []
  #batchBytes = 0
  #flushScheduled: { cancel(): void } | null = null
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #exitCode: number | null = null
  #pauses = 0

  constructor(identity: SessionIdentity, options: SessionOptions) {
    this.#identity = identity
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    this.#pty = startPty(options.command, options.size, {
      clock: options.clock,
      onOutput: (bytes) => this.#collect(bytes),
      onExit: (exitCode) => {
        this.#finish(exitCode)
        resolve()
      },
    })
  }

  get pid(): number {
    return this.#pty.pid
  }

  describe(): Terminal {
    const exitCode = this.#exitCode
    return { ...this.#identity, status: exitCode === null ? 'open' : 'exited', exitCode }
  }

  /** For tests and diagnostics: what flow control holds and has done. */
  flow(): {
    readonly windows: number
    readonly unacknowledgedBytes: number
    readonly replayBytes: number
    readonly paused: boolean
    readonly pauses: number
  } {
    const unacknowledged = [...this.#attachments].map((attachment) => attachment.unacknowledgedBytes)
    return {
      windows: this.#attachments.size,
      unacknowledgedBytes: Math.max(0, ...unacknowledged),
      replayBytes: this.#replay.sizeBytes,
      paused: this.#pty.paused,
      pauses: this.#pauses,
    }
  }

  attach(duplex: TerminalDuplex): void {
    this.#flush()
    const attachment: Attachment = new Attachment(duplex, {
      clock: this.#options.clock,
      handlers: {
        onInput: (bytes) => this.#ifOpen(() => this.#pty.write(bytes)),
        onResize: (size) => this.#ifOpen(() => this.#pty.resize(size)),
        onFlowChanged: () => this.#regulate(),
        onDetached: () => {
          this.#attachments.delete(attachment)
          this.#regulate()
        },
      },
    })
    this.#attachments.add(attachment)
    attachment.sendOutput(this.#replay.snapshot())
    if (this.#exitCode !== null) attachment.sendExit(this.#exitCode)
  }

  /** Ends the program with its whole group and lets all windows go. @returns whether no process of it is left. */
  async end(): Promise<boolean> {
    for (const attachment of [...this.#attachments]) attachment.close()
    const deadlineMs = this.#options.clock.monotonicMs() + endDeadlineMs
    while (this.#exitCode === null) {
      if (!(await endProcessGroup(this.#pty.pid, endGraceMs))) return false
      // A child that was forked this instant leads no group yet and was missed: its exit decides, not the signal.
      if (!(await this.#endsWithin(endPollMs)) && this.#options.clock.monotonicMs() > deadlineMs) return false
    }
    return true
  }

  #endsWithin(waitMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = this.#options.clock.setTimer(waitMs, () => resolve(false))
    void this.#ended.then(() => {
      timer.cancel()
      resolve(true)
    })
    return promise
  }

  #ifOpen(act: () => void): void {
    if (this.#exitCode === null) act()
  }

  /** An echo goes out with this tick; a flood is gathered, because each frame costs the window as much as its bytes. */
  #collect(bytes: Uint8Array): void {
    this.#batch.push(bytes)
    this.#batchBytes += bytes.length
    if (this.#batchBytes >= largestBatchBytes) this.#flush()
    else if (this.#flushScheduled === null) this.#scheduleFlush()
  }

  #scheduleFlush(): void {
    const waitMs = this.#flushedAtMs + gatherMs - this.#options.clock.monotonicMs()
    this.#flushScheduled =
      waitMs > 0 ? this.#options.clock.setTimer(waitMs, () => this.#flush()) : onNextTick(() => this.#flush())
  }

  #flush(): void {
    this.#flushScheduled?.cancel()
    this.#flushScheduled = null
    if (this.#batch.length === 0) return
    const bytes = this.#batch.length === 1 ? (this.#batch[0] as Uint8Array) : Buffer.concat(this.#batch)
    this.#batch = []
    this.#batchBytes = 0
    this.#flushedAtMs = this.#options.clock.monotonicMs()
    this.#replay.append(bytes)
    for (const attachment of [...this.#attachments]) attachment.sendOutput(bytes)
  }

  #regulate(): void {
    if (this.#exitCode !== null) return
    const wait = [...this.#attachments].some((attachment) => attachment.behind)
    if (wait && !this.#pty.paused) {
      this.#pauses += 1
      this.#pty.pause()
    } else if (!wait && this.#pty.paused) this.#pty.resume()
  }

  #finish(exitCode: number): void {
    this.#flush()
    this.#exitCode = exitCode
    for (const attachment of [...this.#attachments]) attachment.sendExit(exitCode)
    this.#options.onExit(exitCode)
  }
}

function onNextTick(act: () => void): { cancel(): void } {
  const handle = setImmediate(act)
  return { cancel: () => clearImmediate(handle) }
}
