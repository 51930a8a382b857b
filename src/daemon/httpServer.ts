import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Engine } from '../engine/engine.ts'
import { commonHeaders, consolePage, readConsole } from '../platform/consolePage.ts'
import { AppError } from '../shared/errors.ts'
import type { Auth } from './auth.ts'
import type { EngineChannels } from './engineChannels.ts'
import { cookieOf, isForUs, isNavigation, isOurPage } from './requestChecks.ts'
import { receiveWebhook, webhookPath } from './webhook.ts'

export interface HttpServerOptions {
  /** 0 takes any free one. */
  readonly port: number
  /** The built console. */
  readonly consoleDirectory: string
  /** Cookies do not know ports: two daemons on one machine need two names. */
  readonly cookieName: string
  readonly auth: Auth
  readonly channels: EngineChannels
  readonly webhook: Engine['webhook']
}

export interface HttpServer {
  readonly url: string
  close(): Promise<void>
}

const loopback = '127.0.0.1'

const page = (title: string, text: string, head = ''): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">${head}<title>${title}</title></head>` +
  `<body><h1>${title}</h1><p>${text}</p></body></html>`

const signedInPage = page(
  'Lockstep',
  'Signed in. <a href="/">Open the console</a>.',
  '<meta http-equiv="refresh" content="0;url=/">',
)
const signInPage = page(
  'Sign in first',
  'This console needs a one-time link. Get one with <code>lockstep open-link</code>.',
)
const usedLinkPage = page(
  'This link was used',
  'A link works once, for fifteen minutes. Get another one with <code>lockstep open-link</code>.',
)
const waitPage = page(
  'Too many wrong links',
  'Wait a minute, then use a new link from <code>lockstep open-link</code>.',
)

/** The console on loopback: one-time link, then a cookie; `Host` and `Origin` are ours or nothing is answered. */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = (): number => (server.address() as AddressInfo).port
  const isSignedIn = (request: IncomingMessage): boolean =>
    options.auth.isSession(cookieOf(request, options.cookieName))

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isForUs(request, port())) return refuse(response, 403)
    const url = new URL(request.url ?? '/', `http://${loopback}`)
    if (url.pathname === '/healthz')
      return void response.writeHead(200, { ...commonHeaders, 'content-type': 'text/plain' }).end('ok\n')
    if (url.pathname === webhookPath) return receiveWebhook(request, response, options.webhook)
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405)
    if (url.pathname === '/login' && !isNavigation(request)) return refuse(response, 403)
    if (url.pathname === '/login') return login(response, url.searchParams.get('token') ?? '')
    if (!isSignedIn(request)) return sendPage(response, 401, signInPage)
    const file = await readConsole(url.pathname, options.consoleDirectory)
    if (file === null) return refuse(response, 404)
    response.writeHead(200, file.headers).end(file.body)
  }

  function login(response: ServerResponse, token: string): void {
    const result = options.auth.login(token)
    if (result.status === 'too-many-failures') sendPage(response, 429, waitPage)
    else if (result.status === 'refused') sendPage(response, 401, usedLinkPage)
    else {
      const { session, maxAgeSeconds } = result
      const cookie = `${options.cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeSeconds}`
      sendPage(response, 200, signedInPage, { 'set-cookie': cookie })
    }
  }

  server.on('upgrade', (request, socket, head) => {
    // Nobody else listens yet, and an error without a listener ends the process.
    socket.on('error', () => socket.destroy())
    if (isOurPage(request, port()) && isSignedIn(request)) options.channels.upgrade(request, socket, head)
    else socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
  })
  await listen(server, options.port)
  return {
    url: `http://${loopback}:${port()}`,
    close: async () => {
      options.channels.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function sendPage(response: ServerResponse, status: number, html: string, headers: Record<string, string> = {}): void {
  const answer = consolePage(html)
  response.writeHead(status, { ...answer.headers, ...headers }).end(answer.body)
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, commonHeaders).end()
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return reject(error)
      const reason = error.code === 'EADDRINUSE' ? 'is taken by another program' : 'may not be used by this user'
      reject(
        new AppError(
          'ADDRESS_IN_USE',
          `Port ${port} ${reason}. Choose another one with --port, or --port 0 for any free one.`,
          {
            data: { port },
            cause: error,
          },
        ),
      )
    })
    server.listen(port, loopback, resolve)
  })
}
