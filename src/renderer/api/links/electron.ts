import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { EngineClient } from '../../../shared/contract/index.ts'
import { type DesktopBridge, type PortMessage, portMessageKind } from '../../../shared/desktopBridge.ts'
import { AppError } from '../../../shared/errors.ts'
import type { EngineLink, TerminalDuplex } from '../link.ts'
import { randomKey } from '../randomKey.ts'
import { createDuplex } from './duplex.ts'
import { type Connection, createReconnectingLink } from './reconnecting.ts'

/** The host holds the request back while the engine starts, so this is long. */
const portTimeoutMs = 60_000

function isPortMessage(data: unknown): data is PortMessage {
  return typeof data === 'object' && data !== null && (data as { kind?: unknown }).kind === portMessageKind
}

/** Asks with a fresh id and waits for the window message that carries the port; another window's answer never fits. */
function requestPort(ask: (requestId: string) => void): Promise<MessagePort> {
  const requestId = randomKey()
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => {
      window.removeEventListener('message', onMessage)
      clearTimeout(timer)
      reject(new AppError('ENGINE_UNAVAILABLE', message))
    }
    const onMessage = (event: MessageEvent<unknown>): void => {
      if (event.source !== window || !isPortMessage(event.data) || event.data.requestId !== requestId) return
      const port = event.ports[0]
      if (port === undefined) {
        fail(event.data.error ?? 'The engine gave no connection.')
        return
      }
      window.removeEventListener('message', onMessage)
      clearTimeout(timer)
      resolve(port)
    }
    const timer = setTimeout(() => fail('The engine did not answer in time.'), portTimeoutMs)
    window.addEventListener('message', onMessage)
    ask(requestId)
  })
}

async function connect(bridge: DesktopBridge): Promise<Connection> {
  const port = await requestPort((requestId) => bridge.requestEnginePort(requestId))
  const { promise: closed, resolve: settleClosed } = Promise.withResolvers<void>()
  port.addEventListener('close', () => settleClosed(), { once: true })
  const link = new RPCLink({ port })
  port.start()
  return {
    link,
    closed,
    // The near end of a port hears no `close` of its own, and the peer inside the link must fail what is under way.
    close: () => {
      port.dispatchEvent(new Event('close'))
      port.close()
    },
  }
}

async function openTerminal(bridge: DesktopBridge, terminalId: string): Promise<TerminalDuplex> {
  const port = await requestPort((requestId) => bridge.requestTerminalPort(requestId, terminalId))
  const feed = createDuplex({ send: (frame) => port.postMessage(frame), close: () => port.close() })
  port.addEventListener('message', (event) => feed.receive(toBytes(event.data)))
  port.addEventListener('close', feed.closed)
  port.start()
  return feed.duplex
}

const toBytes = (data: unknown): Uint8Array => (data instanceof Uint8Array ? data : new Uint8Array(data as ArrayBuffer))

/** The desktop app: MessagePorts to the engine's process, brokered by the preload. */
export function createElectronLink(bridge: DesktopBridge): EngineLink {
  const { link, status, reconnect, close } = createReconnectingLink(() => connect(bridge))
  const unsubscribe = bridge.onEngineRestarted(reconnect)
  return {
    client: createORPCClient<EngineClient>(link),
    status,
    openTerminal: (terminalId) => openTerminal(bridge, terminalId),
    shell: {
      kind: 'desktop',
      platform: bridge.platform,
      versions: bridge.versions,
      notify: (notice) => bridge.notify(notice),
      openExternal: (url) => bridge.openExternal(url),
      copyText: (text) => bridge.copyText(text),
      desktop: {
        onEngineState: (listener) => bridge.onEngineState(listener),
        restartEngine: () => bridge.restartEngine(),
        connectTo: (controlPlane) => bridge.connectTo(controlPlane),
        recentControlPlanes: () => bridge.recentControlPlanes(),
        onNavigate: (listener) => bridge.onNavigate(listener),
        onCommand: (listener) => bridge.onCommand(listener),
        openWindow: (hash) => bridge.openWindow(hash),
      },
    },
    close: () => {
      unsubscribe()
      close()
    },
  }
}
