import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Engine } from '../engine/engine.ts'
import { localCaller } from './caller.ts'
import { createEngineChannels } from './engineChannels.ts'

export interface SocketServerOptions {
  /** Inside a 0700 directory of a home that this process owns: what lies there is of a process that is gone. */
  readonly path: string
  /** Makes a one-time link to the console; absent where no console is served. */
  readonly newLoginLink?: () => string
}

export interface SocketServer {
  close(): Promise<void>
}

/** The way to an engine for other processes of the same user: the command line, and the desktop app next to a daemon. */
export async function serveSocket(engine: Engine, options: SocketServerOptions): Promise<SocketServer> {
  const channels = createEngineChannels(engine, localCaller('socket'))
  const http = createServer((request, response) => {
    const link = request.method === 'POST' && request.url === '/login-link' ? options.newLoginLink?.() : undefined
    response.writeHead(link === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(link)
  })
  http.on('upgrade', channels.upgrade)
  rmSync(options.path, { force: true })
  await new Promise<void>((resolve, reject) => http.once('error', reject).listen(options.path, resolve))
  chmodSync(options.path, 0o600)
  return {
    close: async () => {
      channels.close()
      await new Promise((resolve) => http.close(resolve))
      rmSync(options.path, { force: true })
    },
  }
}
