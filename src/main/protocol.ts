import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import type { CustomScheme } from 'electron'
import { consoleHost, consoleScheme } from '../shared/desktopBridge.ts'
import { contentSecurityPolicy, noncePlaceholder } from './contentPolicy.ts'

/** Must be registered before the app is ready. Not `bypassCSP`, not `corsEnabled`. */
export const consoleSchemePrivileges: CustomScheme = {
  scheme: consoleScheme,
  privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true, stream: true },
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** Answers `app://console/…` from the built page, and nothing else. */
export function createConsoleHandler(rootDirectory: string): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405)
    const file = fileFor(request.url, rootDirectory)
    if (file === null) return refuse(404)
    const bytes = await readFile(file).catch(() => null)
    if (bytes === null) return refuse(404)
    return extname(file) === '.html' ? page(bytes.toString('utf8')) : asset(file, bytes)
  }
}

/**
 * Only known kinds of files, only below the root: a path that climbs, an encoded slash or a NUL names nothing.
 *
 * @returns null when the URL names no file of the page
 */
export function fileFor(url: string, rootDirectory: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, host, pathname } = new URL(url)
  if (protocol !== `${consoleScheme}:` || host !== consoleHost) return null
  if (/%2f|%5c|%00|\\/i.test(pathname)) return null
  const path = decodePath(pathname === '/' ? '/index.html' : pathname)
  if (path === null || contentTypes[extname(path)] === undefined) return null
  const file = normalize(join(rootDirectory, path))
  return file.startsWith(normalize(rootDirectory) + sep) ? file : null
}

function decodePath(pathname: string): string | null {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return null
  }
}

function page(html: string): Response {
  const nonce = randomBytes(18).toString('base64')
  return new Response(html.replaceAll(noncePlaceholder, nonce), {
    headers: {
      ...commonHeaders,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy(nonce),
      'cache-control': 'no-store',
    },
  })
}

function asset(file: string, bytes: Uint8Array<ArrayBuffer>): Response {
  return new Response(bytes, { headers: { ...commonHeaders, 'content-type': contentTypes[extname(file)] ?? '' } })
}

function refuse(status: number): Response {
  return new Response(null, { status, headers: commonHeaders })
}
