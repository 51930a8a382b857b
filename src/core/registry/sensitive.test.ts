import { describe, expect, it } from 'vitest'
import { readEntries } from './registryEntries.ts'
import { changeSensitive, isSensitiveKey, type SensitivePlace } from './sensitive.ts'

function placesIn(entry: string): SensitivePlace[] {
  const read = readEntries(
    'services',
    `{"demo": {"subdomain": "d", "ip": "10.0.0.1", "port": 80, "public": true, ${entry}}}`,
  )
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join())
  const places: SensitivePlace[] = []
  changeSensitive(read.content, (place) => {
    places.push(place)
    return { kind: 'nothing' }
  })
  return places
}

describe('sensitive values', () => {
  it.each([
    'password',
    'PASSWORD',
    'passwd',
    'passphrase',
    'secret',
    'Secrets',
    'token',
    'api_key',
    'apikey',
    'apiKey',
    'api-key',
    'private_key',
    'privateKey',
    'credential',
    'credentials',
    'db_password',
    'dbPassword',
    'ACCESS_TOKEN',
    'x-api-key',
    'client.secret',
    'my token',
  ])('S1F.8 stand below %j', (key) => {
    expect(isSensitiveKey(key)).toBe(true)
    expect(placesIn(`${JSON.stringify(key)}: "x"`)).toEqual([
      { path: ['demo', key], home: JSON.stringify(['services', 'demo', key]), value: { kind: 'open', json: '"x"' } },
    ])
  })

  it.each([
    'portal',
    'owner',
    'tokenizer',
    'secretary',
    'password_hint',
    'key',
    'keys',
    'monkey',
    'passwordless',
    'tokens_left',
  ])('S1F.8 do not stand below %j', (key) => {
    expect(isSensitiveKey(key)).toBe(false)
    expect(placesIn(`${JSON.stringify(key)}: "x"`)).toEqual([])
  })

  it('S1F.8 are found at any depth, whole, and however the key is spelled in JSON', () => {
    expect(placesIn('"a": {"b": [{"token": {"x": 1.50}}]}, "p\\u0061ssword": 7, "secret": null')).toEqual([
      {
        path: ['demo', 'a', 'b', 0, 'token'],
        home: '["services","demo","a","b","token"]',
        value: { kind: 'open', json: '{"x":1.50}' },
      },
      { path: ['demo', 'password'], home: '["services","demo","password"]', value: { kind: 'open', json: '7' } },
    ])
  })

  it('S1F.8 are known again in their envelopes, below any key; what only looks like one is broken', () => {
    expect(
      placesIn('"note": {"$sealed": "s1.x"}, "list": [{"$sealed": "y"}], "token": {"$sealed": "z"}'),
    ).toMatchObject([
      { path: ['demo', 'note'], value: { kind: 'sealed', envelope: 's1.x' } },
      { path: ['demo', 'list', 0], value: { kind: 'sealed', envelope: 'y' } },
      { path: ['demo', 'token'], value: { kind: 'sealed', envelope: 'z' } },
    ])
    for (const broken of ['{"$sealed": "x", "y": 1}', '{"$sealed": 1}'])
      expect(placesIn(`"note": ${broken}`)).toMatchObject([{ value: { kind: 'broken' } }])
    expect(placesIn('"secret": {"inner": {"$sealed": "x"}}')).toMatchObject([{ value: { kind: 'broken' } }])
  })

  it('S1F.8 S1.15 are found beside the lists of nodes and in nodes; the name of a service is not a key', () => {
    const lists = '"management_laptops": [], "vps_nodes": [], "worker_nodes": []'
    const nodes = readEntries('nodes', `{${lists}, "registry_token": "x"}`)
    const services = readEntries(
      'services',
      '{"token": {"subdomain": "t", "ip": "10.0.0.1", "port": 1, "public": false}}',
    )
    if (!nodes.ok || !services.ok) throw new Error('does not read')
    const seen: unknown[] = []
    const look = ({ path, home }: SensitivePlace) => {
      seen.push([path, home])
      return { kind: 'nothing' } as const
    }
    changeSensitive(nodes.content, look)
    changeSensitive(services.content, look)
    expect(seen).toEqual([[['registry_token'], '["nodes",null,"registry_token"]']])
  })
})

describe('a file of secrets that is taken for a registry', () => {
  it.each(['{"api_token": "c4n4ry-1"}', 'api_token: c4n4ry-1\n', '"c4n4ry-1"', '{"vps_nodes": "c4n4ry-1"}'])(
    'S1F.8 says what is wrong with %j without what stands there',
    (text) => {
      for (const registry of ['services', 'nodes'] as const) {
        const read = readEntries(registry, text)
        expect(read.ok).toBe(false)
        expect(JSON.stringify(read)).not.toContain('c4n4ry')
      }
    },
  )
})
