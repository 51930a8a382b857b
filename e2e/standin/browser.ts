import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from '@playwright/test'
import { tellTest } from './control.ts'
import { serveProtocols } from './protocol.ts'

/**
 * CI is root in a container: no sandbox, no GPU, no calls home. Without 3D the terminal draws into the document, where a
 * test can read it.
 */
const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-3d-apis',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
]

let started: Promise<BrowserContext> | null = null
let blankPageUsed = false

async function start(userData: string): Promise<BrowserContext> {
  const profile = join(userData, 'chromium')
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.STANDIN_CHROMIUM ?? '/usr/bin/chromium',
    headless: process.env.STANDIN_HEADED !== '1',
    chromiumSandbox: false,
    args: chromiumArguments,
    viewport: null,
    // The app ends the browser; a signal is the app's to hear.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  await serveProtocols(context)
  const [port] = readFileSync(join(profile, 'DevToolsActivePort'), 'utf8').split('\n')
  tellTest({ standin: 'browser', cdpUrl: `http://127.0.0.1:${port}` })
  return context
}

export function browserContext(userData: string): Promise<BrowserContext> {
  started ??= start(userData)
  return started
}

/** Chromium opens with one blank page: it becomes the first window. */
export async function newPage(context: BrowserContext): Promise<Page> {
  const blank = blankPageUsed ? undefined : context.pages()[0]
  blankPageUsed = true
  return blank ?? (await context.newPage())
}

export async function closeBrowser(): Promise<void> {
  const context = await started?.catch(() => null)
  await context?.close().catch(() => undefined)
}
