import type { Session, WebContents, WebPreferences } from 'electron'

/*
 * Electron's security checklist, point by point; `security.test.ts` has a test for each. What is not here: the content
 * security policy (`platform/consolePage.ts`), the sender of calls (`ipc.ts`), and the fuses, which the packager sets:
 * RunAsNode off, EnableNodeOptionsEnvironmentVariable off, EnableNodeCliInspectArguments off, OnlyLoadAppFromAsar on,
 * EnableEmbeddedAsarIntegrityValidation on, GrantFileProtocolExtraPrivileges off, EnableCookieEncryption on.
 */

/** Where our page is served from: `app://console`, or the development server. */
export interface PagePlace {
  readonly origin: string
  /** Without a hash. */
  readonly url: string
}

interface PreferenceOptions {
  readonly preload: string
  /** Seen by the preload script in its `process.argv`; nothing secret. */
  readonly preloadArguments: readonly string[]
  readonly isDevelopment: boolean
}

export function secureWebPreferences({ preload, preloadArguments, isDevelopment }: PreferenceOptions): WebPreferences {
  return {
    preload,
    additionalArguments: [...preloadArguments],
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    devTools: isDevelopment,
  }
}

/** Compares origins, never prefixes: `app://console.evil` and `app://console@evil` are other places. */
export function isPageUrl(url: string, place: PagePlace): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, host, username, password } = new URL(url)
  return `${protocol}//${host}` === place.origin && username === '' && password === ''
}

interface CallingFrame {
  readonly url: string
  readonly parent: unknown
}

/** A call counts only from the top frame of our own page; a frame that is gone or has moved on is nobody. */
export function isTrustedFrame<Frame extends CallingFrame>(frame: Frame | null, place: PagePlace): frame is Frame {
  return frame !== null && frame.parent === null && isPageUrl(frame.url, place)
}

/** What may be handed to the person's browser. */
export function isExternalUrl(url: string): boolean {
  if (url.length > 2048 || !URL.canParse(url)) return false
  const { protocol, username, password } = new URL(url)
  return protocol === 'https:' && username === '' && password === ''
}

interface HardenOptions {
  readonly place: PagePlace
  readonly openExternal: (url: string) => void
}

/** For every WebContents there will ever be, whoever makes it. */
export function hardenContents(contents: WebContents, { place, openExternal }: HardenOptions): void {
  contents.on('will-navigate', (event) => {
    if (!isPageUrl(event.url, place)) event.preventDefault()
  })
  contents.on('will-frame-navigate', (event) => {
    // The page has no frames: only its own document may load.
    if (!event.isMainFrame || !isPageUrl(event.url, place)) event.preventDefault()
  })
  contents.on('will-redirect', (event) => event.preventDefault())
  contents.on('will-attach-webview', (event) => event.preventDefault())
  contents.setWindowOpenHandler(({ url }) => {
    if (isExternalUrl(url)) openExternal(url)
    return { action: 'deny' }
  })
}

/**
 * No camera, no location, no notifications of the page's own, no devices. The only download is what the page itself has
 * made, such as a saved log; Electron asks the person where to put it.
 */
export function hardenSession(session: Session, place: PagePlace): void {
  session.setPermissionRequestHandler((_contents, _permission, callback) => callback(false))
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)
  session.setDisplayMediaRequestHandler((_request, callback) => callback({}))
  session.setSpellCheckerEnabled(false)
  session.on('will-download', (event, item) => {
    if (!item.getURL().startsWith(`blob:${place.origin}/`)) event.preventDefault()
  })
}
