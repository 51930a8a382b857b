import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

/** What of a file of Traefik's file provider counts here. */
const DynamicFile = z.object({
  http: z
    .object({
      routers: z
        .record(
          z.string(),
          z.object({
            rule: z.string(),
            service: z.string(),
            entryPoints: z.array(z.string()).default([]),
            tls: z.unknown().optional(),
          }),
        )
        .default({}),
      services: z.record(z.string(), z.unknown()).default({}),
    })
    .partial()
    .nullish(),
})

interface Router {
  readonly entryPoints: readonly string[]
  readonly service: string
  readonly rule: string
  readonly tls?: unknown
  readonly error?: readonly string[]
  readonly status: 'enabled' | 'disabled'
  readonly using?: readonly string[]
  readonly name: string
  readonly provider: 'file'
}

export interface TraefikStandInOptions {
  /**
   * The directory of Traefik's file provider, by the node that asks; null: its Traefik does not answer. One process stands
   * for that of every node, which says by a header who it is.
   */
  readonly directoryOf: (nodeName: string | null) => string | null
  /** Loopback. */
  readonly address: string
  /** 0: any that is free. */
  readonly port: number
  /** How long a change lies there before it counts; the real one takes up to two seconds. */
  readonly noticeAfterMs?: number
}

export interface TraefikStandIn {
  readonly port: number
  stop(): Promise<void>
}

const entryPoints = ['web', 'websecure']
/** As many as the real one gives when nobody asks for more. */
const usualPage = 100

/** Who asks; a node of the demo has it in the configuration of curl and wget. */
export const nodeHeader = 'x-demo-node'

/**
 * What a VPS of the demo has in the place of Traefik: reads the files of a directory as its file provider does, and
 * says by the API of the real one which routers it has. It forwards nothing.
 */
export async function startTraefikStandIn(options: TraefikStandInOptions): Promise<TraefikStandIn> {
  const { directoryOf, address, port, noticeAfterMs = 100 } = options
  const followed = new Map<string, FollowedDirectory>()
  const follow = (directory: string): FollowedDirectory => {
    const known = followed.get(directory) ?? new FollowedDirectory(directory, noticeAfterMs)
    followed.set(directory, known)
    return known
  }
  const usual = directoryOf(null)
  if (usual !== null) await follow(usual).routers()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://traefik')
    const directory = directoryOf(request.headers[nodeHeader]?.toString() ?? null)
    if (directory === null) request.socket.destroy()
    else if (url.pathname !== '/api/http/routers') response.writeHead(404).end()
    else
      void follow(directory)
        .routers()
        .then((routers) => answer(response, routers, url.searchParams))
  })
  const bound = await listening(server, { address, port })
  return {
    port: bound,
    stop: () => {
      for (const directory of followed.values()) directory.close()
      return closed(server)
    },
  }
}

function answer(response: ServerResponse, routers: readonly Router[], asked: URLSearchParams): void {
  const search = asked.get('search') ?? ''
  const page = Number(asked.get('per_page') ?? usualPage)
  const found = routers.filter(({ name, rule }) => name.includes(search) || rule.includes(search))
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(found.slice(0, page))}\n`)
}

/** Reads a directory when it is first asked for, and some time after each change. */
class FollowedDirectory {
  readonly #directory: string
  readonly #noticeAfterMs: number
  #routers: Promise<readonly Router[]>
  #watcher: FSWatcher | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(directory: string, noticeAfterMs: number) {
    this.#directory = directory
    this.#noticeAfterMs = noticeAfterMs
    this.#watch()
    this.#routers = readRouters(directory, [])
  }

  routers(): Promise<readonly Router[]> {
    // A directory that came later, or again.
    if (this.#watcher === null && this.#watch()) this.#notice()
    return this.#routers
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = null
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #watch(): boolean {
    try {
      this.#watcher = watch(this.#directory, () => this.#notice())
      this.#watcher.on('error', () => this.close())
      return true
    } catch {
      return false
    }
  }

  #notice(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      const before = this.#routers
      this.#routers = before.then((routers) => readRouters(this.#directory, routers))
    }, this.#noticeAfterMs)
  }
}

/** All files of the directory; when one does not read, what was there before stays in force, as with the real one. */
async function readRouters(directory: string, before: readonly Router[]): Promise<readonly Router[]> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.ya?ml$/.test(name)).sort()
    const files = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
    return files.flatMap((text) => routersOf(DynamicFile.parse(parse(text) ?? {})))
  } catch {
    return before
  }
}

function routersOf({ http }: z.infer<typeof DynamicFile>): Router[] {
  const services = new Set(Object.keys(http?.services ?? {}))
  return Object.entries(http?.routers ?? {}).map(([name, { rule, service, tls, entryPoints: wanted }]) => {
    const using = wanted.filter((entryPoint) => entryPoints.includes(entryPoint))
    const error = [
      services.has(service) ? [] : [`the service "${service}@file" does not exist`],
      using.length > 0 ? [] : ['no valid entryPoint for this router'],
    ].flat()
    const state = error.length === 0 ? { status: 'enabled', using } : { error, status: 'disabled' }
    return {
      entryPoints: wanted,
      service,
      rule,
      ...(tls === undefined ? {} : { tls }),
      ...state,
      name: `${name}@file`,
      provider: 'file',
    } as Router
  })
}

function listening(
  server: Server,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      const bound = server.address()
      if (bound !== null && typeof bound === 'object') resolve(bound.port)
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
