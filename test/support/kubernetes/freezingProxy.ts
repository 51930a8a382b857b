import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP connection that can die without a word, as when a firewall forgets it or a cable is pulled. */
export interface FreezingProxy {
  readonly port: number
  /** Connections that are open now carry nothing any more; new ones do. */
  freezeOpen(): void
  /** New ones carry nothing either. */
  freezeAll(): void
  thaw(): void
  stop(): Promise<void>
}

export async function startFreezingProxy(targetPort: number): Promise<FreezingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let frozen = false
  const freeze = ([near, far]: readonly [Socket, Socket]): void => {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.unpipe(to)
      from.pause()
    }
  }
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
    if (frozen) return freeze(pair)
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    freezeOpen: () => {
      for (const pair of pairs) freeze(pair)
    },
    freezeAll: () => {
      frozen = true
      for (const pair of pairs) freeze(pair)
    },
    thaw: () => {
      frozen = false
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const [near, far] of pairs) {
        near.destroy()
        far.destroy()
      }
      await closed
    },
  }
}
