import type { MenuItemConstructorOptions } from 'electron'
import type { ShellCommand } from '../shared/desktopBridge.ts'

export interface MenuActions {
  openWindow(): void
  navigate(hash: string): void
  command(command: ShellCommand): void
}

const views = [
  { label: 'Fleet', hash: '#/fleet' },
  { label: 'Runs', hash: '#/runs' },
  { label: 'Certificates', hash: '#/certificates' },
] as const

/** Reload and the developer tools exist in development only. */
export function menuTemplate(
  actions: MenuActions,
  options: { readonly platform: NodeJS.Platform; readonly isDevelopment: boolean },
): MenuItemConstructorOptions[] {
  const isMac = options.platform === 'darwin'
  return [
    ...(isMac ? [{ role: 'appMenu' } as const] : []),
    {
      label: 'File',
      submenu: [
        { id: 'new-window', label: 'New Window', accelerator: 'CmdOrCtrl+Shift+N', click: () => actions.openWindow() },
        { id: 'connect', label: 'Connect to Control Plane…', click: () => actions.command('connect') },
        { type: 'separator' },
        isMac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { role: 'editMenu' },
    { label: 'Go', submenu: goItems(actions) },
    {
      label: 'View',
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
        ...(options.isDevelopment
          ? [{ type: 'separator' } as const, { role: 'reload' } as const, { role: 'toggleDevTools' } as const]
          : []),
      ],
    },
    {
      role: 'help',
      submenu: [{ id: 'shortcuts', label: 'Keyboard Shortcuts', click: () => actions.command('shortcuts') }],
    },
  ]
}

function goItems(actions: MenuActions): MenuItemConstructorOptions[] {
  return [
    // The page listens to the keys itself; the menu only shows them.
    {
      id: 'palette',
      label: 'Find Anything',
      accelerator: 'CmdOrCtrl+K',
      registerAccelerator: false,
      click: () => actions.command('palette'),
    },
    { id: 'dock', label: 'Toggle Terminals', click: () => actions.command('dock') },
    { type: 'separator' },
    ...views.map(({ label, hash }) => ({ id: hash, label, click: () => actions.navigate(hash) })),
  ]
}
