import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeBrowser } from './browser.ts'
import { onTestMessage } from './control.ts'
import { powerMonitor } from './powerMonitor.ts'
import { record } from './recorder.ts'
import { onSecondInstance, releaseInstanceLock, takeInstanceLock } from './singleInstance.ts'

interface ClosableWindow {
  requestClose(): Promise<boolean>
}

class App extends EventEmitter {
  readonly isPackaged = false
  readonly commandLine = { appendSwitch: (...args: unknown[]) => record('commandLine.appendSwitch', ...args) }
  /** Open windows; `browserWindow.ts` keeps it. */
  readonly windows = new Set<ClosableWindow>()
  readonly #directory: string
  readonly #package: { readonly name: string; readonly version: string }
  readonly #paths = new Map<string, string>()
  readonly #ready: Promise<void>
  #isReady = false
  #quitting = false
  #holdsLock = false

  constructor(directory: string) {
    super()
    this.#directory = directory
    this.#package = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
      name: string
      version: string
    }
    this.#paths.set('home', homedir()).set('temp', tmpdir()).set('appData', join(homedir(), '.config'))
    this.#paths
      .set('userData', process.env.STANDIN_USER_DATA ?? join(homedir(), '.config', this.#package.name))
      .set('exe', process.execPath)
    this.#ready = new Promise((resolve) => setImmediate(() => this.#becomeReady(resolve)))
    onSecondInstance(
      () => this.getPath('userData'),
      (argv, directory) => this.emit('second-instance', {}, argv, directory, null),
    )
  }

  #becomeReady(resolve: () => void): void {
    this.#isReady = true
    resolve()
    this.emit('ready', {}, {})
  }

  whenReady(): Promise<void> {
    return this.#ready
  }

  isReady(): boolean {
    return this.#isReady
  }

  get name(): string {
    return this.#package.name
  }

  getName(): string {
    return this.name
  }

  getVersion(): string {
    return this.#package.version
  }

  getAppPath(): string {
    return this.#directory
  }

  getPath(name: string): string {
    const path = this.#paths.get(name)
    if (path === undefined) throw new Error(`Failed to get '${name}' path`)
    if (name === 'userData') mkdirSync(path, { recursive: true, mode: 0o700 })
    return path
  }

  setPath(name: string, path: string): void {
    this.#paths.set(name, path)
  }

  setName(): void {}

  setAppUserModelId(): void {}

  enableSandbox(): void {
    record('app.enableSandbox')
  }

  setAsDefaultProtocolClient(scheme: string): boolean {
    record('app.setAsDefaultProtocolClient', scheme)
    return true
  }

  setAboutPanelOptions(): void {}

  focus(): void {
    record('app.focus')
  }

  requestSingleInstanceLock(): boolean {
    this.#holdsLock = takeInstanceLock(this.getPath('userData'))
    return this.#holdsLock
  }

  /** As Electron: `before-quit`, every window asked, `will-quit`, `quit`; each of the first three may stop it. */
  async quit(): Promise<void> {
    if (this.#quitting || !this.#mayGoOn('before-quit')) return
    this.#quitting = true
    for (const window of [...this.windows]) {
      if (await window.requestClose()) continue
      this.#quitting = false
      return
    }
    if (!this.#mayGoOn('will-quit')) {
      this.#quitting = false
      return
    }
    this.emit('quit', {}, 0)
    await this.exit(0)
  }

  async exit(code = 0): Promise<void> {
    if (this.#holdsLock) releaseInstanceLock(this.getPath('userData'))
    await closeBrowser()
    process.exit(code)
  }

  relaunch(): void {
    record('app.relaunch')
  }

  windowClosed(): void {
    if (this.windows.size > 0 || this.#quitting) return
    if (this.listenerCount('window-all-closed') > 0) this.emit('window-all-closed')
    else void this.quit()
  }

  #mayGoOn(event: string): boolean {
    let prevented = false
    this.emit(event, {
      preventDefault: () => {
        prevented = true
      },
    })
    return !prevented
  }
}

export const app = new App(process.env.STANDIN_APP_DIRECTORY ?? process.cwd())

process.on('SIGTERM', () => void app.quit())
process.on('SIGINT', () => void app.quit())
onTestMessage((message) => {
  if (message.standin === 'quit') void app.quit()
  if (message.standin !== 'emit') return
  if (message.target === 'app') app.emit(message.event, { preventDefault: () => undefined }, ...message.args)
  if (message.target === 'powerMonitor') powerMonitor.emit(message.event, ...message.args)
})
