import type { CustomScheme } from 'electron'
import { commonHeaders, readConsole } from '../platform/consolePage.ts'
import { consoleHost, consoleScheme } from '../shared/desktopBridge.ts'

/** Must be registered before the app is ready. Not `bypassCSP`, not `corsEnabled`. */
export const consoleSchemePrivileges: CustomScheme = {
  scheme: consoleScheme,
  privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true, stream: true },
}

/** Answers `app://console/…` from the built page, and nothing else. */
export function createConsoleHandler(rootDirectory: string): (request: Request) => Promise<Response> {
  return async ({ method, url }) => {
    if (method !== 'GET' && method !== 'HEAD') return refuse(405)
    const { protocol, host, pathname } = new URL(url)
    if (protocol !== `${consoleScheme}:` || host !== consoleHost) return refuse(404)
    const answer = await readConsole(pathname, rootDirectory)
    return answer === null ? refuse(404) : new Response(answer.body, { headers: answer.headers })
  }
}

function refuse(status: number): Response {
  return new Response(null, { status, headers: commonHeaders })
}
