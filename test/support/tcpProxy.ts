import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * What happens to traffic: `pass`; `freeze`: everything stays open and nothing moves, as with a hanging machine; `refuse`:
 * what is open is reset and nobody listens.
 */
export type ProxyMode = 'pass' | 'freeze' | 'refuse'

export interface TcpProxy {
  readonly address: string
  readonly port: number
  /** Connections that are open now. */
  readonly open: number
  /** Bytes that went through, both ways. */
  readonly bytes: number
  set(mode: ProxyMode): Promise<void>
  /** Lets so many bytes more through, both ways together, and refuses from then on: until the next `set`. */
  cutAfter(bytes: number): void
  /** Each piece of data waits this long, in order. */
  setDelayMs(delayMs: number): void
  /** Every connection loses its other side without a word: half-open, as after a router forgot them. */
  halfOpen(): void
  stop(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  forgotten: boolean
}

/** A bad network between us and one server, on an address of its own. */
export async function startTcpProxy(
  target: { readonly address: string; readonly port: number },
  address = '127.0.0.1',
): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  const timers = new Set<NodeJS.Timeout>()
  let mode: ProxyMode = 'pass'
  let delayMs = 0
  let bytes = 0
  let cutAt = Number.POSITIVE_INFINITY
  let server = await listen(0)
  const { port } = server.address() as { readonly port: number }

  function listen(on: number): Promise<Server> {
    return new Promise((resolve, reject) => {
      const made = createServer(accept)
      made.once('error', reject)
      made.listen(on, address, () => resolve(made))
    })
  }

  function accept(client: Socket): void {
    const upstream = connect(target.port, target.address)
    const pair: Pair = { client, upstream, forgotten: false }
    pairs.add(pair)
    pump(client, upstream, pair)
    pump(upstream, client, pair)
    if (mode === 'freeze') pauseAll(pair)
  }

  function pauseAll({ client, upstream }: Pair): void {
    client.pause()
    upstream.pause()
  }

  function pump(from: Socket, to: Socket, pair: Pair): void {
    from.setNoDelay(true)
    from.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes >= cutAt) {
        if (mode !== 'refuse') to.write(chunk.subarray(0, Math.max(0, chunk.length - (bytes - cutAt))))
        mode = 'refuse'
        void close()
        resetAll()
      } else later(() => pair.forgotten || to.write(chunk))
    })
    const end = (): void => {
      pairs.delete(pair)
      later(() => pair.forgotten || to.destroy())
    }
    from.on('close', end)
    from.on('error', () => undefined)
  }

  function later(act: () => void): void {
    if (delayMs === 0) {
      act()
      return
    }
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, delayMs)
    timers.add(timer)
  }

  const resetAll = (): void => {
    for (const { client, upstream } of pairs) {
      client.resetAndDestroy()
      upstream.destroy()
    }
    pairs.clear()
  }
  const close = (): Promise<void> =>
    new Promise((resolve) => (server.listening ? server.close(() => resolve()) : resolve()))

  return {
    address,
    port,
    get open() {
      return pairs.size
    },
    get bytes() {
      return bytes
    },
    cutAfter: (more) => {
      cutAt = bytes + more
    },
    set: async (next) => {
      cutAt = Number.POSITIVE_INFINITY
      if (next === 'refuse') {
        const closed = close()
        resetAll()
        await closed
      } else if (mode === 'refuse') server = await listen(port)
      mode = next
      for (const pair of pairs) {
        if (next === 'freeze') pauseAll(pair)
        else if (next === 'pass') for (const socket of [pair.client, pair.upstream]) socket.resume()
      }
    },
    setDelayMs: (next) => {
      delayMs = next
    },
    halfOpen: () => {
      for (const pair of pairs) {
        pair.forgotten = true
        pair.upstream.destroy()
      }
    },
    stop: async () => {
      for (const timer of timers) clearTimeout(timer)
      const closed = close()
      resetAll()
      await closed
    },
  }
}
