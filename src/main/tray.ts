import { Menu, Tray } from 'electron'
import type { EngineState } from '../shared/desktopBridge.ts'

const tooltips: Readonly<Record<EngineState, string>> = {
  starting: 'Lockstep: starting',
  running: 'Lockstep',
  restarting: 'Lockstep: the engine is being restarted',
  failed: 'Lockstep: the engine does not run',
}

export interface TrayIcon {
  setState(state: EngineState): void
}

/** @returns a tray icon, or one that does nothing where the desktop has no tray */
export function createTray(options: {
  readonly icon: string
  readonly show: () => void
  readonly quit: () => void
}): TrayIcon {
  try {
    const tray = new Tray(options.icon)
    tray.setContextMenu(
      Menu.buildFromTemplate([
        { label: 'Open Lockstep', click: options.show },
        { type: 'separator' },
        { label: 'Quit', click: options.quit },
      ]),
    )
    tray.on('click', options.show)
    return { setState: (state) => tray.setToolTip(tooltips[state]) }
  } catch {
    return { setState: () => undefined }
  }
}
