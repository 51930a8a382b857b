import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Engine } from '../engine/engine.ts'
import { socketCaller } from './caller.ts'
import { createEngineChannels } from './engineChannels.ts'
import { type Hello, helloPath } from './hello.ts'
import type { Observation } from './observation.ts'

export interface SocketServerOptions {
  /** Inside a 0700 directory of a home that this process owns: what lies there is of a process that is gone. */
  readonly path: string
  readonly hello: Hello
  /** Makes a one-time link to the console; absent where no console is served. */
  readonly newLoginLink?: () => string
  /** Absent where nobody measures. */
  readonly observation?: Observation
}

export interface SocketServer {
  /** Lets nobody in any more, and those that are in end what they are at; not for longer than `limitMs`. */
  leave(limitMs: number): Promise<void>
  close(): Promise<void>
}

/** The way to an engine for other processes of the same user: the command line, and the desktop app next to a daemon. */
export async function serveSocket(engine: Engine, options: SocketServerOptions): Promise<SocketServer> {
  const channels = createEngineChannels(engine, socketCaller)
  const http = createServer((request, response) => {
    if (options.observation?.answer(request, response) !== true) answer(request, response, options)
  })
  http.on('upgrade', channels.upgrade)
  rmSync(options.path, { force: true })
  await new Promise<void>((resolve, reject) => http.once('error', reject).listen(options.path, resolve))
  chmodSync(options.path, 0o600)
  return {
    leave: async (limitMs) => {
      http.close()
      await channels.left(limitMs)
    },
    close: async () => {
      channels.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      rmSync(options.path, { force: true })
    },
  }
}

function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  { hello, newLoginLink }: SocketServerOptions,
): void {
  if (method === 'GET' && url === helloPath) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(hello))
    return
  }
  const link = method === 'POST' && url === '/login-link' ? newLoginLink?.() : undefined
  response.writeHead(link === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(link)
}
