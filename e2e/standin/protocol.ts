import type { BrowserContext, Route } from '@playwright/test'
import { isTranslated, toAppUrl } from './consoleUrl.ts'
import { record } from './recorder.ts'

type ProtocolHandler = (request: Request) => Response | Promise<Response>

const handlers = new Map<string, ProtocolHandler>()
const privileged = new Set<string>()

/** Scheme handlers, answered with their own status and headers: a content security policy set there is in force. */
export const protocol = {
  registerSchemesAsPrivileged(schemes: readonly { readonly scheme: string; readonly privileges?: object }[]): void {
    record('protocol.registerSchemesAsPrivileged', schemes)
    for (const { scheme } of schemes) privileged.add(scheme)
  },
  handle(scheme: string, handler: ProtocolHandler): void {
    if (!privileged.has(scheme))
      throw new Error(`stand-in: ${scheme} was not registered as privileged before the app was ready`)
    handlers.set(scheme, handler)
  },
  unhandle(scheme: string): void {
    handlers.delete(scheme)
  },
  isProtocolHandled: (scheme: string): boolean => handlers.has(scheme),
}

export async function serveProtocols(context: BrowserContext): Promise<void> {
  await context.route(isTranslated, (route) => answer(route))
}

async function answer(route: Route): Promise<void> {
  const handler = handlers.get('app')
  if (handler === undefined) return route.abort('failed')
  const asked = route.request()
  const body = asked.postDataBuffer()
  const request = new Request(toAppUrl(asked.url()), {
    method: asked.method(),
    headers: asked.headers(),
    ...(body === null ? {} : { body: new Uint8Array(body) }),
  })
  const response = await handler(request)
  await route.fulfill({
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: Buffer.from(await response.arrayBuffer()),
  })
}
