import type { RegistryService, RoutesSettings } from '../../shared/model/registry.ts'
import { hostName, serverUrl, traefikName } from './routes.ts'

/*
 * Reads our own routes file back: a second pair of eyes before it leaves. It knows the one form we write and nothing
 * else of YAML, so that it is done with ten thousand routes in the time a whole YAML parser takes for a hundred.
 */

/** One public service as the file says it. */
export interface ReadRoute {
  readonly name: string
  readonly host: string
  readonly entryPoints: readonly string[]
  readonly tls: 'none' | 'default' | { readonly certResolver: string }
  readonly url: string
}

interface Router extends Omit<ReadRoute, 'url'> {
  readonly service: string
}

class Lines {
  readonly #lines: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#lines = text.split('\n')
  }

  /** The first group of the next line, when it has this form; then that line is behind us. */
  take(form: RegExp): string | null {
    const match = form.exec(this.#lines[this.#at] ?? '')
    if (match === null) return null
    this.#at += 1
    return match[1] ?? ''
  }

  need(form: RegExp): string {
    const found = this.take(form)
    if (found !== null) return found
    const line = this.#lines[this.#at] ?? ''
    throw new Error(`line ${this.#at + 1} is not what a routes file has there: ${JSON.stringify(line.slice(0, 100))}`)
  }

  /** Nothing may follow, and the last line must have its end: a file that was cut short has not. */
  end(): void {
    this.need(/^()$/)
    if (this.#at !== this.#lines.length) throw new Error(`the file goes on behind its end, in line ${this.#at + 1}`)
  }
}

/** @throws Error that names the line when the text is not in the form of `renderRoutes` */
export function readRoutes(text: string): ReadRoute[] {
  const lines = new Lines(text)
  while (lines.take(/^# (.*)$/) !== null);
  if (lines.take(/^(\{\})$/) !== null) return ended(lines, [])
  lines.need(/^(http:)$/)
  lines.need(/^ {2}(routers:)$/)
  const routers: Router[] = []
  for (let name = lines.need(routeName); ; ) {
    routers.push(readRouter(lines, name))
    const next = lines.take(routeName)
    if (next === null) break
    name = next
  }
  lines.need(/^ {2}(services:)$/)
  const urls = new Map<string, string>()
  for (let name = lines.take(routeName); name !== null; name = lines.take(routeName)) {
    if (urls.has(name)) throw new Error(`the service ${name} is there twice`)
    urls.set(name, readServer(lines))
  }
  return ended(lines, joined(routers, urls))
}

const routeName = /^ {4}(lockstep-[a-z0-9_-]+):$/

function readRouter(lines: Lines, name: string): Router {
  const host = lines.need(/^ {6}rule: "Host\(`([a-z0-9.-]+)`\)"$/)
  lines.need(/^ {6}(entryPoints:)$/)
  const entryPoints = [lines.need(listItem)]
  for (let next = lines.take(listItem); next !== null; next = lines.take(listItem)) entryPoints.push(next)
  const service = lines.need(/^ {6}service: "(lockstep-[a-z0-9_-]+)"$/)
  return { name, host, entryPoints, service, tls: readTls(lines) }
}

const listItem = /^ {8}- "([A-Za-z0-9_-]+)"$/

function readTls(lines: Lines): Router['tls'] {
  if (lines.take(/^ {6}(tls: \{\})$/) !== null) return 'default'
  if (lines.take(/^ {6}(tls:)$/) === null) return 'none'
  return { certResolver: lines.need(/^ {8}certResolver: "([A-Za-z0-9_-]+)"$/) }
}

function readServer(lines: Lines): string {
  lines.need(/^ {6}(loadBalancer:)$/)
  lines.need(/^ {8}(servers:)$/)
  return lines.need(/^ {10}- url: "(http:\/\/[0-9A-Fa-f.:[\]]+)"$/)
}

function joined(routers: readonly Router[], urls: ReadonlyMap<string, string>): ReadRoute[] {
  const names = new Set(routers.map(({ name }) => name))
  if (names.size !== routers.length) throw new Error('a router is there twice, and Traefik would take neither')
  if (urls.size !== routers.length) throw new Error(`${routers.length} routers, but ${urls.size} services`)
  return routers.map(({ service, ...router }) => {
    const url = urls.get(service)
    if (url === undefined) throw new Error(`the router ${router.name} leads to ${service}, which is not there`)
    return { ...router, url }
  })
}

function ended(lines: Lines, routes: ReadRoute[]): ReadRoute[] {
  lines.end()
  return routes
}

/**
 * Compares a rendered file with what it was made from. @returns what is wrong with it; null when it says exactly what
 * the public services are, and nothing about the others
 */
export function routesFlaw(
  text: string,
  services: readonly RegistryService[],
  { domain, entryPoints, tls, certResolver }: RoutesSettings,
): string | null {
  let routes: ReadRoute[]
  try {
    routes = readRoutes(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  const found = new Map(routes.map((route) => [route.name, route]))
  const wanted = services.filter((service) => service.public)
  if (found.size !== wanted.length) return `${wanted.length} services are public, but the file has ${found.size} routes`
  const wantedTls = JSON.stringify(tls ? (certResolver === null ? 'default' : { certResolver }) : 'none')
  for (const service of wanted) {
    const route = found.get(traefikName(service.name))
    const right =
      route?.host === hostName(service, domain) &&
      route.url === serverUrl(service) &&
      route.entryPoints.join() === entryPoints.join() &&
      JSON.stringify(route.tls) === wantedTls
    if (!right) return `the route of the service ${JSON.stringify(service.name)} is not what the registry says`
  }
  return null
}
