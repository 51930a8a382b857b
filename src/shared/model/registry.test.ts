import { describe, expect, it } from 'vitest'
import { Registry, RegistryService } from './registry.ts'

const service = { name: 'demo', subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true }
const revision = {
  registry: 'services',
  number: 1,
  digest: 'a'.repeat(64),
  author: 'ada',
  at: 0,
  comment: '',
  entries: 1,
}
const known = ['subdomain', 'ip', 'port', 'public'].map((key) => ({ key, json: null }))
const accepts = (preserved: unknown): boolean => RegistryService.safeParse({ ...service, preserved }).success

describe('registry model', () => {
  it('S1.22 needs no preserved keys from a person who adds a service', () => {
    expect(RegistryService.parse(service).preserved).toEqual([])
  })

  it('S1.22 keeps keys of the source, and lets nothing else into what is written back', () => {
    expect(accepts([...known, { key: 'note', json: '{"a":[1.0]}' }])).toBe(true)
    expect(accepts([...known, { key: 'note', json: '1},"evil":{' }])).toBe(false)
    expect(accepts([...known, { key: 'note', json: null }])).toBe(false)
    expect(accepts([{ key: 'port', json: '99999' }])).toBe(false)
    expect(
      accepts([
        { key: 'note', json: '1' },
        { key: 'note', json: '2' },
      ]),
    ).toBe(false)
    expect(RegistryService.safeParse({ ...service, note: 1 }).success).toBe(false)
  })

  it.each([
    { kind: 'console' },
    { kind: 'file', path: '/etc/lockstep/services.yaml' },
    { kind: 'configMap', cluster: 'home', namespace: 'kube-system', name: 'service-registry', resourceVersion: '42' },
    { kind: 'return', toNumber: 3 },
  ])('S1.27 says where a revision came from: %j', (source) => {
    const registry = { revision: { ...revision, source }, services: [{ ...service, preserved: [] }] }
    expect(Registry.parse(registry)).toEqual(registry)
    expect(Registry.safeParse({ ...registry, revision: { ...registry.revision, number: 0 } }).success).toBe(false)
  })
})
