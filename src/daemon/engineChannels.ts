import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { RPCHandler } from '@orpc/server/ws'
import { WebSocket, WebSocketServer } from 'ws'
import type { Engine } from '../engine/engine.ts'
import type { TerminalDuplex } from '../engine/terminals/duplex.ts'
import type { Caller } from '../shared/contract/base.ts'
import { TerminalId } from '../shared/model/ids.ts'

/** No call of the contract comes near this; more ends the connection. */
const largestMessageBytes = 32 * 1024 * 1024

export interface EngineChannels {
  /** Takes an upgrade that the host has let in: `/rpc`, or `/terminal/<id>`. Everything else is cut. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Resolves when nobody is connected any more, or when that takes too long. */
  left(limitMs: number): Promise<void>
  /** Ends all channels. */
  close(): void
}

type Channel = { readonly kind: 'rpc' } | { readonly kind: 'terminal'; readonly terminalId: TerminalId }

function channelOf(url: string | undefined): Channel | null {
  if (url === '/rpc') return { kind: 'rpc' }
  const id = TerminalId.safeParse(/^\/terminal\/([^/?#]+)$/.exec(url ?? '')?.[1])
  return id.success ? { kind: 'terminal', terminalId: id.data } : null
}

function duplexOver(socket: WebSocket): TerminalDuplex {
  return {
    send: (bytes) => socket.send(bytes),
    onMessage: (listener) => {
      socket.removeAllListeners('message')
      socket.on('message', (data, isBinary) =>
        isBinary ? listener(new Uint8Array(data as Buffer)) : socket.terminate(),
      )
    },
    onClose: (listener) => void socket.once('close', listener),
    close: () => socket.close(),
  }
}

/**
 * The engine over WebSockets, whatever carries them: the unix socket of the home, or loopback HTTP.
 * @param callerOf who has opened a channel, by its request
 */
export function createEngineChannels(engine: Engine, callerOf: (request: IncomingMessage) => Caller): EngineChannels {
  const handler = new RPCHandler(engine.router)
  const server = new WebSocketServer({ noServer: true, maxPayload: largestMessageBytes, perMessageDeflate: false })
  return {
    upgrade: (request, socket, head) => {
      const channel = channelOf(request.url)
      if (channel === null) {
        socket.destroy()
        return
      }
      server.handleUpgrade(request, socket, head, (client) => {
        client.on('error', () => client.terminate())
        if (channel.kind === 'rpc') void handler.upgrade(client, { context: { caller: callerOf(request) } })
        else engine.attachTerminal(channel.terminalId, duplexOver(client))
      })
    },
    left: async (limitMs) => {
      const limit = AbortSignal.timeout(limitMs)
      for (const client of server.clients) {
        if (client.readyState !== WebSocket.CLOSED)
          await once(client, 'close', { signal: limit }).catch(() => undefined)
      }
    },
    close: () => {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
}
