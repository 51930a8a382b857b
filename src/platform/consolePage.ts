import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'

/*
 * The built console as a host hands it out: the same files under the same rules, whether as `app://console` in the
 * desktop app or over loopback HTTP from the daemon.
 */

/** What stands in the page where the nonce of this response belongs; `renderer/index.html` has it. */
export const noncePlaceholder = '__CSP_NONCE__'

/**
 * The policy of every page of the console. Scripts and styles come from the bundle; libraries that add `<style>` at run
 * time carry the nonce. `style-src-attr` allows what a library positions with a `style` attribute: no attribute can
 * load or run anything under the other directives.
 */
export function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join('; ')
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

/** Of every answer, refusals included. */
export const commonHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

export interface ConsoleAnswer {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array<ArrayBuffer>
}

/**
 * Only known kinds of files, only below the root: a path that climbs, an encoded slash or a NUL names nothing.
 *
 * @param pathname of a URL, still encoded
 * @returns null when it names no file of the console
 */
export function consoleFile(pathname: string, rootDirectory: string): string | null {
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

/** @returns null when there is no such file */
export async function readConsole(pathname: string, rootDirectory: string): Promise<ConsoleAnswer | null> {
  const file = consoleFile(pathname, rootDirectory)
  const bytes = file === null ? null : await readFile(file).catch(() => null)
  if (file === null || bytes === null) return null
  if (extname(file) === '.html') return consolePage(bytes.toString('utf8'))
  return { headers: { ...commonHeaders, 'content-type': contentTypes[extname(file)] ?? '' }, body: bytes }
}

/** One page with a policy and a nonce of its own. */
export function consolePage(html: string): ConsoleAnswer {
  const nonce = randomBytes(18).toString('base64')
  return {
    headers: {
      ...commonHeaders,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy(nonce),
      'cache-control': 'no-store',
    },
    body: html.replaceAll(noncePlaceholder, nonce),
  }
}
