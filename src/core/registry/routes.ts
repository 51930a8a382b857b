import type { RegistryService, RoutesSettings } from '../../shared/model/registry.ts'

/*
 * Routes of Traefik v3 as its file provider reads them. Three of its habits decide the form: it runs every file
 * through Go templates before it reads YAML, it refuses empty maps and with them the whole directory, and of two
 * routers with one name in that directory it takes neither.
 */

const header = '# Written by Lockstep from the service registry. Changes are overwritten.\n'

/** Is it a routes file of ours, of whatever revision? */
export const writtenByUs = (text: string): boolean => text.startsWith(header)

/** Before every name of ours, so that it meets no name of another file in the same directory. */
const namePrefix = 'lockstep-'

/**
 * A name that YAML, Go templates and Traefik take for nothing but a name; different for different services. Small
 * letters, digits and dashes stay, every other byte of UTF-8 becomes `_` and two hexadecimal digits.
 */
export function traefikName(serviceName: string): string {
  const bytes = new TextEncoder().encode(serviceName)
  const parts = Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte)
    return /[a-z0-9-]/.test(letter) ? letter : `_${byte.toString(16).padStart(2, '0')}`
  })
  return namePrefix + parts.join('')
}

/** The full name of a service: the domain itself for an empty subdomain. */
export function hostName({ subdomain }: Pick<RegistryService, 'subdomain'>, domain: string): string {
  return subdomain === '' ? domain : `${subdomain}.${domain}`
}

/**
 * The routes file for the public services (S1.26, S1.45, S1.50): the same bytes for the same services, in whatever
 * order. Without public services it is a document with nothing in it, which takes old routes away.
 */
export function renderRoutes(services: readonly RegistryService[], settings: RoutesSettings): string {
  const routes = services
    .filter((service) => service.public)
    .map((service) => ({ service, name: traefikName(service.name) }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
  if (routes.length === 0) return `${header}{}\n`
  const routers = routes.flatMap(({ service, name }) => routerLines(name, hostName(service, settings.domain), settings))
  const backends = routes.flatMap(({ service, name }) => [
    `    ${name}:`,
    '      loadBalancer:',
    '        servers:',
    `          - url: ${JSON.stringify(serverUrl(service))}`,
  ])
  return `${header}${['http:', '  routers:', ...routers, '  services:', ...backends].join('\n')}\n`
}

function routerLines(name: string, host: string, { entryPoints, tls, certResolver }: RoutesSettings): string[] {
  const resolver = certResolver === null ? ['      tls: {}'] : ['      tls:', `        certResolver: "${certResolver}"`]
  return [
    `    ${name}:`,
    `      rule: "Host(\`${host}\`)"`,
    '      entryPoints:',
    ...entryPoints.map((entryPoint) => `        - "${entryPoint}"`),
    `      service: "${name}"`,
    ...(tls ? resolver : []),
  ]
}

/** Where Traefik reaches a service. */
export function serverUrl({ ip, port }: RegistryService): string {
  return ip.includes(':') ? `http://[${ip}]:${port}` : `http://${ip}:${port}`
}
