import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type ClusterCertificates, makeClusterCertificates } from './certificates.ts'
import { type ApiConfigMap, ApiStatus, ConfigMapStore } from './configMapStore.ts'
import { discoveryAnswer } from './discovery.ts'
import { patched } from './patches.ts'
import { bookmark, formOf, representList, representOne } from './representation.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete'

/** One request as the server saw it; what is secret in it is not kept. */
export interface SeenRequest {
  readonly verb: Verb | 'other'
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly accept: string
  readonly status: number
}

export interface ApiServerOptions {
  /** Bearer token that is accepted. */
  readonly token?: string
  /** Default true. */
  readonly tls?: boolean
  /** Default: made for this server. */
  readonly certificates?: ClusterCertificates
}

/** A Kubernetes API server on loopback that knows ConfigMaps, and can be as ill as real ones. */
export interface TestApiServer {
  readonly url: string
  readonly port: number
  readonly store: ConfigMapStore
  readonly certificates: ClusterCertificates
  readonly requests: readonly SeenRequest[]
  readonly connections: number
  /** Watches that are open now. */
  readonly watches: number
  setMap(name: string, data: Readonly<Record<string, string>>, namespace?: string): ApiConfigMap
  /** From now on only this token counts. */
  setToken(token: string): void
  /** What 401 says; a careless server may say anything. */
  refuseWith(message: string): void
  /** These verbs are answered with 403. */
  forbid(...verbs: readonly Verb[]): void
  /** Every request is answered with this status, until null. */
  answerWith(status: number | null): void
  /** Is called before a write is looked at, and may change the store. */
  beforeWrite(hook: (() => void) | null): void
  /** Is called before a watch begins; what it throws is the answer. */
  beforeWatch(hook: (() => void) | null): void
  /** Cuts the connections of all watches, in the middle of a line where `partial`. */
  cutWatches(options?: { readonly partial?: boolean }): void
  /** Ends all watches in peace, as after `timeoutSeconds`. */
  endWatches(): void
  sendBookmarks(): void
  /** Watches stay open and are told nothing any more, as by a server that has lost track of them. */
  forgetWatches(): void
  /** Accepts connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** Nothing listens until `up`. */
  down(): Promise<void>
  up(options?: { readonly loseState?: boolean }): Promise<void>
  stop(): Promise<void>
}

interface Watcher {
  readonly response: ServerResponse
  readonly bookmark: () => void
  readonly close: () => void
}

const path = /^\/api\/v1(?:\/namespaces\/(?<namespace>[^/]+))?\/configmaps(?:\/(?<name>[^/]+))?$/

export async function startApiServer(options: ApiServerOptions = {}): Promise<TestApiServer> {
  const server = new ApiServer(options, options.certificates ?? (await makeClusterCertificates()))
  await server.up()
  return server
}

class ApiServer implements TestApiServer {
  readonly store = new ConfigMapStore()
  readonly certificates: ClusterCertificates
  readonly requests: SeenRequest[] = []
  readonly #tls: boolean
  readonly #sockets = new Set<Socket>()
  readonly #watchers = new Set<Watcher>()
  #token: string | null
  #refusal = 'Unauthorized'
  #server: Server | null = null
  #forbidden: readonly Verb[] = []
  #answer: number | null = null
  #beforeWrite: (() => void) | null = null
  #beforeWatch: (() => void) | null = null
  #thawed: Promise<void> = Promise.resolve()
  #thaw: () => void = () => undefined
  port = 0

