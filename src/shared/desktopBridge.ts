/*
 * What the preload puts on `window.lockstep`. A context bridge cannot return a MessagePort, so a port is asked for
 * with a request id and arrives as a window message of the shape {@link PortMessage} with the port transferred.
 */

export const portMessageKind = 'lockstep:port'

export interface PortMessage {
  readonly kind: typeof portMessageKind
  readonly requestId: string
  /** Set instead of a transferred port when there is none to give; a sentence for a person. */
  readonly error?: string
}

export interface DesktopNotice {
  readonly title: string
  readonly body: string
  /** Route to open when the notice is clicked, e.g. `#/runs/<id>`. */
  readonly hash?: string
}

export interface DesktopBridge {
  readonly platform: string
  readonly versions: { readonly lockstep: string; readonly electron: string; readonly chrome: string; readonly node: string }
  /** Asks for a new RPC port to the engine; the one before is closed by the host when the engine goes. */
  requestEnginePort(requestId: string): void
  /** Asks for the raw byte port of a terminal, see `terminalFrames.ts`. */
  requestTerminalPort(requestId: string, terminalId: string): void
  /** The engine process was started again; every port from before is dead. @returns unsubscribe */
  onEngineRestarted(listener: () => void): () => void
  notify(notice: DesktopNotice): void
  /** Opens https links in the system's browser; everything else is refused by the host. */
  openExternal(url: string): void
  copyText(text: string): Promise<void>
}

declare global {
  interface Window {
    /** Present in the desktop app only. */
    readonly lockstep?: DesktopBridge
  }
}
