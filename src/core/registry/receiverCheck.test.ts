import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyServices, aService } from '../../../test/fakes/aRegistry.ts'
import { HostsSettings, RoutesSettings } from '../../shared/model/registry.ts'
import { renderHosts } from './hosts.ts'
import { receivedHostsDifferences, receivedHostsText, receivedRoutesDifferences } from './receiverCheck.ts'
import { renderRoutes } from './routes.ts'

const routes = RoutesSettings.parse({ domain: 'example.com' })
const hosts = HostsSettings.parse({ domain: 'example.com' })

describe('what a receiver script made of the registry', () => {
  it('S1.45 S1.46 agrees with our own form for any services', () => {
    fc.assert(
      fc.property(anyServices, (services) => {
        expect(receivedRoutesDifferences(renderRoutes(services, routes), services, routes)).toEqual([])
        expect(receivedHostsDifferences(renderHosts(services, hosts), services, hosts)).toEqual([])
      }),
    )
  })

  it('S1.46 names what a route says otherwise', () => {
    const wiki = aService({ name: 'wiki', subdomain: 'wiki', port: 8080 })
    const text = renderRoutes([aService({ port: 81 }), wiki], routes)
    const services = [aService(), { ...wiki, public: false }, aService({ name: 'x', subdomain: 'x' })]
    expect(receivedRoutesDifferences(text, services, routes)).toEqual([
      'demo.example.com leads to http://100.64.0.7:81, not to http://100.64.0.7:80',
      'wiki.example.com has a route and is not public',
      'x.example.com has no route',
    ])
    expect(receivedRoutesDifferences('- a\n', services, routes)).toEqual(['it is no configuration of Traefik'])
    expect(receivedRoutesDifferences('', [], routes)).toEqual([])
  })

  it('S1.45 S1.46 names a route of a service that was removed, and a second way beside the right one', () => {
    const gone = aService({ name: 'gone', subdomain: 'gone' })
    expect(receivedRoutesDifferences(renderRoutes([aService(), gone], routes), [aService()], routes)).toEqual([
      'gone.example.com still has a route',
    ])
    const right = '- url: "http://100.64.0.7:80"'
    const both = renderRoutes([aService()], routes).replace(right, `${right}\n          - url: "http://6.6.6.6:80"`)
    expect(receivedRoutesDifferences(both, [aService()], routes)).toEqual([
      'demo.example.com leads to http://100.64.0.7:80, http://6.6.6.6:80, not only to http://100.64.0.7:80',
    ])
  })

  it('S1.46 a rule that was made to keep us busy is no configuration', () => {
    const rule = 'Host('.repeat(150_000)
    const text = `http:\n  routers:\n    a:\n      rule: "${rule}"\n      service: a\n`
    expect(receivedRoutesDifferences(text, [aService()], routes)).toEqual(['it is no configuration of Traefik'])
  })

  it('S1.55 names what the first line with a name says otherwise, and old entries of the script', () => {
    const text =
      '10.0.0.1 demo.example.com\n100.64.0.7 demo.example.com\n# MyNodeOne Services\n1.2.3.4 old.example.com\n\n1.2.3.4 theirs.example.com\n'
    expect(receivedHostsDifferences(text, [aService(), aService({ name: 'x', subdomain: 'x' })], hosts)).toEqual([
      'demo.example.com leads to 10.0.0.1, not to 100.64.0.7',
      'x.example.com is not there',
      'old.example.com is still there',
    ])
    expect(receivedHostsText('100.64.0.7  DEMO.example.com other # x\n', [aService()], 'example.com')).toBe(
      '100.64.0.7\tdemo.example.com\n',
    )
  })
})
