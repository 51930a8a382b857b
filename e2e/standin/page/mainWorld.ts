/** How the two worlds of a page describe a value to each other; functions stay where they are and travel as numbers. */
export type Shape =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'function'; readonly id: number }
  | { readonly kind: 'object'; readonly properties: Readonly<Record<string, Shape>> }

/**
 * Injected into the page's own world before any of its scripts: builds what the preload exposes. Every property is
 * frozen, every function a proxy; nothing of the preload's world can be reached from here. The source is sent as
 * text, therefore nothing outside the function may be used.
 *
 * @param prefix of the DOM events between the worlds
 */
export function installMainWorld(prefix: string): void {
  if (window.top !== window) return
  const callbacks = new Map<number, (...args: unknown[]) => unknown>()
  const pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let nextId = 0
  let answer: { ok: boolean; value?: unknown; message?: string; promise?: boolean } | null = null

  const toWorld = (name: string, detail: unknown): boolean =>
    window.dispatchEvent(new CustomEvent(`${prefix}:${name}`, { detail }))
  const describe = (value: unknown): Shape => {
    if (typeof value !== 'function') return { kind: 'value', value }
    const id = nextId++
    callbacks.set(id, value as (...args: unknown[]) => unknown)
    return { kind: 'function', id }
  }
  const call = (functionId: number, args: readonly unknown[]): unknown => {
    const callId = nextId++
    answer = null
    toWorld('call', { callId, functionId, args: args.map(describe) })
    const given = answer as { ok: boolean; value?: Shape; message?: string; promise?: boolean } | null
    if (given === null) throw new Error('stand-in: the preload did not answer')
    if (!given.ok) throw new Error(given.message)
    if (given.promise !== true) return build(given.value as Shape)
    return new Promise((resolve, reject) => pending.set(callId, { resolve, reject }))
  }
  const build = (shape: Shape): unknown => {
    if (shape.kind === 'value') return shape.value
    if (shape.kind === 'function') return (...args: unknown[]) => call(shape.id, args)
    return Object.freeze(
      Object.fromEntries(Object.entries(shape.properties).map(([key, inner]) => [key, build(inner)])),
    )
  }
  const detailOf = (event: Event): never => (event as CustomEvent<never>).detail
  window.addEventListener(`${prefix}:answer`, (event) => {
    answer = detailOf(event)
  })
  window.addEventListener(`${prefix}:settle`, (event) => {
    const settled: { callId: number; ok: boolean; value: Shape; message: string } = detailOf(event)
    const waiting = pending.get(settled.callId)
    pending.delete(settled.callId)
    if (settled.ok) waiting?.resolve(build(settled.value))
    else waiting?.reject(new Error(settled.message))
  })
  window.addEventListener(`${prefix}:callback`, (event) => {
    const { id, args }: { id: number; args: readonly Shape[] } = detailOf(event)
    callbacks.get(id)?.(...args.map(build))
  })
  window.addEventListener(`${prefix}:expose`, (event) => {
    const { key, shape }: { key: string; shape: Shape } = detailOf(event)
    Object.defineProperty(window, key, { value: build(shape), enumerable: true })
  })

  // ---- ports: Electron adds the `close` event that the web does not have. A last message says so, in order.
  const isLast = (data: unknown): boolean =>
    typeof data === 'object' && data !== null && Object.hasOwn(data, `${prefix}:last`)
  const adopt = (port: MessagePort): void => {
    const close = port.close.bind(port)
    port.addEventListener('message', (event) => {
      if (!isLast(event.data)) return
      event.stopImmediatePropagation()
      close()
      port.dispatchEvent(new Event('close'))
    })
    port.close = () => {
      port.postMessage({ [`${prefix}:last`]: true })
      close()
    }
  }
  window.addEventListener('message', (event) => {
    if (event.source === window) for (const port of event.ports) adopt(port)
  })
}
