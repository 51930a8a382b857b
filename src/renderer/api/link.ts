import type { EngineClient } from '../../shared/contract/index.ts'
import type { ControlPlane } from '../../shared/controlPlane.ts'
import type { EngineStateReport, ShellCommand } from '../../shared/desktopBridge.ts'
import type { TerminalId } from '../../shared/model/ids.ts'
import type { Subscribable } from './subscribable.ts'

/**
 * How well the page is connected. A link itself says the first, second, third and last; `out-of-sync` is said by the
 * replica, while it reloads what it has missed.
 */
export type LinkStatus = 'connecting' | 'live' | 'restarting' | 'out-of-sync' | 'closed'

/** One raw terminal channel; frames are those of `shared/terminalFrames.ts`. */
export interface TerminalDuplex {
  send(frame: Uint8Array<ArrayBuffer>): void
  /** Frames that came before the first listener are kept for it. @returns unsubscribe */
  onFrame(listener: (frame: Uint8Array) => void): () => void
  /** The channel is gone and will not come back; called once, at once if it already is. @returns unsubscribe */
  onClose(listener: () => void): () => void
  close(): void
}

export interface Notice {
  readonly title: string
  readonly body: string
  /** Route to open when the notice is clicked, e.g. `#/runs/<id>`. */
  readonly hash?: string
}

/** What the window around the page can do; the browser does less of it than the desktop. */
export interface ShellCalls {
  readonly kind: 'desktop' | 'web'
  readonly platform: string
  readonly versions: Readonly<Record<string, string>>
  notify(notice: Notice): void
  openExternal(url: string): void
  copyText(text: string): Promise<void>
  /** The desktop app only: what its host process knows and can do beyond the engine. */
  readonly desktop?: DesktopCalls
}

/** Every `on…` returns the function that unsubscribes. */
export interface DesktopCalls {
  onEngineState(listener: (report: EngineStateReport) => void): () => void
  /** After the engine died too often: forget that and start it again. */
  restartEngine(): void
  /** Null: back to this machine. What comes of it is told by {@link onEngineState}. */
  connectTo(controlPlane: ControlPlane | null): Promise<void>
  /** Newest first. */
  recentControlPlanes(): Promise<readonly ControlPlane[]>
  onNavigate(listener: (hash: string) => void): () => void
  onCommand(listener: (command: ShellCommand) => void): () => void
  openWindow(hash: string): void
}

/** The page's only way to the engine. `client` stays the same object across reconnects. */
export interface EngineLink {
  readonly client: EngineClient
  readonly status: Subscribable<LinkStatus>
  /** @throws AppError `ENGINE_UNAVAILABLE` when no channel could be opened. */
  openTerminal(terminalId: TerminalId): Promise<TerminalDuplex>
  readonly shell: ShellCalls
  /** Ends every connection; the link is of no use afterwards. */
  close(): void
}
