import { writeFileSync } from 'node:fs'
import { BrowserWindow, screen } from 'electron'
import type { ShellEvent } from '../shared/desktopBridge.ts'
import { sendShellEvent } from './ipc.ts'
import { type PagePlace, secureWebPreferences } from './security.ts'
import { minimumSize, placeWindow, readWindowState } from './windowState.ts'

/** Shown before the page has painted; the dark ground of the theme, so that nothing flashes. */
const backgroundColor = '#0e1217'
const offsetOfNextWindow = 24

export interface WindowsOptions {
  readonly place: PagePlace
  readonly preload: string
  readonly preloadArguments: readonly string[]
  readonly icon: string
  /** Remembers where the window was. */
  readonly stateFile: string
  readonly isDevelopment: boolean
}

/** All windows show the same console; none is special. */
export class Windows {
  readonly #options: WindowsOptions

  constructor(options: WindowsOptions) {
    this.#options = options
  }

  /** @param hash the route to start at, e.g. `#/runs` */
  open(hash = ''): BrowserWindow {
    const state = readWindowState(this.#options.stateFile)
    const bounds = placeWindow(
      state,
      screen.getAllDisplays().map((display) => display.workArea),
    )
    const others = BrowserWindow.getAllWindows().length
    const window = new BrowserWindow({
      ...bounds,
      ...(bounds.x === undefined || bounds.y === undefined
        ? {}
        : { x: bounds.x + others * offsetOfNextWindow, y: bounds.y + others * offsetOfNextWindow }),
      minWidth: minimumSize.width,
      minHeight: minimumSize.height,
      title: 'Lockstep',
      icon: this.#options.icon,
      show: false,
      backgroundColor,
      autoHideMenuBar: true,
      webPreferences: secureWebPreferences(this.#options),
    })
    window.once('ready-to-show', () => window.show())
    window.on('close', () => this.#remember(window))
    if (state?.maximized === true && others === 0) window.maximize()
    // A load that fails leaves a window whose menu can reload it; there is nobody to tell but the log.
    window
      .loadURL(`${this.#options.place.url}${hash}`)
      .catch((error: unknown) => console.error('The window did not load:', error))
    return window
  }

  /** Brings the newest window to the front, or opens one. */
  show(hash?: string): void {
    const window = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0]
    if (window === undefined) {
      this.open(hash)
      return
    }
    if (window.isMinimized()) window.restore()
    window.show()
    window.focus()
    if (hash !== undefined) sendShellEvent(window.webContents, { kind: 'navigate', hash })
  }

  broadcast(event: ShellEvent): void {
    for (const window of BrowserWindow.getAllWindows()) sendShellEvent(window.webContents, event)
  }

  /** To the window in front. */
  send(event: ShellEvent): void {
    const window = BrowserWindow.getFocusedWindow()
    if (window !== null) sendShellEvent(window.webContents, event)
  }

  #remember(window: BrowserWindow): void {
    try {
      writeFileSync(
        this.#options.stateFile,
        JSON.stringify({ ...window.getNormalBounds(), maximized: window.isMaximized() }),
        { mode: 0o600 },
      )
    } catch {
      // Comfort only: the next window opens at its default place.
    }
  }
}
