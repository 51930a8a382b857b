import type { CustomScheme } from 'electron'
import { commonHeaders, consoleFile, readConsole } from '../platform/consolePage.ts'
import { consoleHost, consoleScheme } from '../shared/desktopBridge.ts'

/** Must be registered before the app is ready. Not `bypassCSP`, not `corsEnabled`. */
export const consoleSchemePrivileges: CustomScheme = {
  scheme: consoleScheme,
  privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true, stream: true },
}

/** Answers `app://console/…` from the built page, and nothing else. */
export function createConsoleHandler(rootDirectory: string): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405)
    const pathname = pathnameOf(request.url)
    const answer = pathname === null ? null : await readConsole(pathname, rootDirectory)
    return answer === null ? refuse(404) : new Response(answer.body, { headers: answer.headers })
  }
}

/** @returns null when the URL names no file of the page */
export function fileFor(url: string, rootDirectory: string): string | null {
  const pathname = pathnameOf(url)
  return pathname === null ? null : consoleFile(pathname, rootDirectory)
}

function pathnameOf(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, host, pathname } = new URL(url)
  return protocol === `${consoleScheme}:` && host === consoleHost ? pathname : null
}

function refuse(status: number): Response {
  return new Response(null, { status, headers: commonHeaders })
}
