import type { IncomingMessage } from 'node:http'

/**
 * A page of somebody else must not drive the console. The name in `Host` has to be ours (a name that was rebound to
 * 127.0.0.1 is not), and so has `Origin`, which a browser always sends with an upgrade.
 */
export function isForUs(request: IncomingMessage, port: number): boolean {
  const { host, origin } = request.headers
  const ours = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
  if (host === undefined || !ours.includes(host)) return false
  return origin === undefined || origin === `http://${host}`
}

/** An upgrade without an origin is no browser's, and nobody else should be here. */
export function isOurPage(request: IncomingMessage, port: number): boolean {
  return isForUs(request, port) && request.headers.origin !== undefined
}

/** A picture or script on somebody's page must not use up the tries of the person with the link. */
export function isNavigation(request: IncomingMessage): boolean {
  const mode = request.headers['sec-fetch-mode']
  return mode === undefined || mode === 'navigate'
}

export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, ...value] = part.trim().split('=')
    if (key === name) return value.join('=')
  }
  return undefined
}
