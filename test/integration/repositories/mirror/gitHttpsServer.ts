import { execFileSync, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'

export interface GitHttpsServer {
  /** `https://127.0.0.1:port`. */
  readonly url: string
  /** `host:port` as git says it. */
  readonly host: string
  /** The authority to trust (`GIT_SSL_CAINFO`). */
  readonly authority: string
  /** Authorization headers that came, decoded. */
  readonly logins: string[]
  close(): Promise<void>
}

interface Options {
  /** Repositories lie here. */
  readonly root: string
  /** Scratch for the certificate. */
  readonly directory: string
  /** `user:token` that is let in; null: everybody. */
  readonly login: string | null
  /** Called with every request, while git waits for the answer. A URL: the request is sent there. */
  readonly onRequest?: (request: IncomingMessage) => string | undefined
}

/** A real git server over https: `git http-backend` behind Node, with a certificate of its own. */
export async function startGitHttps(options: Options): Promise<GitHttpsServer> {
  const key = join(options.directory, 'tls.key')
  const authority = join(options.directory, 'tls.pem')
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', authority, '-days', '2'].concat([
      '-subj',
      '/CN=git test',
      '-addext',
      'subjectAltName=IP:127.0.0.1,DNS:localhost',
    ]),
    { stdio: 'ignore' },
  )
  const logins: string[] = []
  const server = createServer({ key: await readFile(key), cert: await readFile(authority) }, (request, response) => {
    const elsewhere = options.onRequest?.(request)
    if (elsewhere !== undefined) return void response.writeHead(302, { location: elsewhere }).end()
    const given = request.headers.authorization?.replace(/^Basic /, '')
    const login = given === undefined ? null : Buffer.from(given, 'base64').toString('utf8')
    if (login !== null) logins.push(login)
    if (options.login !== null && login !== options.login)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    serve(options.root, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `https://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    authority,
    logins,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The Common Gateway Interface, as far as git needs it. */
function serve(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'https://here')
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH ?? '',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: request.headers['content-length'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: '',
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(backend.stdin)
  backend.stdin.on('error', () => undefined)
  const chunks: Buffer[] = []
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  backend.once('close', () => {
    const output = Buffer.concat(chunks)
    const end = output.indexOf('\r\n\r\n')
    for (const line of output.toString('latin1', 0, Math.max(end, 0)).split('\r\n')) {
      const [name = '', value = ''] = line.split(/: (.*)/)
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
      else if (name !== '') response.setHeader(name, value)
    }
    response.end(output.subarray(end + 4))
  })
}