  constructor(options: ApiServerOptions, certificates: ClusterCertificates) {
    this.certificates = certificates
    this.#token = options.token ?? null
    this.#tls = options.tls ?? true
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  get connections(): number {
    return this.#sockets.size
  }

  get watches(): number {
    return this.#watchers.size
  }

  setMap(name: string, data: Readonly<Record<string, string>>, namespace = 'default'): ApiConfigMap {
    const wanted = { metadata: { name }, data: { ...data } } as unknown as ApiConfigMap
    const there = this.store.list(namespace).some((map) => map.metadata.name === name)
    return there ? this.store.replace(namespace, wanted) : this.store.create(namespace, wanted)
  }

  setToken(token: string): void {
    this.#token = token
  }

  refuseWith(message: string): void {
    this.#refusal = message
  }

  forbid(...verbs: readonly Verb[]): void {
    this.#forbidden = verbs
  }

  answerWith(status: number | null): void {
    this.#answer = status
  }

  beforeWrite(hook: (() => void) | null): void {
    this.#beforeWrite = hook
  }

  beforeWatch(hook: (() => void) | null): void {
    this.#beforeWatch = hook
  }

  cutWatches({ partial = false } = {}): void {
    for (const { response } of [...this.#watchers]) {
      const cut = (): void => void response.socket?.destroy()
      if (partial) response.write('{"type":"MODIFIED","object":{"metad', cut)
      else cut()
    }
  }

  endWatches(): void {
    for (const { response } of [...this.#watchers]) response.end()
  }

  sendBookmarks(): void {
    for (const watcher of this.#watchers) watcher.bookmark()
  }

  forgetWatches(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  freeze(): void {
    this.#thawed = new Promise((resolve) => {
      this.#thaw = resolve
    })
  }

  thaw(): void {
    this.#thaw()
    this.#thawed = Promise.resolve()
  }

  async down(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async up({ loseState = false } = {}): Promise<void> {
    if (loseState) this.store.lose()
    const answer = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response)
    const { authority, server: pair } = this.certificates
    const tls = { key: pair.key, cert: pair.certificate, ca: authority, requestCert: true, rejectUnauthorized: false }
    const server = this.#tls ? createHttpsServer(tls, answer) : createHttpServer(answer)
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', resolve)
    })
    this.port = (server.address() as AddressInfo).port
    this.#server = server
  }

  async stop(): Promise<void> {
    this.thaw()
    await this.down()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://server')
    const verb = verbOf(request, url)
    try {
      const body = await readBody(request)
      await this.#thawed
      this.#check(request, verb)
      const answer = discoveryAnswer(url.pathname) ?? (await this.#configMaps(request, { url, verb, body, response }))
      if (answer === 'streaming') return this.#note(request, { url, verb, status: 200 })
      this.#note(request, { url, verb, status: verb === 'create' ? 201 : 200 })
      send(response, verb === 'create' ? 201 : 200, answer)
    } catch (thrown) {
      const failure = thrown instanceof ApiStatus ? thrown : new ApiStatus(500, 'InternalError', String(thrown))
      this.#note(request, { url, verb, status: failure.code })
      send(response, failure.code, statusObject(failure))
    }
  }

  #note(request: IncomingMessage, seen: { readonly url: URL; readonly verb: Verb | 'other'; readonly status: number }) {
    const { url, verb, status } = seen
    const query = Object.fromEntries(url.searchParams)
    this.requests.push({ verb, path: url.pathname, query, accept: request.headers.accept ?? '', status })
  }

  #check(request: IncomingMessage, verb: Verb | 'other'): void {
    const certified = (request.socket as { readonly authorized?: boolean }).authorized === true
    const known = this.#token === null || certified || request.headers.authorization === `Bearer ${this.#token}`
    if (!known) throw new ApiStatus(401, 'Unauthorized', this.#refusal)
    if (this.#answer !== null) throw new ApiStatus(this.#answer, 'InternalError', 'an error on the server')
    if (verb !== 'other' && this.#forbidden.includes(verb))
      throw new ApiStatus(
        403,
        'Forbidden',
        `configmaps is forbidden: User "lockstep" cannot ${verb} resource "configmaps"`,
      )
  }

  async #configMaps(request: IncomingMessage, call: Call): Promise<object | 'streaming'> {
    const { namespace = null, name = null } = path.exec(call.url.pathname)?.groups ?? {}
    if (!path.test(call.url.pathname))
      throw new ApiStatus(404, 'NotFound', 'the server could not find the requested resource')
    const form = formOf(request.headers.accept ?? '')
    const wanted = {
      form,
      version: String(this.store.version),
      includeObject: call.url.searchParams.get('includeObject'),
    }
    if (call.verb === 'watch') return this.#watch({ ...call, namespace, wanted })
    if (call.verb === 'list') {
      const maps = this.store.list(namespace).filter(({ metadata }) => selects(call.url, metadata.name))
      return representList(maps, wanted)
    }
    if (namespace === null) throw new ApiStatus(405, 'MethodNotAllowed', 'a namespace is needed')
    return representOne(this.#one({ ...call, namespace, name, type: request.headers['content-type'] ?? '' }), wanted)
  }

  #one({ verb, namespace, name, body, type }: OneCall): ApiConfigMap {
    if (verb === 'get' && name !== null) return this.store.get(namespace, name)
    this.#beforeWrite?.()
    if (verb === 'create') return this.store.create(namespace, JSON.parse(body))
    if (name === null) throw new ApiStatus(405, 'MethodNotAllowed', 'a name is needed')
    if (verb === 'delete') return this.store.remove(namespace, name)
    if (verb === 'update') return this.store.replace(namespace, JSON.parse(body))
    const before = this.store.get(namespace, name)
    const { resourceVersion } = before.metadata
    const after = patched(before, type, body) as unknown as ApiConfigMap
    const known = after.metadata.resourceVersion
    // A patch that names no version applies to whatever there is.
    return this.store.replace(namespace, {
      ...after,
      metadata: { ...after.metadata, resourceVersion: known ?? resourceVersion },
    })
  }

  /** https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
  #watch({ url, namespace, wanted, response }: WatchCall): 'streaming' {
    const from = url.searchParams.get('resourceVersion') ?? ''
    const fits = (map: ApiConfigMap): boolean =>
      (namespace === null || map.metadata.namespace === namespace) && selects(url, map.metadata.name)
    this.#beforeWatch?.()
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' })
    response.flushHeaders()
    const tell = (type: string, object: object): void => {
      const line = `${JSON.stringify({ type, object })}\n`
      void this.#thawed.then(() => response.writableEnded || response.write(line))
    }
    const end = (): void => void this.#thawed.then(() => response.end())
    try {
      const past = from === '' || from === '0' ? this.#present() : this.store.since(Number(from))
      for (const { type, object } of past) if (fits(object)) tell(type, representOne(object, wanted))
    } catch (thrown) {
      tell('ERROR', statusObject(thrown as ApiStatus))
      end()
      return 'streaming'
    }
    const forget = this.store.listen(({ type, object }) => {
      if (fits(object)) tell(type, representOne(object, wanted))
    })
    const seconds = Number(url.searchParams.get('timeoutSeconds') ?? '1800')
    const timer = setTimeout(end, seconds * 1_000)
    timer.unref()
    const watcher: Watcher = {
      response,
      close: forget,
      bookmark: () => tell('BOOKMARK', bookmark(String(this.store.version), wanted.form)),
    }
    this.#watchers.add(watcher)
    response.once('close', () => {
      clearTimeout(timer)
      forget()
      this.#watchers.delete(watcher)
    })
    return 'streaming'
  }

  #present() {
    return this.store.list(null).map((object) => ({ type: 'ADDED', object, version: 0 }) as const)
  }
}

interface Call {
  readonly url: URL
  readonly verb: Verb | 'other'
  readonly body: string
  readonly response: ServerResponse
}

interface OneCall extends Call {
  readonly namespace: string
  readonly name: string | null
  readonly type: string
}

interface WatchCall extends Call {
  readonly namespace: string | null
  readonly wanted: Parameters<typeof representOne>[1]
}

function verbOf(request: IncomingMessage, url: URL): Verb | 'other' {
  const groups = path.exec(url.pathname)?.groups
  if (groups === undefined) return 'other'
  const verbs: Readonly<Record<string, Verb>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
  if (request.method !== 'GET') return verbs[request.method ?? ''] ?? 'other'
  if (/^(?:true|1)$/.test(url.searchParams.get('watch') ?? '')) return 'watch'
  return groups.name === undefined ? 'list' : 'get'
}

function selects(url: URL, name: string): boolean {
  const wanted = /(?:^|,)metadata\.name==?([^,]+)/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1]
  return wanted === undefined || wanted === name
}

function statusObject({ code, reason, message }: ApiStatus): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }
}

function send(response: ServerResponse, status: number, content: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(content))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
