import type { ErrorBody } from '../../../shared/errors.ts'
import type { TerminalId } from '../../../shared/model/ids.ts'
import type { Terminal, TerminalSize } from '../../../shared/model/terminal.ts'
import { decodeTerminalFrame, encodeTerminalFrame } from '../../../shared/terminalFrames.ts'
import { toErrorBody } from '../../api/errors.ts'
import type { EngineLink, TerminalDuplex } from '../../api/link.ts'
import { createSubscribable, type Subscribable } from '../../api/subscribable.ts'

/** What the tab says about the session. */
export type SessionState =
  | { readonly status: 'opening' }
  | { readonly status: 'open' }
  /** The window lost its channel; the program may still run. */
  | { readonly status: 'reattaching' }
  | { readonly status: 'exited'; readonly exitCode: number }
  /** It could not be opened, or the engine that held it is gone. */
  | { readonly status: 'ended'; readonly error: ErrorBody }

/** The part of a screen that a session writes to. */
export interface SessionScreen {
  readonly size: TerminalSize
  write(bytes: Uint8Array, consumed: () => void): void
  note(text: string): void
  reset(): void
  leaveProgram(): void
}

/** A frame may carry 64 KiB; pastes are sent in smaller pieces. */
const inputPieceBytes = 16 * 1024
/** Typed before the channel is there; more is dropped as a whole, never a part of a line. */
const typedAheadLimitBytes = 16 * 1024
const encoder = new TextEncoder()
/** What a terminal answers by itself when a program asks what it is or where its cursor stands. */
const terminalReply = /^\u001b(?:\[[?>=]?[\d;]*\$?[cnRtuxy]$|[\]P])/

type SessionLink = Pick<EngineLink, 'client' | 'openTerminal' | 'status'>

/**
 * The life of one pane: opens a terminal on a node or attaches to one that runs, acknowledges what the screen has
 * consumed, attaches again when the channel breaks, and starts anew in place when the person presses Enter.
 */
export class TerminalSession {
  readonly #link: SessionLink
  readonly #node: string
  readonly #nodeName: string
  readonly #screen: SessionScreen
  readonly #state = createSubscribable<SessionState>({ status: 'opening' })
  #terminalId: TerminalId | null = null
  #duplex: TerminalDuplex | null = null
  #typedAhead = ''
  /** The output of the past is shown: questions in it were answered then. */
  #replaying = false
  #disposed = false

  constructor(
    link: SessionLink,
    target: { readonly node: string; readonly nodeName: string; readonly terminalId: TerminalId | null },
    screen: SessionScreen,
  ) {
    this.#link = link
    this.#node = target.node
    this.#nodeName = target.nodeName
    this.#terminalId = target.terminalId
    this.#screen = screen
  }

  get state(): Subscribable<SessionState> {
    return this.#state
  }

  get terminalId(): TerminalId | null {
    return this.#terminalId
  }

