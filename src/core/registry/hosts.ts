import type { HostsSettings, RegistryService } from '../../shared/model/registry.ts'
import { hostName } from './routes.ts'

/** Names every machine has for itself; giving one away would cut it off from itself. */
const ownNames = new Set([
  'localhost',
  'broadcasthost',
  'ip6-localhost',
  'ip6-loopback',
  'ip6-allnodes',
  'ip6-allrouters',
])

/** At the end of every line of ours: it tells them apart even in a block that was cut (hosts(5) allows comments). */
export const lineTag = '# lockstep'

/**
 * The lines of a hosts file for all services, public or not (S1.54, S1.60): the same bytes for the same services, in
 * whatever order. A short name that two services want, or that no other machine may have, is given to none.
 */
export function renderHosts(services: readonly RegistryService[], { domain, shortNames }: HostsSettings): string {
  const short = shortNames ? shortNamesOf(services) : new Map<string, string>()
  const lines = services.map((service) => {
    const alias = short.get(service.name)
    const names = alias === undefined ? '' : `${alias} `
    return `${service.ip}\t${names}${hostName(service, domain)} ${lineTag}\n`
  })
  return [...new Set(lines)].sort().join('')
}

/** Service to short name, for names that are host names in small letters. */
function shortNamesOf(services: readonly RegistryService[]): Map<string, string> {
  const byShort = new Map<string, string | null>()
  for (const { name } of services) {
    const short = name.toLowerCase()
    if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(short) || /^\d+$/.test(short) || ownNames.has(short)) continue
    byShort.set(short, byShort.has(short) ? null : name)
  }
  return new Map([...byShort].flatMap(([short, name]) => (name === null ? [] : [[name, short]])))
}
