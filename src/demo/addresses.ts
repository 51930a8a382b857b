import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { AppError } from '../shared/errors.ts'

/** Below the range from which systems take the ports of outgoing connections. */
const firstPort = 20_000
const lastPort = 31_999
const tries = 200

const sharedAddress = '127.0.0.1'

export interface FreeEndpoint {
  readonly address: string
  readonly port: number
}

type BindResult = 'free' | 'taken' | 'no-such-address'

function tryBind(endpoint: FreeEndpoint): Promise<BindResult> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRNOTAVAIL' ? 'no-such-address' : 'taken'),
    )
    server.listen({ host: endpoint.address, port: endpoint.port, exclusive: true }, () =>
      server.close(() => resolve('free')),
    )
  })
}

const randomPort = (): number => randomInt(firstPort, lastPort + 1)

/**
 * An endpoint that nothing listens on now: the preferred address and port where possible, another port where that is
 * taken, 127.0.0.1 where the system has no such address.
 * @param avoid `address:port` of nodes that exist but may not run now
 */
export async function findFreeEndpoint(
  preferred: FreeEndpoint | { readonly address: string },
  avoid: ReadonlySet<string>,
): Promise<FreeEndpoint> {
  let address = preferred.address
  let port = 'port' in preferred ? preferred.port : randomPort()
  for (let index = 0; index < tries; index += 1) {
    const taken = avoid.has(`${address}:${port}`)
    const result = taken ? 'taken' : await tryBind({ address, port })
    if (result === 'free') return { address, port }
    if (result === 'no-such-address') address = sharedAddress
    port = randomPort()
  }
  throw new AppError('ADDRESS_IN_USE', `No free port between ${firstPort} and ${lastPort} on ${address}.`)
}
