import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { EngineClient } from '../../../shared/contract/index.ts'
import { AppError } from '../../../shared/errors.ts'
import type { EngineLink, ShellCalls, TerminalDuplex } from '../link.ts'
import { createDuplex } from './duplex.ts'
import { type Connection, createReconnectingLink } from './reconnecting.ts'

const socketUrl = (path: string): string => new URL(path, location.href.replace(/^http/, 'ws')).href

/** The session has ended, not the engine: the host's own page says how to sign in. */
async function showSignInWhenSignedOut(): Promise<void> {
  const answer = await fetch('/', { method: 'HEAD', cache: 'no-store' }).catch(() => null)
  if (answer?.status === 401) location.reload()
}

const opened = (socket: WebSocket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('close', () => reject(new AppError('ENGINE_UNAVAILABLE', 'The engine does not answer.')), {
      once: true,
    })
  })

async function connect(): Promise<Connection> {
  const socket = new WebSocket(socketUrl('/rpc'))
  const closed = new Promise<void>((resolve) => socket.addEventListener('close', () => resolve(), { once: true }))
  const link = new RPCLink({ websocket: socket })
  try {
    await opened(socket)
  } catch (error) {
    await showSignInWhenSignedOut()
    throw error
  }
  return { link, closed, close: () => socket.close() }
}

async function openTerminal(terminalId: string): Promise<TerminalDuplex> {
  const socket = new WebSocket(socketUrl(`/terminal/${terminalId}`))
  socket.binaryType = 'arraybuffer'
  const feed = createDuplex({ send: (frame) => socket.send(frame), close: () => socket.close() })
  socket.addEventListener('message', (event) => feed.receive(new Uint8Array(event.data as ArrayBuffer)))
  socket.addEventListener('close', feed.closed)
  await opened(socket)
  return feed.duplex
}

/** Works without a secure context too: the console is often reached over plain loopback HTTP. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text)
  throw new AppError('UNSUPPORTED', 'This browser does not let the page copy. Select the text and press Ctrl+C.')
}

const webShell: ShellCalls = {
  kind: 'web',
  platform: navigator.platform,
  versions: {},
  notify: (notice) => {
    if (!('Notification' in window) || Notification.permission !== 'granted') return
    const shown = new Notification(notice.title, { body: notice.body })
    shown.addEventListener('click', () => {
      window.focus()
      if (notice.hash !== undefined) location.hash = notice.hash
    })
  },
  openExternal: (url) => window.open(url, '_blank', 'noopener,noreferrer'),
  copyText,
}

/** The console in a browser, served by the daemon: one WebSocket for calls, one for each terminal. */
export function createWebLink(): EngineLink {
  const { link, status, close } = createReconnectingLink(connect)
  return { client: createORPCClient<EngineClient>(link), status, openTerminal, shell: webShell, close }
}
