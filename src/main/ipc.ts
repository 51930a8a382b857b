import { ipcMain, type WebFrameMain } from 'electron'
import {
  type PortMessage,
  portChannel,
  portMessageKind,
  type ShellEvent,
  shellCallChannel,
  shellEventChannel,
} from '../shared/desktopBridge.ts'
import { AppError } from '../shared/errors.ts'
import { isTrustedFrame, type PagePlace } from './security.ts'
import { answerShellCall, type ShellHandlers } from './shellCalls.ts'

/* The only file of the main process that touches IPC; biome refuses `ipcMain` everywhere else. */

type TransferablePort = Parameters<WebFrameMain['postMessage']>[2] extends (infer Port)[] | undefined ? Port : never

/** Serves the one channel. */
export function serveShellCalls(place: PagePlace, handlers: ShellHandlers<WebFrameMain>): void {
  ipcMain.handle(shellCallChannel, (event, input: unknown) => {
    const frame = event.senderFrame
    if (!isTrustedFrame(frame, place)) {
      return { ok: false, error: new AppError('FORBIDDEN', 'Only the console itself may call.').toBody() }
    }
    return answerShellCall(input, frame, handlers)
  })
}

/** Hands a port to exactly the frame that asked for it. */
export function sendPort(frame: WebFrameMain, requestId: string, port: TransferablePort): void {
  const message: PortMessage = { kind: portMessageKind, requestId }
  frame.postMessage(portChannel, message, [port])
}

export function refusePort(frame: WebFrameMain, requestId: string, reason: string): void {
  const message: PortMessage = { kind: portMessageKind, requestId, error: reason }
  frame.postMessage(portChannel, message)
}

export function sendShellEvent(contents: Electron.WebContents, event: ShellEvent): void {
  contents.send(shellEventChannel, event)
}
