import { contextBridge, type IpcRendererEvent, ipcRenderer } from 'electron'
import {
  type DesktopBridge,
  type EngineStateReport,
  type PortMessage,
  portChannel,
  type ShellAnswer,
  type ShellCall,
  type ShellEvent,
  shellCallChannel,
  shellEventChannel,
} from '../shared/desktopBridge.ts'

/*
 * The bridge between the page and the main process. It holds no state and takes no decision: main validates every call.
 * Nothing of Electron's is handed to the page, neither `ipcRenderer` nor one of its events.
 */

const argument = (name: string): string => {
  const prefix = `--lockstep-${name}=`
  return process.argv.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? ''
}
const pageOrigin = argument('origin')

const call = (message: ShellCall): Promise<ShellAnswer> =>
  ipcRenderer.invoke(shellCallChannel, message) as Promise<ShellAnswer>

/** For calls whose failure the page hears another way, or cannot help. */
const tell = (message: ShellCall): void => {
  call(message).catch(() => undefined)
}

function onShellEvent(listener: (event: ShellEvent) => void): () => void {
  const receive = (_event: IpcRendererEvent, event: ShellEvent): void => listener(event)
  ipcRenderer.on(shellEventChannel, receive)
  return () => ipcRenderer.off(shellEventChannel, receive)
}

function onEngineState(listener: (report: EngineStateReport) => void): () => void {
  const unsubscribe = onShellEvent((event) => {
    if (event.kind === 'engineState') listener(event.report)
  })
  void call({ kind: 'engineState' }).then((answer) => {
    if (answer.ok && answer.engineState !== undefined) listener(answer.engineState)
  })
  return unsubscribe
}

/** The page starts with whatever runs then; only a later return to `running` is a restart. */
function onEngineRestarted(listener: () => void): () => void {
  let wasAway = false
  return onEngineState(({ state }) => {
    if (state === 'running' && wasAway) listener()
    wasAway = state === 'restarting' || state === 'failed'
  })
}

async function copyText(text: string): Promise<void> {
  const answer = await call({ kind: 'copyText', text })
  if (!answer.ok) throw new Error(answer.error.message)
}

const bridge: DesktopBridge = {
  platform: process.platform,
  versions: {
    lockstep: argument('version'),
    electron: process.versions.electron ?? '',
    chrome: process.versions.chrome ?? '',
    node: process.versions.node ?? '',
  },
  requestEnginePort: (requestId) => tell({ kind: 'requestEnginePort', requestId }),
  requestTerminalPort: (requestId, terminalId) => tell({ kind: 'requestTerminalPort', requestId, terminalId }),
  onEngineRestarted,
  onEngineState,
  restartEngine: () => tell({ kind: 'restartEngine' }),
  connectTo: async (controlPlane) => {
    const answer = await call({ kind: 'connectTo', controlPlane })
    if (!answer.ok) throw new Error(answer.error.message)
  },
  recentControlPlanes: async () => {
    const answer = await call({ kind: 'recentControlPlanes' })
    return answer.ok ? (answer.recentControlPlanes ?? []) : []
  },
  onNavigate: (listener) =>
    onShellEvent((event) => {
      if (event.kind === 'navigate') listener(event.hash)
    }),
  onCommand: (listener) =>
    onShellEvent((event) => {
      if (event.kind === 'command') listener(event.command)
    }),
  notify: (notice) => tell({ kind: 'notify', notice }),
  openExternal: (url) => tell({ kind: 'openExternal', url }),
  openWindow: (hash) => tell({ kind: 'openWindow', hash }),
  copyText,
}

ipcRenderer.on(portChannel, (event, message: PortMessage) => {
  // The page's own window, and only while it is the console that stands in it.
  window.postMessage(message, pageOrigin, [...event.ports])
})
contextBridge.exposeInMainWorld('lockstep', bridge)
