import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { anyServiceName, anyServices, aService } from '../../../test/fakes/aRegistry.ts'
import { RoutesSettings } from '../../shared/model/registry.ts'
import { renderRoutes, traefikName } from './routes.ts'

const settings = RoutesSettings.parse({ domain: 'example.com', certResolver: 'letsencrypt' })
const anySettings: fc.Arbitrary<RoutesSettings> = fc.record({
  domain: fc.constantFrom('example.com', 'a.b.example', 'xn--bcher-kva.example'),
  entryPoints: fc.constantFrom<string[]>(['web'], ['websecure', 'web']),
  tls: fc.boolean(),
  certResolver: fc.constantFrom(null, 'letsencrypt'),
})

/** SchemaStore's description of the file provider, beside the repository where it is there; it is no part of it. */
const schemaFile = new URL('../../../../shared/data/traefik-v3-file-provider.schema.json', import.meta.url)

describe('routes of Traefik', () => {
  it('S1.45 S1.50 gives each public service a router and a server', () => {
    const services = [
      aService({ name: 'web', subdomain: 'www', ip: 'fd00::1', port: 8080 }),
      aService({ name: 'private', subdomain: 'private', public: false }),
      aService(),
    ]
    expect(
      renderRoutes(services, settings),
    ).toBe(`# Written by Lockstep from the service registry. Changes are overwritten.
http:
  routers:
    lockstep-demo:
      rule: "Host(\`demo.example.com\`)"
      entryPoints:
        - "websecure"
      service: "lockstep-demo"
      tls:
        certResolver: "letsencrypt"
    lockstep-web:
      rule: "Host(\`www.example.com\`)"
      entryPoints:
        - "websecure"
      service: "lockstep-web"
      tls:
        certResolver: "letsencrypt"
  services:
    lockstep-demo:
      loadBalancer:
        servers:
          - url: "http://100.64.0.7:80"
    lockstep-web:
      loadBalancer:
        servers:
          - url: "http://[fd00::1]:8080"
`)
  })

  it('S1.45 speaks TLS with the certificates of Traefik, or not at all, as it is told', () => {
    const routerOf = (over: Partial<RoutesSettings>): unknown =>
      parse(renderRoutes([aService({ subdomain: '' })], { ...settings, ...over })).http.routers['lockstep-demo']
    const router = { rule: 'Host(`example.com`)', entryPoints: ['websecure'], service: 'lockstep-demo' }
    expect(routerOf({ certResolver: null })).toEqual({ ...router, tls: {} })
    expect(routerOf({ tls: false })).toEqual(router)
  })

  it('U39 is a document with nothing in it without public services: Traefik refuses empty maps', () => {
    for (const services of [[], [aService({ public: false })]]) {
      const text = renderRoutes(services, settings)
      expect(parse(text)).toEqual({})
      expect(text.endsWith('\n')).toBe(true)
    }
  })

  it('S1.45 has the same bytes for the same services in any order', () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        expect(renderRoutes([...services].reverse(), settings)).toBe(renderRoutes(services, settings))
      }),
    )
  })

  it('U39 lets no name of a service say anything but its name', () => {
    fc.assert(
      fc.property(anyServices, anySettings, (services, over) => {
        const text = renderRoutes(services, over)
        const document = parse(text)
        const open = services.filter((service) => service.public)
        const names = open.map(({ name }) => traefikName(name)).sort()
        expect(Object.keys(document.http?.routers ?? {}).sort()).toEqual(names)
        expect(Object.keys(document.http?.services ?? {}).sort()).toEqual(names)
        for (const { name, subdomain } of open) {
          const router = document.http.routers[traefikName(name)]
          expect(router.rule).toBe(`Host(\`${subdomain}.${over.domain}\`)`)
          expect(router.service).toBe(traefikName(name))
        }
        // Go templates run over the text before anything else does.
        expect(text).not.toContain('{{')
      }),
    )
  })

  it('U39 makes names that Traefik takes, each for one service only', () => {
    fc.assert(
      fc.property(anyServiceName, anyServiceName, (one, two) => {
        expect(traefikName(one)).toMatch(/^lockstep-[a-z0-9_-]+$/)
        expect(traefikName(one) === traefikName(two)).toBe(one === two)
      }),
    )
    expect(traefikName('Grafana 2')).toBe('lockstep-_47rafana_202')
  })

  it.each([
    { domain: 'exa`mple.com' },
    { domain: 'example..com' },
    { domain: 'Example.com' },
    { domain: '10.0.0.1' },
    { domain: '' },
    { domain: 'a.'.repeat(94).concat('com') },
    { domain: 'example.com', entryPoints: [] },
    { domain: 'example.com', entryPoints: ['web"'] },
    { domain: 'example.com', certResolver: 'a\nb' },
  ])('S1.50 refuses the settings %j', (input) => {
    expect(RoutesSettings.safeParse(input).success).toBe(false)
  })

  it.skipIf(!existsSync(schemaFile))(
    'S1.45 U39 is what the schema of the file provider allows (where that schema is there)',
    () => {
      const schema = readSchema()
      fc.assert(
        fc.property(anyServices, anySettings, (services, over) => {
          expect(schema.safeParse(parse(renderRoutes(services, over))).error).toBeUndefined()
        }),
      )
      const wrong = [
        { htp: {} },
        { http: { routers: { a: { rule: 1 } } } },
        { http: { services: { a: { loadBalancer: { servers: [] } } } } },
        { http: { services: { a: { loadbalancer: { servers: [{ url: 'http://x' }] } } } } },
      ]
      for (const document of wrong) expect(schema.safeParse(document).success).toBe(false)
    },
  )
})

/** With the type said where the schema leaves it to be understood: zod reads no properties without one. */
function readSchema(): z.ZodType {
  const typed = (_key: string, value: { readonly properties?: unknown; readonly type?: unknown } | null) =>
    value?.properties !== undefined && value.type === undefined ? { type: 'object', ...value } : value
  return z.fromJSONSchema(JSON.parse(readFileSync(schemaFile, 'utf8'), typed))
}
