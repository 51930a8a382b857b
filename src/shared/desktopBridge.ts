import type { ControlPlane } from './controlPlane.ts'
import type { ErrorBody } from './errors.ts'

/*
 * What the desktop app adds to the page: `window.lockstep`, and nothing else; a page served by the daemon has no such
 * object. Types and constants only: the preload script bundles this file.
 *
 * A context bridge copies values and cannot return a MessagePort. So a port is asked for with a request id and arrives
 * as a window message of the shape {@link PortMessage} with the port transferred; its `source` is the page's own
 * window. The engine port speaks oRPC. Every message on a terminal port is one whole frame of `terminalFrames.ts`, as
 * bytes. A port closes when its far end is gone; ask for a new one once the engine is running again.
 */

/** Where the page lives; every message and every call is checked against it. */
export const consoleScheme = 'app'
export const consoleHost = 'console'
export const consoleOrigin = 'app://console'

/** `lockstep://runs/<id>`: links that the operating system hands to the app. */
export const deepLinkScheme = 'lockstep'

/** The one channel on which a page may call the main process, see {@link ShellCall}. */
export const shellCallChannel = 'lockstep:call'
/** Main to preload: a {@link PortMessage} with its port. */
export const portChannel = 'lockstep:port'
/** Main to preload: a {@link ShellEvent}. */
export const shellEventChannel = 'lockstep:event'

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

/** `failed`: it died too often and is started again only on request. */
export type EngineState = 'starting' | 'running' | 'restarting' | 'failed'

export interface EngineStateReport {
  readonly state: EngineState
  /** `daemon`: another process owns the data directory and this window is its client; `remote`: another machine. */
  readonly owner: 'desktop' | 'daemon' | 'remote'
  /** The control plane of another machine that is, or shall be, connected to; null: this machine's own. */
  readonly remote: ControlPlane | null
  /** Why it is not running; null while all is well. */
  readonly error: ErrorBody | null
}

/** Menu items that the page carries out. */
export type ShellCommand = 'palette' | 'shortcuts' | 'dock' | 'connect'

/** What a page may ask of the main process. Each is validated there, and refused from any other origin. */
export type ShellCall =
  | { readonly kind: 'requestEnginePort'; readonly requestId: string }
  | { readonly kind: 'requestTerminalPort'; readonly requestId: string; readonly terminalId: string }
  | { readonly kind: 'notify'; readonly notice: DesktopNotice }
  | { readonly kind: 'openExternal'; readonly url: string }
  | { readonly kind: 'copyText'; readonly text: string }
  | { readonly kind: 'openWindow'; readonly hash: string }
  | { readonly kind: 'engineState' }
  | { readonly kind: 'restartEngine' }
  /** Null: back to this machine. */
  | { readonly kind: 'connectTo'; readonly controlPlane: ControlPlane | null }
  | { readonly kind: 'recentControlPlanes' }

/** Errors are data here too: a thrown one would lose its code on the way. */
export type ShellAnswer =
  | {
      readonly ok: true
      readonly engineState?: EngineStateReport
      readonly recentControlPlanes?: readonly ControlPlane[]
    }
  | { readonly ok: false; readonly error: ErrorBody }

/** What the main process tells a page unasked. */
export type ShellEvent =
  | { readonly kind: 'engineState'; readonly report: EngineStateReport }
  /** A deep link, a notification or a menu item was chosen; `hash` as in {@link DesktopNotice}. */
  | { readonly kind: 'navigate'; readonly hash: string }
  | { readonly kind: 'command'; readonly command: ShellCommand }

/** The type of `window.lockstep`. Every `on…` returns the function that unsubscribes. */
export interface DesktopBridge {
  readonly platform: string
  readonly versions: {
    readonly lockstep: string
    readonly electron: string
    readonly chrome: string
    readonly node: string
  }
  /** Asks for a new RPC port to the engine; waits while the engine starts. */
  requestEnginePort(requestId: string): void
  /** Asks for the raw byte port of a terminal. */
  requestTerminalPort(requestId: string, terminalId: string): void
  /** The engine process was started again; every port from before is dead. */
  onEngineRestarted(listener: () => void): () => void
  /** The present state at once, then every change. */
  onEngineState(listener: (report: EngineStateReport) => void): () => void
  /** After `failed`: forget the failures and start it again. */
  restartEngine(): void
  /** Over the operator's own ssh; null: back to this machine. What comes of it is told by {@link onEngineState}. */
  connectTo(controlPlane: ControlPlane | null): Promise<void>
  /** Newest first. */
  recentControlPlanes(): Promise<readonly ControlPlane[]>
  onNavigate(listener: (hash: string) => void): () => void
  onCommand(listener: (command: ShellCommand) => void): () => void
  /** The same notice from several windows is shown once. */
  notify(notice: DesktopNotice): void
  /** Opens https links in the system's browser; everything else is refused. */
  openExternal(url: string): void
  /** A second window that starts at this route. */
  openWindow(hash: string): void
  /** At most 1 MiB. There is no way to read the clipboard. */
  copyText(text: string): Promise<void>
}

declare global {
  interface Window {
    /** Present in the desktop app only. */
    readonly lockstep?: DesktopBridge
  }
}
