import { EventEmitter } from 'node:events'
import type { Page } from '@playwright/test'
import { app } from './app.ts'
import { browserContext, newPage } from './browser.ts'
import type { PreloadPreferences } from './pageLink.ts'
import { record } from './recorder.ts'
import { WebContents } from './webContents.ts'

interface WindowOptions {
  readonly width?: number
  readonly height?: number
  readonly x?: number
  readonly y?: number
  readonly title?: string
  readonly show?: boolean
  readonly webPreferences?: PreloadPreferences & { readonly [key: string]: unknown }
}

const windows: BrowserWindow[] = []
/** Pages are opened one after another: the first takes the browser's blank page. */
let opening: Promise<unknown> = Promise.resolve()

export class BrowserWindow extends EventEmitter {
  readonly webContents: WebContents
  readonly id: number
  #bounds: { x: number; y: number; width: number; height: number }
  #title: string
  #visible: boolean
  #minimized = false
  #destroyed = false

  constructor(options: WindowOptions = {}) {
    super()
    record('BrowserWindow', options)
    this.#bounds = { x: options.x ?? 0, y: options.y ?? 0, width: options.width ?? 800, height: options.height ?? 600 }
    this.#title = options.title ?? app.name
    this.#visible = options.show ?? true
    const page = opening.then(() => this.#open())
    opening = page.catch(() => undefined)
    this.webContents = new WebContents(page, options.webPreferences ?? {})
    this.id = this.webContents.id
    this.webContents.opened.catch((error: unknown) => {
      console.error('[standin] no window:', error)
      process.exit(3)
    })
    this.webContents.on('did-finish-load', () => this.emit('ready-to-show'))
    windows.unshift(this)
    app.windows.add(this)
    app.emit('web-contents-created', {}, this.webContents)
  }

  async #open(): Promise<Page> {
    const page = await newPage(await browserContext(app.getPath('userData')))
    await page.setViewportSize({ width: this.#bounds.width, height: this.#bounds.height })
    page.on('close', () => this.#closed())
    return page
  }

  #closed(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    windows.splice(windows.indexOf(this), 1)
    app.windows.delete(this)
    this.webContents.destroy()
    this.emit('closed')
    app.windowClosed()
  }

  loadURL(url: string): Promise<void> {
    return this.webContents.load(url)
  }

  close(): void {
    void this.requestClose()
  }

  /** @returns false when a listener of `close` kept the window */
  async requestClose(): Promise<boolean> {
    let prevented = false
    this.emit('close', {
      preventDefault: () => {
        prevented = true
      },
    })
    if (prevented) return false
    await this.#closePage()
    return true
  }

  /** Chromium ends with its last page, which is the app's decision here: the last one stays as an empty page. */
  async #closePage(): Promise<void> {
    const page = await this.webContents.opened
    if (app.windows.size > 1) await page.close().catch(() => undefined)
    this.#closed()
  }

  destroy(): void {
    void this.#closePage()
  }

  show(): void {
    this.#visible = true
    this.emit('show')
  }

  hide(): void {
    this.#visible = false
    this.emit('hide')
  }

  focus(): void {
    record('BrowserWindow.focus', this.id)
    windows.splice(windows.indexOf(this), 1)
    windows.unshift(this)
    this.emit('focus')
  }

  minimize(): void {
    this.#minimized = true
  }

  restore(): void {
    this.#minimized = false
  }

  isMinimized(): boolean {
    return this.#minimized
  }

  isVisible(): boolean {
    return this.#visible
  }

  isFocused(): boolean {
    return windows[0] === this
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  isMaximized(): boolean {
    return false
  }

  isFullScreen(): boolean {
    return false
  }

  maximize(): void {}

  setFullScreen(): void {}

  setMenuBarVisibility(): void {}

  setTitle(title: string): void {
    this.#title = title
  }

  getTitle(): string {
    return this.#title
  }

  getBounds(): { x: number; y: number; width: number; height: number } {
    return { ...this.#bounds }
  }

  getNormalBounds(): { x: number; y: number; width: number; height: number } {
    return this.getBounds()
  }

  setBackgroundColor(): void {}

  static getAllWindows(): BrowserWindow[] {
    return [...windows]
  }

  static getFocusedWindow(): BrowserWindow | null {
    return windows[0] ?? null
  }

  static fromWebContents(contents: WebContents): BrowserWindow | null {
    return windows.find((window) => window.webContents === contents) ?? null
  }
}
