import { parse } from 'yaml'
import { z } from 'zod'
import type { HostsSettings, RegistryService, RoutesSettings } from '../../shared/model/registry.ts'
import { hostsEntries, syncDnsBlock } from './hostsBlock.ts'
import { hostName, serverUrl } from './routes.ts'

/*
 * What a receiver script on a node made of the registry (S1.45, S1.53): its files have a form of its own, so that not
 * bytes are compared but what they say.
 */

/** Rules are searched for hosts: what a node sends is never long enough to keep us busy with that. */
const longestRule = 1_000
const Rules = z.record(z.string(), z.object({ rule: z.string().max(longestRule), service: z.string() }))
const Backends = z.record(
  z.string(),
  z.object({ loadBalancer: z.object({ servers: z.array(z.object({ url: z.string() })) }) }),
)
const TraefikFile = z.object({ http: z.object({ routers: Rules.nullish(), services: Backends.nullish() }).nullish() })

/** A whole YAML parser takes seconds for more; receiver scripts belong to small fleets. */
export const mostReceiverBytes = 1_048_576

/** @returns what the file says otherwise than the registry; empty when they agree */
export function receivedRoutesDifferences(
  text: string,
  services: readonly RegistryService[],
  { domain }: Pick<RoutesSettings, 'domain'>,
): string[] {
  const file = readTraefikFile(text)
  if (file === null) return ['it is no configuration of Traefik']
  const urls = urlsByHost(file)
  const served = new Set(services.filter((service) => service.public).map((service) => hostName(service, domain)))
  const known = new Set(services.map((service) => hostName(service, domain)))
  const wrong = services.flatMap((service) => {
    const host = hostName(service, domain)
    const found = urls.get(host)
    if (!service.public) return found === undefined || served.has(host) ? [] : [`${host} has a route and is not public`]
    const wanted = serverUrl(service)
    if (found === undefined) return [`${host} has no route`]
    const right = found.filter((url) => url.replace(/\/$/, '') === wanted)
    if (right.length > 0 && right.length === found.length) return []
    const only = right.length > 0 ? 'only ' : ''
    return [`${host} leads to ${found.join(', ') || 'nowhere'}, not ${only}to ${wanted}`]
  })
  // The file is the script's own: what is there and in no registry was removed, and is served still.
  const stale = [...urls.keys()].filter((host) => isBelow(host, domain) && !known.has(host))
  return [...wrong, ...stale.map((host) => `${host} still has a route`)]
}

const isBelow = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`)

function readTraefikFile(text: string): z.infer<typeof TraefikFile> | null {
  if (text.trim() === '') return {}
  try {
    const read = TraefikFile.safeParse(parse(text, { maxAliasCount: 100 }) ?? {})
    return read.success ? read.data : null
  } catch {
    return null
  }
}

/** Where Traefik would lead each host: the URLs of all backends of its routers. */
function urlsByHost({ http }: z.infer<typeof TraefikFile>): Map<string, string[]> {
  const urls = new Map<string, string[]>()
  const backends = new Map(Object.entries(http?.services ?? {}))
  for (const { rule, service } of Object.values(http?.routers ?? {})) {
    const servers = backends.get(service.replace(/@file$/, ''))?.loadBalancer.servers ?? []
    for (const host of hostsIn(rule)) urls.set(host, [...(urls.get(host) ?? []), ...servers.map(({ url }) => url)])
  }
  return urls
}

const hostsIn = (rule: string): string[] =>
  [...rule.matchAll(/Host\(([^)]*)\)/g)].flatMap(([, names = '']) =>
    [...names.matchAll(/[`"']([^`"']+)[`"']/g)].map(([, name = '']) => name.toLowerCase()),
  )

/** @returns what the hosts file says otherwise than the registry; empty when they agree */
export function receivedHostsDifferences(
  text: string,
  services: readonly RegistryService[],
  { domain }: Pick<HostsSettings, 'domain'>,
): string[] {
  const first = new Map<string, string>()
  for (const { ip, names } of hostsEntries(text)) for (const name of names) if (!first.has(name)) first.set(name, ip)
  const wanted = new Map(services.map((service) => [hostName(service, domain), service.ip.toLowerCase()]))
  const wrong = [...wanted].flatMap(([name, ip]) => {
    const found = first.get(name)
    if (found === ip) return []
    return [found === undefined ? `${name} is not there` : `${name} leads to ${found}, not to ${ip}`]
  })
  return [
    ...wrong,
    ...staleNames(text, domain)
      .filter((name) => !wanted.has(name))
      .map((name) => `${name} is still there`),
  ]
}

/** Names below the domain in the block of the script: those were its own (S1.54: old entries are removed). */
function staleNames(text: string, domain: string): string[] {
  const start = `\n${text}`.indexOf(`\n${syncDnsBlock.begin}`)
  if (start === -1) return []
  const block = text.slice(start).split(/\r?\n[ \t]*\r?\n/, 1)[0] ?? ''
  return hostsEntries(block).flatMap(({ names }) => names.filter((name) => isBelow(name, domain)))
}

/** The lines that were read back, in one form whatever the script's: what is digested to prove them. */
export function receivedHostsText(text: string, services: readonly RegistryService[], domain: string): string {
  const names = new Set(services.map((service) => hostName(service, domain)))
  const found = hostsEntries(text).flatMap((entry) =>
    entry.names.filter((name) => names.has(name)).map((name) => `${entry.ip}\t${name}\n`),
  )
  return [...new Set(found)].sort().join('')
}