  /** Opens a new terminal, or attaches when one was given. Never rejects: what went wrong is the state. */
  async start(): Promise<void> {
    try {
      if (this.#terminalId === null) await this.#open()
      else await this.#attach(this.#terminalId, { replaying: true })
    } catch (error) {
      this.#end(error)
    }
  }

  /** What the person typed or pasted. After the end, Enter connects again and keeps the scrollback. */
  input(text: string): void {
    const { status } = this.#state.get()
    if (status === 'exited' || status === 'ended') {
      if (text === '\r') void this.reconnect()
      return
    }
    if (this.#replaying && terminalReply.test(text)) return
    if (this.#duplex === null) this.#typedAhead += text
    else this.#send(this.#duplex, text)
  }

  #send(duplex: TerminalDuplex, text: string): void {
    const bytes = encoder.encode(text)
    for (let at = 0; at < bytes.length; at += inputPieceBytes) {
      duplex.send(encodeTerminalFrame({ kind: 'data', bytes: bytes.subarray(at, at + inputPieceBytes) }))
    }
  }

  resize(size: TerminalSize): void {
    this.#duplex?.send(encodeTerminalFrame({ kind: 'resize', ...size }))
  }

  async reconnect(): Promise<void> {
    const before = this.#terminalId
    this.#state.set({ status: 'opening' })
    this.#terminalId = null
    this.#duplex = null
    this.#screen.leaveProgram()
    this.#screen.note(`Connecting to ${this.#nodeName} again …`)
    if (before !== null) void this.#link.client.terminals.close({ terminalId: before }).catch(() => {})
    await this.start()
  }

  /** Ends the program too. */
  close(): void {
    this.dispose()
    if (this.#terminalId !== null)
      void this.#link.client.terminals.close({ terminalId: this.#terminalId }).catch(() => {})
  }

  /** Lets go of the channel only; the program runs on. */
  dispose(): void {
    this.#disposed = true
    this.#duplex?.close()
  }

  async #open(): Promise<void> {
    this.#state.set({ status: 'opening' })
    const terminal = await this.#link.client.terminals.open({ node: this.#node, size: this.#screen.size })
    this.#terminalId = terminal.id
    if (this.#disposed) return this.close()
    await this.#attach(terminal.id, { replaying: false })
  }

  async #attach(terminalId: TerminalId, options: { readonly replaying: boolean }): Promise<void> {
    const duplex = await this.#link.openTerminal(terminalId)
    if (this.#disposed) return duplex.close()
    this.#duplex = duplex
    this.#replaying = options.replaying
    this.#state.set({ status: 'open' })
    duplex.onFrame((frame) => this.#receive(duplex, frame))
    duplex.onClose(() => void this.#lost(duplex))
    this.resize(this.#screen.size)
    this.#sendTypedAhead(duplex)
  }

  /** A command whose beginning was lost is worse than none. */
  #sendTypedAhead(duplex: TerminalDuplex): void {
    const text = this.#typedAhead
    this.#typedAhead = ''
    if (text !== '' && text.length <= typedAheadLimitBytes) this.#send(duplex, text)
  }

  #receive(duplex: TerminalDuplex, bytes: Uint8Array): void {
    if (duplex !== this.#duplex) return
    const frame = decodeTerminalFrame(bytes)
    if (frame === null) duplex.close()
    else if (frame.kind === 'exit') this.#exited(frame.exitCode)
    else if (frame.kind === 'data') this.#show(duplex, frame.bytes)
  }

  #show(duplex: TerminalDuplex, bytes: Uint8Array): void {
    const sizeBytes = bytes.length
    this.#screen.write(bytes, () => {
      this.#replaying = false
      duplex.send(encodeTerminalFrame({ kind: 'acknowledge', sizeBytes }))
    })
  }

  #exited(exitCode: number): void {
    this.#state.set({ status: 'exited', exitCode })
    this.#screen.leaveProgram()
    this.#screen.note(`The session has ended (exit code ${exitCode}). Enter: connect again.`)
  }

  async #lost(duplex: TerminalDuplex): Promise<void> {
    if (this.#disposed || duplex !== this.#duplex) return
    this.#duplex = null
    const { status } = this.#state.get()
    if (status !== 'open') return
    this.#state.set({ status: 'reattaching' })
    try {
      await this.#reattach()
    } catch (error) {
      this.#end(error)
    }
  }

  /** The listing waits for the next connection by itself. Gone from it means that the engine was restarted. */
  async #reattach(): Promise<void> {
    const running = await this.#link.client.terminals.list()
    const known: Terminal | undefined = running.find((terminal) => terminal.id === this.#terminalId)
    if (this.#disposed) return
    if (known === undefined)
      return this.#end({
        code: 'CONNECTION_LOST',
        message: 'The engine was restarted, and this session ended with it.',
      })
    this.#screen.reset()
    await this.#attach(known.id, { replaying: true })
  }

  #end(reason: unknown): void {
    if (this.#disposed) return
    const error = isErrorBody(reason) ? reason : toErrorBody(reason)
    this.#terminalId = null
    this.#typedAhead = ''
    this.#state.set({ status: 'ended', error })
    this.#screen.leaveProgram()
    this.#screen.note(`${error.message} Enter: try again.`)
  }
}

const isErrorBody = (value: unknown): value is ErrorBody =>
  typeof value === 'object' && value !== null && !(value instanceof Error) && 'code' in value && 'message' in value
