import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyServices, aService } from '../../../test/fakes/aRegistry.ts'
import { renderHosts } from './hosts.ts'

const domain = 'example.internal'

describe('lines of a hosts file', () => {
  it('S1.54 S1.60 names every service, public or not, and the domain itself', () => {
    const services = [
      aService({ name: 'web', subdomain: 'www' }),
      aService({ name: 'root', subdomain: '', ip: 'fd00::1', public: false }),
      aService({ name: 'web-tls', subdomain: 'www', port: 443 }),
    ]
    expect(renderHosts(services, { domain, shortNames: false })).toBe(
      '100.64.0.7\twww.example.internal # lockstep\nfd00::1\texample.internal # lockstep\n',
    )
    expect(renderHosts([], { domain, shortNames: true })).toBe('')
  })

  it('S1.54 gives short names to those that can have one and to no two', () => {
    const names = ['web', 'localhost', 'two words', '80', 'Db', 'mail', 'MAIL', 'ip6-loopback']
    const services = names.map((name, index) => aService({ name, subdomain: `s${index}`, ip: `10.0.0.${index + 1}` }))
    expect(renderHosts(services, { domain, shortNames: true }).match(/\t.*? /g)).toEqual(
      ['web', 's1', 's2', 's3', 'db', 's5', 's6', 's7'].map((name) =>
        name.startsWith('s') ? `\t${name}.${domain} ` : `\t${name} `,
      ),
    )
  })

  it('S1.54 has the same bytes in any order, and nothing in it but addresses and names', () => {
    fc.assert(
      fc.property(anyServices, fc.boolean(), (services, shortNames) => {
        const text = renderHosts(services, { domain, shortNames })
        expect(renderHosts([...services].reverse(), { domain, shortNames })).toBe(text)
        expect(text).toMatch(/^(?:[0-9a-fA-F:.]+\t(?:[a-z0-9-]+ )?[a-z0-9-]+\.example\.internal # lockstep\n)*$/)
      }),
    )
  })
})
