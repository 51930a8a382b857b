import { EventEmitter } from 'node:events'
import type { Page, Request as PageRequest, Route } from '@playwright/test'
import { isTranslated, toAppUrl, toPageUrl } from './consoleUrl.ts'
import { ipcMain } from './ipc.ts'
import type { MessagePortMain } from './messagePort.ts'
import { type PageCall, PageLink, type PreloadPreferences } from './pageLink.ts'
import { record } from './recorder.ts'
import { session } from './session.ts'

type OpenHandler = (details: { readonly url: string; readonly disposition: string }) => {
  readonly action: 'allow' | 'deny'
}

const known = new Map<number, WebContents>()
let nextId = 1

/** One page. Commands given before the page exists wait for it. */
export class WebContents extends EventEmitter {
  readonly id = nextId++
  readonly session = session.defaultSession
  readonly mainFrame = {
    url: '',
    origin: '',
    parent: null,
    processId: this.id,
    routingId: 1,
    postMessage: (channel: string, message: unknown, ports?: readonly MessagePortMain[]): void =>
      this.postMessage(channel, message, ports),
  }
  readonly opened: Promise<Page>
  #link: PageLink | null = null
  #early: {
    readonly channel: string
    readonly args: readonly unknown[]
    readonly ports: readonly MessagePortMain[]
  }[] = []
  #openHandler: OpenHandler = () => ({ action: 'allow' })
  #destroyed = false
  #loading = ''
  /** What the app said to windows that are being opened, in order. */
  readonly #openings: ('allow' | 'deny')[] = []

  constructor(page: Promise<Page>, preferences: PreloadPreferences) {
    super()
    known.set(this.id, this)
    this.opened = page.then((opened) => this.#attach(opened, preferences))
  }

  async #attach(page: Page, preferences: PreloadPreferences): Promise<Page> {
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) this.#navigated(toAppUrl(frame.url()))
    })
    page.on('load', () => this.emit('did-finish-load'))
    page.on('domcontentloaded', () => this.emit('dom-ready', {}))
    page.on('crash', () => this.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 1 }))
    page.on('popup', (popup) => {
      if (this.#openings.shift() !== 'allow') void popup.close()
    })
    await page.route(
      () => true,
      (route) => this.#request(route, page),
    )
    this.#link = await PageLink.open(page, {
      preferences,
      onCall: (message) => void this.#called(message),
      onWindowOpen: (url) =>
        this.#openings.push(this.#openHandler({ url: toAppUrl(url), disposition: 'foreground-tab' }).action),
    })
    for (const { channel, args, ports } of this.#early.splice(0)) this.#link.send(channel, args, ports)
    return page
  }

  #navigated(url: string): void {
    this.mainFrame.url = url
    this.mainFrame.origin = url.startsWith('app:') ? url.split('/').slice(0, 3).join('/') : new URL(url).origin
    this.emit('did-navigate', {}, url)
  }

  /** Main-frame navigations that the app did not start itself may be refused by `will-navigate`. */
  async #request(route: Route, page: Page): Promise<void> {
    const request = route.request()
    if (!request.isNavigationRequest() || request.url() === this.#loading) return this.#pass(route, request)
    const frame = request.frame()
    const event = {
      url: toAppUrl(request.url()),
      isMainFrame: frame === page.mainFrame(),
      frame: this.mainFrame,
      prevented: false,
    }
    const details = Object.assign(event, {
      preventDefault: () => {
        event.prevented = true
      },
    })
    this.emit('will-frame-navigate', details)
    if (event.isMainFrame) this.emit('will-navigate', details, event.url)
    if (!event.prevented) return this.#pass(route, request)
    record('navigation.denied', event.url)
    await route.abort('aborted')
  }

  async #pass(route: Route, request: PageRequest): Promise<void> {
    if (isTranslated(new URL(request.url()))) return route.fallback()
    return route.continue()
  }

  async #called(message: PageCall): Promise<void> {
    const event = {
      type: 'frame',
      sender: this,
      senderFrame: this.mainFrame,
      processId: this.id,
      frameId: 1,
      ports: [],
    }
    if (message.kind === 'send') {
      ipcMain.emit(message.channel, event, ...message.args)
      return
    }
    try {
      this.#link?.answer(message.id, { value: await ipcMain.invoke(message.channel, event, message.args) })
    } catch (error) {
      this.#link?.answer(message.id, { error: String(error) })
    }
  }

  send(channel: string, ...args: unknown[]): void {
    this.#post(channel, structuredClone(args), [])
  }

  postMessage(channel: string, message: unknown, ports: readonly MessagePortMain[] = []): void {
    this.#post(channel, [structuredClone(message)], ports)
  }

  #post(channel: string, args: readonly unknown[], ports: readonly MessagePortMain[]): void {
    if (this.#destroyed) for (const port of ports) port.close()
    else if (this.#link === null) this.#early.push({ channel, args, ports })
    else this.#link.send(channel, args, ports)
  }

  async load(url: string): Promise<void> {
    const page = await this.opened
    this.#loading = toPageUrl(url).split('#')[0] ?? ''
    try {
      await page.goto(toPageUrl(url))
    } finally {
      this.#loading = ''
    }
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#openHandler = handler
  }

  getURL(): string {
    return this.mainFrame.url
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  isLoading(): boolean {
    return this.#loading !== ''
  }

  async reload(): Promise<void> {
    await (await this.opened).reload()
  }

  openDevTools(): void {
    record('webContents.openDevTools')
  }

  isDevToolsOpened(): boolean {
    return false
  }

  setZoomFactor(): void {}

  setVisualZoomLevelLimits(): void {}

  focus(): void {}

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    known.delete(this.id)
    this.#link?.closed()
    this.emit('destroyed')
  }

  static all(): WebContents[] {
    return [...known.values()]
  }

  static fromId(id: number): WebContents | undefined {
    return known.get(id)
  }
}
