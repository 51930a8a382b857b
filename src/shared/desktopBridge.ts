import type { ErrorBody } from './errors.ts'

/*
 * What the desktop app adds to the page: `window.lockstep`, and nothing else. A page served by the daemon has no such
 * object. Types and constants only: the preload script bundles this file.
 *
 * Ports. `contextBridge` copies values and cannot hand over a MessagePort, therefore a port takes the other way in:
 *   1. the page listens for `message` on `window`, then calls `lockstep.requestPort({ kind, requestId, … })`;
 *   2. the page receives one `message` event whose `data` is a {@link PortHandover} with the same `requestId`, whose
 *      `source` is its own window and whose `ports[0]` is the port;
 *   3. the promise says whether a port was sent; it may settle before or after the message arrives.
 * The `engine` port speaks oRPC (`@orpc/client/message-port`). A `terminal` port carries `shared/terminalFrames.ts`:
 * every message is the ArrayBuffer of one whole frame. A port is closed when its far end is gone: ask for a new one
 * once the engine is `running` again.
 */

/** Where the page lives; every message and every IPC call is checked against it. */
export const consoleScheme = 'app'
export const consoleHost = 'console'
export const consoleOrigin = 'app://console'

/** `lockstep://` links, opened by the operating system: `lockstep://runs/<id>`. */
export const deepLinkScheme = 'lockstep'

/** The one channel on which a page may call the main process. */
export const shellCallChannel = 'lockstep:call'
/** Main to preload: a port with its {@link PortRequest}. */
export const portChannel = 'lockstep:port'
/** Main to preload: a {@link ShellEvent}. */
export const shellEventChannel = 'lockstep:event'

/** `failed`: it died too often and is not started again until `restartEngine` is called. */
export type EngineState = 'starting' | 'running' | 'restarting' | 'failed'

export interface EngineStateReport {
  readonly state: EngineState
  /** `daemon`: another process owns the data directory and this window is its client. */
  readonly owner: 'desktop' | 'daemon'
  /** Why it is not running, for a person; null while all is well. */
  readonly error: ErrorBody | null
}

export type PortRequest =
  | { readonly kind: 'engine'; readonly requestId: string }
  | { readonly kind: 'terminal'; readonly requestId: string; readonly terminalId: string }

/** Marks our own messages among everything else that is posted to a window. */
export const portHandoverMark = 'lockstep-port'

/** `data` of the message event that brings a port. */
export interface PortHandover {
  readonly lockstep: typeof portHandoverMark
  readonly request: PortRequest
}

/** @returns true for the message that answers `requestId`; check `event.source === window` as well. */
export function isPortHandover(data: unknown, requestId: string): data is PortHandover {
  if (typeof data !== 'object' || data === null || !('lockstep' in data) || !('request' in data)) return false
  const { lockstep, request } = data as PortHandover
  return lockstep === portHandoverMark && request.requestId === requestId
}

/** What a page may ask of the main process. Each is validated there and refused from any other origin. */
export type ShellCall =
  | { readonly kind: 'requestPort'; readonly request: PortRequest }
  | { readonly kind: 'openExternal'; readonly url: string }
  | { readonly kind: 'copyText'; readonly text: string }
  | { readonly kind: 'openWindow'; readonly path: string }
  | { readonly kind: 'engineState' }
  | { readonly kind: 'restartEngine' }

/** What the main process tells a page unasked. */
export type ShellEvent =
  | { readonly kind: 'engineState'; readonly report: EngineStateReport }
  /** Show this place: a deep link, a notification or a menu item was chosen. `path` starts with `/`. */
  | { readonly kind: 'navigate'; readonly path: string }
  | { readonly kind: 'command'; readonly command: ShellCommand }

/** Menu items that the page carries out. */
export type ShellCommand = 'palette' | 'shortcuts' | 'toggleDock'

/** Errors are data here too: an exception would lose its code on the way through `contextBridge`. */
export type ShellResult<T = null> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ErrorBody }

/** The type of `window.lockstep`. Every `on…` returns the function that unsubscribes. */
export interface DesktopBridge {
  readonly platform: 'linux' | 'darwin' | 'win32'
  readonly versions: { readonly electron: string; readonly chrome: string; readonly node: string }
  /** See the top of this file. Waits while the engine starts; `ENGINE_UNAVAILABLE` when it has failed. */
  requestPort(request: PortRequest): Promise<ShellResult>
  /** In the person's browser; `https:` only. */
  openExternal(url: string): Promise<ShellResult>
  /** At most 1 MiB of text. There is no way to read the clipboard. */
  copyText(text: string): Promise<ShellResult>
  /** A second window that shows `path`, e.g. `/runs`. */
  openWindow(path: string): Promise<ShellResult>
  engineState(): Promise<ShellResult<EngineStateReport>>
  /** After `failed`: forget the failures and try again. */
  restartEngine(): Promise<ShellResult>
  /** The current state is reported at once, then every change. */
  onEngineState(listener: (report: EngineStateReport) => void): () => void
  onNavigate(listener: (path: string) => void): () => void
  onCommand(listener: (command: ShellCommand) => void): () => void
}
