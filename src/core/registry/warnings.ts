import type { RegistryService } from '../../shared/model/registry.ts'

/** What is no mistake, but may well not be meant. */
export function serviceWarnings(services: readonly RegistryService[]): string[] {
  return [...shadowed(services), ...loopbacks(services)]
}

/** One machine may have several services under one subdomain; by name only the public one is reached through Traefik. */
function shadowed(services: readonly RegistryService[]): string[] {
  const open = new Map(services.filter((service) => service.public).map((service) => [service.subdomain, service]))
  return services.flatMap((service) => {
    const other = open.get(service.subdomain)
    if (other === undefined || other.name === service.name) return []
    const name = service.subdomain === '' ? 'the domain itself' : `the subdomain ${JSON.stringify(service.subdomain)}`
    return [
      `${quoted(service)} and ${quoted(other)} share ${name}; on a VPS it leads to ${quoted(other)}, which is public.`,
    ]
  })
}

/** On every node such an address means that node. */
function loopbacks(services: readonly RegistryService[]): string[] {
  return services
    .filter(({ ip }) => ip.startsWith('127.') || ip === '::1')
    .map((service) => `${quoted(service)} has the address ${service.ip}, which every node takes for itself.`)
}

const quoted = ({ name }: RegistryService): string => JSON.stringify(name)
