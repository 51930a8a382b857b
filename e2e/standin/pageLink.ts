import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CDPSession, Page } from '@playwright/test'
import type { MessagePortMain } from './messagePort.ts'
import { installMainWorld } from './page/mainWorld.ts'
import { installPreloadWorld, type PreloadWorldOptions } from './page/preloadWorld.ts'
import { decodeWire, encodeWire } from './wire.ts'

const worldName = 'lockstep-preload'

export type PageMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'invoke'; readonly id: number; readonly channel: string; readonly args: readonly unknown[] }
  | { readonly kind: 'send'; readonly channel: string; readonly args: readonly unknown[] }
  | { readonly kind: 'port'; readonly port: number; readonly data: unknown }
  | { readonly kind: 'close'; readonly port: number }

/** The part of `webPreferences` that has an effect here. */
export interface PreloadPreferences {
  readonly preload?: string
  readonly additionalArguments?: readonly string[]
}

export type PageCall = Extract<PageMessage, { kind: 'invoke' | 'send' }>

export interface PageLinkOptions {
  readonly preferences: PreloadPreferences
  readonly onCall: (message: PageCall) => void
  /** The page is about to open another window. */
  readonly onWindowOpen: (url: string) => void
}

interface World {
  readonly contextId: number
  readonly ports: Map<number, MessagePortMain>
  ready: boolean
}

/**
 * The wire between the app and one page: a binding in the preload's isolated world one way, evaluation in that world
 * the other. A new document is a new world: the ports of the old one are closed, as Electron does.
 */
export class PageLink {
  readonly #cdp: CDPSession
  readonly #onCall: PageLinkOptions['onCall']
  readonly #suffix = randomBytes(8).toString('hex')
  readonly #early: object[] = []
  #world: World | null = null
  #nextPort = 0

  private constructor(cdp: CDPSession, onCall: PageLinkOptions['onCall']) {
    this.#cdp = cdp
    this.#onCall = onCall
  }

  static async open(page: Page, { preferences, onCall, onWindowOpen }: PageLinkOptions): Promise<PageLink> {
    const cdp = await page.context().newCDPSession(page)
    cdp.on('Page.windowOpen', ({ url }) => onWindowOpen(url))
    const link = new PageLink(cdp, onCall)
    await link.#install(preferences)
    return link
  }

  send(channel: string, args: readonly unknown[], ports: readonly MessagePortMain[] = []): void {
    const deliver = (): void =>
      this.#deliver({ kind: 'event', channel, args, ports: ports.map((port) => this.#adopt(port)) })
    if (this.#world?.ready === true) deliver()
    else if (ports.length === 0) this.#early.push({ kind: 'event', channel, args, ports: [] })
    else for (const port of ports) port.close()
  }

  answer(id: number, result: { readonly value?: unknown; readonly error?: string }): void {
    this.#deliver({ kind: 'answer', id, ...result })
  }

  /** The page is gone. */
  closed(): void {
    this.#leave()
  }

  async #install({ preload, additionalArguments = [] }: PreloadPreferences): Promise<void> {
    const cdp = this.#cdp
    const bindingName = `standin${this.#suffix}`
    cdp.on('Runtime.bindingCalled', (event) => {
      if (event.name === bindingName) this.#receive(event.executionContextId, decodeWire(event.payload) as PageMessage)
    })
    cdp.on('Runtime.executionContextDestroyed', (event) => {
      if (event.executionContextId === this.#world?.contextId) this.#leave()
    })
    await cdp.send('Page.enable')
    await cdp.send('Runtime.enable')
    await cdp.send('Runtime.addBinding', { name: bindingName, executionContextName: worldName })
    const prefix = `standin-${this.#suffix}`
    await cdp.send('Page.addScriptToEvaluateOnNewDocument', {
      source: `(${installMainWorld.toString()})(${JSON.stringify(prefix)})`,
    })
    if (preload === undefined) return
    const worldOptions: PreloadWorldOptions = {
      eventPrefix: prefix,
      bindingName,
      receiverName: `receive${this.#suffix}`,
      platform: process.platform,
      // The origin that the preload posts to is the translated one, see `consoleUrl.ts`.
      argv: additionalArguments.map((argument) => argument.replaceAll('app://', 'https://')),
      versions: {
        node: process.versions.node,
        chrome: process.versions.chrome ?? '',
        electron: process.versions.electron ?? '',
      },
    }
    await cdp.send('Page.addScriptToEvaluateOnNewDocument', { worldName, source: preloadSource(preload, worldOptions) })
  }

  #receive(contextId: number, message: PageMessage): void {
    if (message.kind === 'ready' || this.#world?.contextId !== contextId) this.#enter(contextId)
    const world = this.#world
    if (world === null) return
    if (message.kind === 'ready') {
      world.ready = true
      for (const early of this.#early.splice(0)) this.#deliver(early)
    } else if (message.kind === 'port') world.ports.get(message.port)?.fromRemote(message.data)
    else if (message.kind === 'close') {
      world.ports.get(message.port)?.close()
      world.ports.delete(message.port)
    } else this.#onCall(message)
  }

  #enter(contextId: number): void {
    if (this.#world?.contextId === contextId) return
    this.#leave()
    this.#world = { contextId, ports: new Map(), ready: false }
  }

  #leave(): void {
    const ports = [...(this.#world?.ports.values() ?? [])]
    this.#world = null
    for (const port of ports) port.close()
  }

  #adopt(port: MessagePortMain): number {
    const id = this.#nextPort++
    const world = this.#world
    world?.ports.set(id, port)
    port.handOver({
      deliver: (data) => this.#deliver({ kind: 'port', port: id, data }),
      disconnect: () => {
        if (world?.ports.delete(id) === true) this.#deliver({ kind: 'close', port: id })
      },
    })
    return id
  }

  #deliver(message: object): void {
    const world = this.#world
    if (world === null) return
    const expression = `receive${this.#suffix}(${JSON.stringify(encodeWire(message))})`
    // A document that goes away while a message is on its way loses it, as in Electron.
    this.#cdp.send('Runtime.evaluate', { expression, contextId: world.contextId }).catch(() => undefined)
  }
}

function preloadSource(file: string, options: PreloadWorldOptions): string {
  const preload = readFileSync(file, 'utf8')
  const wire = `{ encode: ${encodeWire.toString()}, decode: ${decodeWire.toString()} }`
  return `(${installPreloadWorld.toString()})(${JSON.stringify(options)}, ${wire}, function (require, module, exports, process) {\n${preload}\n})`
}
