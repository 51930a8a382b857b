import {
  type BrowserWindow,
  clipboard,
  MessageChannelMain,
  type MessagePortMain,
  shell,
  type WebFrameMain,
} from 'electron'
import type { ShellAnswer } from '../shared/desktopBridge.ts'
import { AppError, toAppError } from '../shared/errors.ts'
import type { EngineHost, PortTarget } from './engineHost.ts'
import { refusePort, sendPort } from './ipc.ts'
import type { createNotices } from './notices.ts'
import type { RecentControlPlanes } from './recentControlPlanes.ts'
import { isExternalUrl } from './security.ts'
import type { ShellHandlers } from './shellCalls.ts'

const done: ShellAnswer = { ok: true }

interface HandlerOptions {
  readonly engine: EngineHost<MessagePortMain>
  readonly notices: ReturnType<typeof createNotices>
  readonly openWindow: (hash: string) => BrowserWindow
  readonly recent: RecentControlPlanes
}

/** @throws AppError FORBIDDEN for anything but https */
export async function openInBrowser(url: string): Promise<void> {
  if (!isExternalUrl(url))
    throw new AppError('FORBIDDEN', 'Only https links are opened outside of the console.', { data: { url } })
  await shell.openExternal(url)
}

export function createShellHandlers({
  engine,
  notices,
  openWindow,
  recent,
}: HandlerOptions): ShellHandlers<WebFrameMain> {
  const handPort = async (frame: WebFrameMain, requestId: string, target: PortTarget): Promise<ShellAnswer> => {
    try {
      sendPort(frame, requestId, await engine.openPort(target))
      return done
    } catch (thrown) {
      const error = toAppError(thrown)
      refusePort(frame, requestId, error.message)
      return { ok: false, error: error.toBody() }
    }
  }
  return {
    requestEnginePort: ({ requestId }, frame) => handPort(frame, requestId, { kind: 'engine' }),
    requestTerminalPort: ({ requestId, terminalId }, frame) =>
      handPort(frame, requestId, { kind: 'terminal', terminalId }),
    notify: ({ notice: { title, body, hash } }) => {
      notices.show({ title, body, ...(hash === undefined ? {} : { hash }) })
      return done
    },
    openExternal: async ({ url }) => {
      await openInBrowser(url)
      return done
    },
    copyText: ({ text }) => {
      clipboard.writeText(text)
      return done
    },
    openWindow: ({ hash }) => {
      openWindow(hash)
      return done
    },
    engineState: () => ({ ok: true, engineState: engine.report }),
    restartEngine: () => {
      engine.restart()
      return done
    },
    connectTo: ({ controlPlane }) => {
      if (controlPlane !== null) recent.add(controlPlane)
      engine.connectTo(controlPlane)
      return done
    },
    recentControlPlanes: () => ({ ok: true, recentControlPlanes: recent.list() }),
  }
}

/** Port 1 stays with the window, port 2 goes to the engine. */
export function createChannel(): { near: MessagePortMain; far: MessagePortMain } {
  const { port1, port2 } = new MessageChannelMain()
  return { near: port1, far: port2 }
}
