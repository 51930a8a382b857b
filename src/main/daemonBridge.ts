import type { MessagePortMain } from 'electron'
import { WebSocket } from 'ws'
import { AppError } from '../shared/errors.ts'
import { toBytes } from './portDuplex.ts'

/** The way to a daemon that owns this home: its unix socket, one WebSocket for each port. */
export interface DaemonBridge {
  /** Passes whole messages on, text as text and bytes as bytes; when one side ends, so does the other. */
  relay(path: string, port: MessagePortMain): void
  /** The daemon has ended. */
  onClosed(listener: () => void): void
  close(): void
}

const handshakeTimeoutMs = 5_000

interface DaemonBridgeOptions {
  /** Said with every channel, e.g. who sits here when the daemon is elsewhere. */
  readonly headers?: Readonly<Record<string, string>>
}

/** @throws AppError HOME_IN_USE when whoever owns the home does not answer */
export async function connectDaemon(
  socketPath: string,
  { headers = {} }: DaemonBridgeOptions = {},
): Promise<DaemonBridge> {
  const open = (path: string): WebSocket =>
    new WebSocket(`ws+unix:${socketPath}:${path}`, {
      handshakeTimeout: handshakeTimeoutMs,
      perMessageDeflate: false,
      headers,
    })
  const presence = open('/rpc')
  await new Promise<void>((resolve, reject) => {
    presence.once('open', resolve)
    presence.once('error', (cause) => reject(noAnswer(socketPath, cause)))
  })
  presence.on('error', () => undefined)
  return {
    relay: (path, port) => relay(open(path), port),
    onClosed: (listener) => presence.once('close', listener),
    close: () => presence.terminate(),
  }
}

function relay(socket: WebSocket, port: MessagePortMain): void {
  const opened = new Promise<void>((resolve) => socket.once('open', () => resolve()))
  socket.on('message', (data, isBinary) => {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)])
    port.postMessage(isBinary ? new Uint8Array(bytes) : bytes.toString('utf8'))
  })
  socket.on('close', () => port.close())
  socket.on('error', () => socket.terminate())
  port.on('message', ({ data }) => {
    const outgoing = typeof data === 'string' ? data : toBytes(data)
    if (outgoing === null) return socket.terminate()
    void opened.then(() => socket.readyState === WebSocket.OPEN && socket.send(outgoing))
  })
  port.on('close', () => socket.close())
  port.start()
}

function noAnswer(socketPath: string, cause: unknown): AppError {
  return new AppError(
    'HOME_IN_USE',
    'Another process owns the data directory and does not answer. Stop it, or choose another directory with --home.',
    {
      data: { socketPath },
      cause,
    },
  )
}
