import type { Clock, Timer } from '../../platform/clock.ts'
import { TerminalSize, terminalWindow } from '../../shared/model/terminal.ts'
import { decodeTerminalFrame, encodeTerminalFrame, type TerminalFrame } from '../../shared/terminalFrames.ts'
import type { TerminalDuplex } from './duplex.ts'

/** A window that holds the output back and acknowledges nothing for this long is let go; it may attach again. */
export const stalledAfterMs = 60_000

/** The most input one frame may carry; a window sends a larger paste in pieces. */
export const maxInputBytes = 64 * 1024

export interface AttachmentHandlers {
  readonly onInput: (bytes: Uint8Array) => void
  readonly onResize: (size: TerminalSize) => void
  /** The window has caught up or fallen behind: flow control is to be decided anew. */
  readonly onFlowChanged: () => void
  readonly onDetached: () => void
}

/**
 * One window that watches a terminal, with its account of unacknowledged bytes. A frame that is malformed, that only
 * the engine may send or that acknowledges more than was sent closes the channel.
 */
export class Attachment {
  readonly #duplex: TerminalDuplex
  readonly #handlers: AttachmentHandlers
  readonly #clock: Clock
  #unacknowledgedBytes = 0
  #behind = false
  #stalled: Timer | null = null
  #open = true

  constructor(duplex: TerminalDuplex, options: { readonly clock: Clock; readonly handlers: AttachmentHandlers }) {
    this.#duplex = duplex
    this.#clock = options.clock
    this.#handlers = options.handlers
    duplex.onClose(() => this.#detach())
    duplex.onMessage((bytes) => this.#receive(bytes))
  }

  /** True from above the high mark until below the low one: the pty has to wait for this window. */
  get behind(): boolean {
    return this.#behind
  }

  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes
  }

  sendOutput(bytes: Uint8Array): void {
    if (!this.#open || bytes.length === 0) return
    this.#unacknowledgedBytes += bytes.length
    this.#updateFlow()
    this.#send({ kind: 'data', bytes })
  }

  sendExit(exitCode: number): void {
    if (this.#open) this.#send({ kind: 'exit', exitCode })
  }

  close(): void {
    if (!this.#open) return
    this.#detach()
    this.#duplex.close()
  }

  #send(frame: TerminalFrame): void {
    try {
      this.#duplex.send(encodeTerminalFrame(frame))
    } catch {
      this.close()
    }
  }

  #receive(bytes: Uint8Array): void {
    if (!this.#open) return
    const frame = decodeTerminalFrame(bytes)
    if (frame === null || !this.#handle(frame)) this.close()
  }

  #handle(frame: TerminalFrame): boolean {
    if (frame.kind === 'acknowledge') return this.#acknowledge(frame.sizeBytes)
    if (frame.kind === 'data') {
      if (frame.bytes.length > maxInputBytes) return false
      this.#handlers.onInput(frame.bytes)
      return true
    }
    if (frame.kind === 'resize') {
      const size = TerminalSize.safeParse({ columns: frame.columns, rows: frame.rows })
      if (size.success) this.#handlers.onResize(size.data)
      return size.success
    }
    return false
  }

  #acknowledge(sizeBytes: number): boolean {
    if (sizeBytes > this.#unacknowledgedBytes) return false
    this.#unacknowledgedBytes -= sizeBytes
    this.#stalled?.cancel()
    this.#stalled = null
    this.#updateFlow()
    return true
  }

  #updateFlow(): void {
    const was = this.#behind
    if (this.#unacknowledgedBytes > terminalWindow.highBytes) this.#behind = true
    else if (this.#unacknowledgedBytes < terminalWindow.lowBytes) this.#behind = false
    if (this.#behind && this.#stalled === null) {
      this.#stalled = this.#clock.setTimer(stalledAfterMs, () => this.close(), { unref: true })
    }
    if (was !== this.#behind) this.#handlers.onFlowChanged()
  }

  #detach(): void {
    if (!this.#open) return
    this.#open = false
    this.#behind = false
    this.#stalled?.cancel()
    this.#handlers.onDetached()
  }
}
