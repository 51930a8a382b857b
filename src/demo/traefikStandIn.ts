import { watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
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
  readonly configDirectory: string
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

/**
 * What a VPS of the demo has in the place of Traefik: reads the files of a directory as its file provider does, and
 * says by the API of the real one which routers it has. It forwards nothing.
 */
export async function startTraefikStandIn(options: TraefikStandInOptions): Promise<TraefikStandIn> {
  const { configDirectory, address, port, noticeAfterMs = 100 } = options
  let routers = await readRouters(configDirectory, [])
  let timer: NodeJS.Timeout | null = null
  const notice = (): void => {
    timer ??= setTimeout(() => {
      timer = null
      void readRouters(configDirectory, routers).then((read) => {
        routers = read
      })
    }, noticeAfterMs)
  }
  const watcher = watch(configDirectory, notice)
  // A directory that is removed is no reason to fall over: there is nothing to serve any more.
  watcher.on('error', notice)
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://traefik')
    if (url.pathname !== '/api/http/routers') {
      response.writeHead(404).end()
      return
    }
    const search = url.searchParams.get('search') ?? ''
    const page = Number(url.searchParams.get('per_page') ?? usualPage)
    const found = routers.filter(({ name, rule }) => name.includes(search) || rule.includes(search))
    response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(found.slice(0, page))}\n`)
  })
  const bound = await listening(server, { address, port })
  return {
    port: bound,
    stop: () => {
      watcher.close()
      if (timer !== null) clearTimeout(timer)
      return closed(server)
    },
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
