import { EventEmitter } from 'node:events'
import { onTestMessage } from './control.ts'
import { record } from './recorder.ts'

/* What the desktop shows outside of the page: recorded, and set off by the test. */

export const shell = {
  openExternal: async (url: string): Promise<void> => record('shell.openExternal', url),
}

export const clipboard = {
  writeText: (text: string): void => record('clipboard.writeText', text),
}

export const dialog = {
  showErrorBox: (title: string, content: string): void => record('dialog.showErrorBox', title, content),
  showMessageBox: async (...args: unknown[]): Promise<{ response: number; checkboxChecked: boolean }> => {
    record('dialog.showMessageBox', ...args)
    return { response: 0, checkboxChecked: false }
  },
}

let newestNotification: Notification | null = null
let newestTray: Tray | null = null

export class Notification extends EventEmitter {
  readonly #options: object

  constructor(options: object) {
    super()
    this.#options = options
  }

  static isSupported(): boolean {
    return true
  }

  show(): void {
    newestNotification = this
    record('Notification.show', this.#options)
  }

  close(): void {}
}

export class Tray extends EventEmitter {
  constructor() {
    super()
    newestTray = this
    record('Tray')
  }

  setToolTip(text: string): void {
    record('Tray.setToolTip', text)
  }

  setContextMenu(): void {}

  destroy(): void {}
}

interface MenuTemplate {
  readonly id?: string
  readonly label?: string
  readonly role?: string
  readonly accelerator?: string
  readonly click?: () => void
  readonly submenu?: readonly MenuTemplate[]
}

let applicationMenu: Menu | null = null

export class Menu {
  readonly items: readonly MenuTemplate[]

  constructor(items: readonly MenuTemplate[] = []) {
    this.items = items
  }

  static buildFromTemplate(template: readonly MenuTemplate[]): Menu {
    return new Menu(template)
  }

  static setApplicationMenu(menu: Menu | null): void {
    applicationMenu = menu
    record('Menu.setApplicationMenu', menu?.items ?? null)
  }

  static getApplicationMenu(): Menu | null {
    return applicationMenu
  }
}

function findItem(items: readonly MenuTemplate[], id: string): MenuTemplate | undefined {
  for (const item of items) {
    const found = item.id === id ? item : findItem(item.submenu ?? [], id)
    if (found !== undefined) return found
  }
  return undefined
}

onTestMessage((message) => {
  if (message.standin === 'menu') findItem(applicationMenu?.items ?? [], message.id)?.click?.()
  if (message.standin !== 'emit') return
  if (message.target === 'notification') newestNotification?.emit(message.event, ...message.args)
  if (message.target === 'tray') newestTray?.emit(message.event, ...message.args)
})

export const nativeTheme = Object.assign(new EventEmitter(), { themeSource: 'system', shouldUseDarkColors: true })

const image = { isEmpty: (): boolean => false, setTemplateImage: (): void => undefined, resize: (): object => image }
export const nativeImage = {
  createFromPath: (): object => image,
  createEmpty: (): object => image,
  createFromDataURL: (): object => image,
}

const display = { workArea: { x: 0, y: 0, width: 1920, height: 1080 }, scaleFactor: 1 }
export const screen = {
  getPrimaryDisplay: (): object => display,
  getAllDisplays: (): readonly object[] => [display],
  getDisplayMatching: (): object => display,
}
