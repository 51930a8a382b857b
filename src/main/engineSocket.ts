import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { RPCHandler } from '@orpc/server/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Engine } from '../engine/engine.ts'
import type { Caller } from '../shared/contract/base.ts'
import { TerminalId } from '../shared/model/ids.ts'
import type { FrameDuplex } from './portDuplex.ts'

const largestMessageBytes = 32 * 1024 * 1024

/** The command line's way to the engine of the desktop app: the same unix socket that a daemon serves. */
export async function serveEngineSocket(
  engine: Engine,
  options: { readonly path: string; readonly caller: Caller },
): Promise<{ close(): void }> {
  const handler = new RPCHandler(engine.router)
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessageBytes, perMessageDeflate: false })
  const http = createServer((_request, response) => response.writeHead(404).end())
  http.on('upgrade', (request, socket, head) => {
    const terminalId = terminalOf(request)
    if (request.url !== '/rpc' && terminalId === null) {
      socket.destroy()
      return
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      if (terminalId === null) void handler.upgrade(client, { context: { caller: options.caller } })
      else engine.attachTerminal(terminalId, duplexOverSocket(client))
    })
  })
  rmSync(options.path, { force: true })
  await new Promise<void>((resolve, reject) => http.once('error', reject).listen(options.path, resolve))
  chmodSync(options.path, 0o600)
  return {
    close: () => {
      for (const client of sockets.clients) client.terminate()
      http.close()
      rmSync(options.path, { force: true })
    },
  }
}

function terminalOf({ url }: IncomingMessage): TerminalId | null {
  const id = /^\/terminal\/([^/?#]+)$/.exec(url ?? '')?.[1]
  return TerminalId.safeParse(id).data ?? null
}

function duplexOverSocket(socket: WebSocket): FrameDuplex {
  return {
    send: (bytes) => socket.send(bytes),
    onMessage: (listener) => void socket.on('message', (data) => listener(new Uint8Array(data as Buffer))),
    onClose: (listener) => void socket.once('close', listener),
    close: () => socket.close(),
  }
}
