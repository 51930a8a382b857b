import type { Shape } from './mainWorld.ts'

export interface PreloadWorldOptions {
  readonly eventPrefix: string
  /** Name of the binding that reaches the stand-in; only this world has it. */
  readonly bindingName: string
  /** Name of the global that the stand-in calls. */
  readonly receiverName: string
  readonly platform: string
  readonly argv: readonly string[]
  readonly versions: Readonly<Record<string, string>>
}

type Listener = (...args: unknown[]) => void
type Preload = (require: (id: string) => unknown, module: { exports: object }, exports: object, process: object) => void

/**
 * Injected into an isolated world: `electron` as a sandboxed preload script sees it, then the preload itself. The
 * source is sent as text, therefore nothing outside the function may be used.
 */
export function installPreloadWorld(
  options: PreloadWorldOptions,
  wire: { encode(value: unknown): string; decode(text: string): unknown },
  preload: Preload,
): void {
  if (window.top !== window) return
  const world = globalThis as unknown as Record<string, (text: string) => void>
  const send = (message: object): void => world[options.bindingName]?.(wire.encode(message))

  // ---- ports
  const ports = new Map<number, MessagePort>()
  const last = `${options.eventPrefix}:last`
  const isLast = (data: unknown): boolean => typeof data === 'object' && data !== null && Object.hasOwn(data, last)
  const adopt = (id: number): MessagePort => {
    const { port1, port2 } = new MessageChannel()
    ports.set(id, port1)
    port1.addEventListener('message', (event) => {
      if (!isLast(event.data)) return send({ kind: 'port', port: id, data: event.data })
      if (ports.delete(id)) send({ kind: 'close', port: id })
    })
    port1.start()
    return port2
  }
  const closePort = (id: number): void => {
    ports.get(id)?.postMessage({ [last]: true })
    ports.delete(id)
  }

  // ---- ipcRenderer
  const listeners = new Map<string, Listener[]>()
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; channel: string }
  >()
  let nextCall = 0
  const ipcRenderer = {
    invoke: (channel: string, ...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const id = nextCall++
        waiting.set(id, { resolve, reject, channel })
        send({ kind: 'invoke', id, channel, args: structuredClone(args) })
      }),
    send: (channel: string, ...args: unknown[]) => send({ kind: 'send', channel, args: structuredClone(args) }),
    on: (channel: string, listener: Listener) => {
      listeners.set(channel, [...(listeners.get(channel) ?? []), listener])
      return ipcRenderer
    },
    off: (channel: string, listener: Listener) => {
      listeners.set(
        channel,
        (listeners.get(channel) ?? []).filter((known) => known !== listener),
      )
      return ipcRenderer
    },
    removeListener: (channel: string, listener: Listener) => ipcRenderer.off(channel, listener),
  }
  type Incoming =
    | { kind: 'answer'; id: number; value?: unknown; error?: string }
    | { kind: 'event'; channel: string; args: unknown[]; ports: number[] }
    | { kind: 'port'; port: number; data: unknown }
    | { kind: 'close'; port: number }
  world[options.receiverName] = (text) => {
    const message = wire.decode(text) as Incoming
    if (message.kind === 'answer') {
      const call = waiting.get(message.id)
      waiting.delete(message.id)
      if (message.error === undefined) call?.resolve(message.value)
      else call?.reject(new Error(`Error invoking remote method '${call.channel}': ${message.error}`))
    } else if (message.kind === 'event') {
      const event = { sender: ipcRenderer, ports: message.ports.map(adopt) }
      for (const listener of listeners.get(message.channel) ?? []) listener(event, ...message.args)
    } else if (message.kind === 'port') ports.get(message.port)?.postMessage(message.data)
    else closePort(message.port)
  }

  // ---- contextBridge
  const functions = new Map<number, Listener>()
  let nextFunction = 0
  const toPage = (name: string, detail: unknown): boolean =>
    window.dispatchEvent(new CustomEvent(`${options.eventPrefix}:${name}`, { detail }))
  const describe = (value: unknown): Shape => {
    if (typeof value === 'function') {
      const id = nextFunction++
      functions.set(id, value as Listener)
      return { kind: 'function', id }
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'value', value }
    return {
      kind: 'object',
      properties: Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, describe(inner)])),
    }
  }
  const revive = (shape: Shape): unknown => {
    if (shape.kind === 'value') return shape.value
    if (shape.kind === 'object') throw new Error('stand-in: the page sends no nested objects')
    return (...args: unknown[]) => toPage('callback', { id: shape.id, args: args.map(describe) })
  }
  const settle = (callId: number, result: Promise<unknown>): void => {
    result.then(
      (value) => toPage('settle', { callId, ok: true, value: describe(value) }),
      (error: unknown) => toPage('settle', { callId, ok: false, message: String((error as Error).message) }),
    )
  }
  window.addEventListener(`${options.eventPrefix}:call`, (event) => {
    const { callId, functionId, args } = (event as CustomEvent<{ callId: number; functionId: number; args: Shape[] }>)
      .detail
    try {
      const result = functions.get(functionId)?.(...args.map(revive)) as unknown
      const promise = result instanceof Promise
      toPage('answer', promise ? { ok: true, promise } : { ok: true, value: describe(result) })
      if (promise) settle(callId, result)
    } catch (error) {
      toPage('answer', { ok: false, message: String((error as Error).message) })
    }
  })
  const contextBridge = {
    exposeInMainWorld: (key: string, api: object) => toPage('expose', { key, shape: describe(api) }),
  }

  const require = (id: string): unknown => {
    if (id === 'electron' || id === 'electron/renderer') return { ipcRenderer, contextBridge }
    throw new Error(`module not found in a sandboxed preload: ${id}`)
  }
  const process = {
    type: 'renderer',
    sandboxed: true,
    contextIsolated: true,
    platform: options.platform,
    versions: options.versions,
    argv: options.argv,
    env: {},
  }
  const module = { exports: {} }
  preload(require, module, module.exports, process)
  send({ kind: 'ready' })
}
