import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { anyServices, aService } from '../../../test/fakes/aRegistry.ts'
import { RoutesSettings } from '../../shared/model/registry.ts'
import { renderRoutes } from './routes.ts'
import { readRoutes, routesFlaw } from './routesReader.ts'

const settings = RoutesSettings.parse({ domain: 'example.com' })
const anySettings = fc
  .record({
    domain: fc.constantFrom('example.com', 'a.b.example'),
    entryPoints: fc.uniqueArray(fc.constantFrom('web', 'websecure', 'x-1'), { minLength: 1 }),
    tls: fc.boolean(),
    certResolver: fc.constantFrom(null, 'letsencrypt'),
  })
  .map((value) => RoutesSettings.parse(value))

describe('reading our routes file back', () => {
  it('S1.45 S1.46 finds nothing wrong with what was rendered, and says the same as a whole YAML parser', () => {
    fc.assert(
      fc.property(anyServices, anySettings, (services, chosen) => {
        const text = renderRoutes(services, chosen)
        expect(routesFlaw(text, services, chosen)).toBeNull()
        const yaml = parse(text) as { http?: { routers: Record<string, { rule: string }>; services: object } }
        const routes = readRoutes(text)
        expect(routes.map(({ name }) => name)).toEqual(Object.keys(yaml.http?.routers ?? {}))
        expect(routes.map(({ host }) => `Host(\`${host}\`)`)).toEqual(
          Object.values(yaml.http?.routers ?? {}).map(({ rule }) => rule),
        )
      }),
    )
  })

  const services = [aService(), aService({ name: 'wiki', subdomain: 'wiki', ip: 'fd00::7', port: 8080 })]
  const text = renderRoutes(services, settings)

  it.each([
    ['cut in the middle', text.slice(0, text.length / 2)],
    ['without its last byte', text.slice(0, -1)],
    ['with something behind it', `${text}x\n`],
    ['with an empty line behind it', `${text}\n`],
    ['with a router twice', text.replace('    lockstep-wiki:\n      rule', '    lockstep-demo:\n      rule')],
    ['with a router that leads nowhere', text.replace('service: "lockstep-wiki"', 'service: "lockstep-none"')],
    ['with another host', text.replace('wiki.example.com', 'wiki.example.org')],
    ['with another address', text.replace('100.64.0.7', '100.64.0.8')],
    ['with another port', text.replace(':8080', ':8081')],
    ['with another entry point', text.replace('"websecure"', '"web"')],
    ['without TLS', text.replace('      tls: {}\n', '')],
    ['with a template of Go', text.replace('demo.example.com', '{{ env }}.example.com')],
    ['that is empty', ''],
    ['of somebody else', 'http:\n  routers: {}\n'],
    ['for no service', renderRoutes([], settings)],
  ])('S1.46 does not let out a file %s', (_, wrong) => {
    expect(wrong).not.toBe(text)
    expect(routesFlaw(wrong, services, settings)).not.toBeNull()
  })

  it('S1.26 does not let out a route for a service that is not public', () => {
    const [demo, wiki] = services
    const hidden = [demo, { ...(wiki ?? aService()), public: false }].filter((service) => service !== undefined)
    expect(routesFlaw(text, hidden, settings)).toBe('1 services are public, but the file has 2 routes')
  })
})
