import { EventEmitter } from 'node:events'
import type { Session, WebContents } from 'electron'
import { describe, expect, it, vi } from 'vitest'
import {
  hardenContents,
  hardenSession,
  isExternalUrl,
  isPageUrl,
  isTrustedFrame,
  type PagePlace,
  secureWebPreferences,
} from './security.ts'

const place: PagePlace = { origin: 'app://console', url: 'app://console/index.html' }

class FakeContents extends EventEmitter {
  openHandler: (details: { readonly url: string }) => { readonly action: string } = () => ({ action: 'allow' })

  setWindowOpenHandler(handler: typeof this.openHandler): void {
    this.openHandler = handler
  }
}

function hardened() {
  const contents = new FakeContents()
  const openExternal = vi.fn()
  hardenContents(contents as unknown as WebContents, { place, openExternal })
  return { contents, openExternal }
}

function isRefused(contents: EventEmitter, event: string, details: object = {}): boolean {
  const preventDefault = vi.fn()
  contents.emit(event, { ...details, preventDefault })
  return preventDefault.mock.calls.length > 0
}

function hardenedSession() {
  const session = Object.assign(new EventEmitter(), {
    setPermissionRequestHandler: vi.fn(),
    setPermissionCheckHandler: vi.fn(),
    setDevicePermissionHandler: vi.fn(),
    setDisplayMediaRequestHandler: vi.fn(),
    setSpellCheckerEnabled: vi.fn(),
  })
  hardenSession(session as unknown as Session, place)
  return session
}

describe('security checklist', () => {
  it('1 to 4: sandbox, context isolation, no node, web security, no webview, no developer tools in a release', () => {
    const preferences = secureWebPreferences({ preload: '/p.cjs', preloadArguments: [], isDevelopment: false })
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      devTools: false,
    })
    expect(secureWebPreferences({ preload: '/p.cjs', preloadArguments: [], isDevelopment: true }).devTools).toBe(true)
  })

  it.each(['app://console/index.html', 'app://console/index.html#/runs'])('13: stays on its own page: %s', (url) => {
    expect(isPageUrl(url, place)).toBe(true)
    expect(isRefused(hardened().contents, 'will-navigate', { url })).toBe(false)
  })

  it.each([
    'https://example.org/',
    'app://console.example.org/',
    'app://console@example.org/',
    'app://other/index.html',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/html,x',
    'not a url',
  ])('13: goes nowhere else: %s', (url) => {
    expect(isRefused(hardened().contents, 'will-navigate', { url })).toBe(true)
    expect(isRefused(hardened().contents, 'will-frame-navigate', { url, isMainFrame: true })).toBe(true)
  })

  it('13: loads no document into a frame, follows no redirect', () => {
    const { contents } = hardened()
    expect(isRefused(contents, 'will-frame-navigate', { url: 'app://console/index.html', isMainFrame: false })).toBe(
      true,
    )
    expect(isRefused(contents, 'will-redirect')).toBe(true)
  })

  it('12: attaches no webview', () => {
    expect(isRefused(hardened().contents, 'will-attach-webview')).toBe(true)
  })

  it('14 and 15: opens no window of its own, and hands only https to the browser', () => {
    const { contents, openExternal } = hardened()
    expect(contents.openHandler({ url: 'https://example.org/' })).toEqual({ action: 'deny' })
    expect(contents.openHandler({ url: 'file:///etc/passwd' })).toEqual({ action: 'deny' })
    expect(contents.openHandler({ url: 'http://example.org/' })).toEqual({ action: 'deny' })
    expect(openExternal.mock.calls).toEqual([['https://example.org/']])
    expect(isExternalUrl('https://user:secret@example.org/')).toBe(false)
  })

  it('5: denies every permission, device and screen', () => {
    const session = hardenedSession()
    const answer = vi.fn()
    session.setPermissionRequestHandler.mock.calls[0]?.[0](null, 'media', answer)
    expect(answer).toHaveBeenCalledWith(false)
    expect(session.setPermissionCheckHandler.mock.calls[0]?.[0](null, 'clipboard-read', '')).toBe(false)
    expect(session.setDevicePermissionHandler.mock.calls[0]?.[0]({})).toBe(false)
  })

  it('downloads only what the page itself has made', () => {
    const session = hardenedSession()
    const download = (url: string): boolean => {
      const preventDefault = vi.fn()
      session.emit('will-download', { preventDefault }, { getURL: () => url })
      return preventDefault.mock.calls.length === 0
    }
    expect(download('blob:app://console/0b5c')).toBe(true)
    expect(download('blob:app://console.example.org/0b5c')).toBe(false)
    expect(download('https://example.org/setup.exe')).toBe(false)
  })

  it('17: hears calls only from the top frame of its own page', () => {
    const own = { url: 'app://console/index.html#/runs', parent: null }
    expect(isTrustedFrame(own, place)).toBe(true)
    expect(isTrustedFrame(null, place)).toBe(false)
    expect(isTrustedFrame({ ...own, parent: own }, place)).toBe(false)
    expect(isTrustedFrame({ ...own, url: 'https://example.org/' }, place)).toBe(false)
    expect(isTrustedFrame({ ...own, url: 'app://console.example.org/' }, place)).toBe(false)
    expect(isTrustedFrame({ ...own, url: '' }, place)).toBe(false)
  })
})
