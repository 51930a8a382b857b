import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  app,
  dialog,
  Menu,
  type MessagePortMain,
  Notification,
  powerMonitor,
  protocol,
  safeStorage,
  session,
  utilityProcess,
} from 'electron'
import { systemClock } from '../platform/clock.ts'
import { homePaths, resolveHomeDirectory } from '../platform/paths.ts'
import { ControlPlane } from '../shared/controlPlane.ts'
import { consoleOrigin, consoleScheme, deepLinkScheme, type ShellCommand } from '../shared/desktopBridge.ts'
import { parseArguments } from './arguments.ts'
import { findDeepLink, parseDeepLink } from './deepLinks.ts'
import { EngineHost, type EngineProcessHandle } from './engineHost.ts'
import { createChannel, createShellHandlers, openInBrowser } from './handlers.ts'
import { serveShellCalls } from './ipc.ts'
import { menuTemplate } from './menu.ts'
import { createNotices } from './notices.ts'
import { consoleSchemePrivileges, createConsoleHandler } from './protocol.ts'
import { recentControlPlanes } from './recentControlPlanes.ts'
import { hardenContents, hardenSession, type PagePlace } from './security.ts'
import { createTray } from './tray.ts'
import { asSafeStorage, obtainVaultMaterial } from './vault.ts'
import { Windows } from './windows.ts'

/* Puts the desktop app together. No rule of the business is here: those are the engine's. */

/** How long running work may take to come to a safe point when the app quits. */
const drainTimeoutMs = 10_000

const options = parseArguments(process.argv.slice(1))
const home = homePaths(resolveHomeDirectory(options.home))
const isDevelopment = !app.isPackaged
const developmentUrl = isDevelopment ? process.env.ELECTRON_RENDERER_URL : undefined
const place: PagePlace =
  developmentUrl === undefined
    ? { origin: consoleOrigin, url: `${consoleOrigin}/index.html` }
    : { origin: new URL(developmentUrl).origin, url: developmentUrl }
const resources = join(app.getAppPath(), 'resources')

/**
 * One app for each home: its lock, its window state and Chromium's files lie in the home. Where that cannot be written
 * the window opens all the same, because it is what tells the person so.
 */
function placeUserData(): string {
  const directory = join(home.home, 'desktop')
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    app.setPath('userData', directory)
  } catch {
    // The engine meets the same obstacle and names it.
  }
  return app.getPath('userData')
}

const userData = placeUserData()
app.enableSandbox()
protocol.registerSchemesAsPrivileged([consoleSchemePrivileges])

const windows = new Windows({
  place,
  preload: join(import.meta.dirname, '../preload/index.cjs'),
  preloadArguments: [`--lockstep-origin=${place.origin}`, `--lockstep-version=${app.getVersion()}`],
  icon: join(resources, 'icon.png'),
  stateFile: join(userData, 'window.json'),
  isDevelopment,
})
const safeStore = asSafeStorage(safeStorage, process.platform)
const engine = new EngineHost<MessagePortMain>({
  home: home.home,
  version: app.getVersion(),
  demoNodes: options.demoNodes,
  remote: options.remote,
  clock: systemClock,
  fork: forkEngine,
  createChannel,
  obtainVault: () => obtainVaultMaterial({ file: home.vaultFile, safeStorage: safeStore }),
  onState: (report) => {
    tray?.setState(report.state)
    windows.broadcast({ kind: 'engineState', report })
  },
})
const recent = recentControlPlanes(join(userData, 'control-planes.json'))
let tray: ReturnType<typeof createTray> | null = null

function forkEngine(): EngineProcessHandle<MessagePortMain> {
  const child = utilityProcess.fork(join(import.meta.dirname, 'engineProcess.js'), [], {
    serviceName: 'Lockstep engine',
  })
  return {
    postMessage: (message, ports) => child.postMessage(message, ports),
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => child.once('exit', listener),
    kill: () => child.kill(),
  }
}

/** macOS hands over the link that started the app before the app is ready. */
let earlyLink: string | null = null

function openLink(hash: string | null): void {
  if (app.isReady()) windows.show(hash ?? undefined)
  else earlyLink = hash ?? earlyLink
}

function start(): void {
  hardenSession(session.defaultSession, place)
  protocol.handle(consoleScheme, createConsoleHandler(join(import.meta.dirname, '../renderer')))
  const notices = createNotices({
    create: (notice) => new Notification(notice),
    isSupported: () => Notification.isSupported(),
    open: (hash) => windows.show(hash),
    now: () => systemClock.monotonicMs(),
  })
  serveShellCalls(place, createShellHandlers({ engine, notices, recent, openWindow: (hash) => windows.open(hash) }))
  const menuActions = {
    openWindow: () => void windows.open(),
    navigate: (hash: string) => windows.send({ kind: 'navigate', hash }),
    command: (command: ShellCommand) => windows.send({ kind: 'command', command }),
  }
  Menu.setApplicationMenu(
    Menu.buildFromTemplate(menuTemplate(menuActions, { platform: process.platform, isDevelopment })),
  )
  tray = createTray({ icon: join(resources, 'tray.png'), show: () => windows.show(), quit: () => app.quit() })
  app.setAsDefaultProtocolClient(deepLinkScheme)
  powerMonitor.on('resume', () => engine.wake())
  engine.start()
  windows.open(findDeepLink(process.argv) ?? earlyLink ?? '')
}

/** Once: the first request to quit is put off until the engine has come to rest. */
function drainBeforeQuit(): void {
  let drained = false
  app.on('before-quit', (event) => {
    if (drained) return
    event.preventDefault()
    void engine.stop({ timeoutMs: drainTimeoutMs }).finally(() => {
      drained = true
      app.quit()
    })
  })
}

if (app.requestSingleInstanceLock()) {
  app.on('web-contents-created', (_event, contents) => {
    hardenContents(contents, { place, openExternal: (url) => void openInBrowser(url).catch(() => undefined) })
  })
  app.on('second-instance', (_event, argv) => {
    // "lockstep-desktop --host …" once more is a wish, too; one home has one app.
    const { remote } = parseArguments(argv.slice(1))
    if (remote !== null && ControlPlane.safeParse(remote).success) engine.connectTo(remote)
    openLink(findDeepLink(argv))
  })
  app.on('open-url', (event, url) => {
    event.preventDefault()
    openLink(parseDeepLink(url))
  })
  app.on('activate', () => windows.show())
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  drainBeforeQuit()
  app.whenReady().then(start, (error: unknown) => dialog.showErrorBox('Lockstep cannot start', String(error)))
} else {
  app.quit()
}
