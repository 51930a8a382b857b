import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyRegistryText, aService } from '../../../test/fakes/aRegistry.ts'
import { formatServiceRegistry, readServiceRegistry, registryDigestText, serviceClashes } from './serviceRegistry.ts'
import { jsonPath, type SourceProblem } from './sourceTree.ts'

const usual = `{
  "demo": {
    "subdomain": "demo",
    "ip": "100.64.0.7",
    "port": 80,
    "public": true
  }
}`

function problemsOf(text: string): readonly SourceProblem[] {
  const read = readServiceRegistry(text)
  return read.ok ? [] : read.problems
}
const said = (text: string): string[] =>
  problemsOf(text).map(({ path, line, column, message }) => `${jsonPath(path)} ${line}:${column} ${message}`)
function servicesOf(text: string) {
  const read = readServiceRegistry(text)
  if (!read.ok) throw new Error(read.problems.map(({ path, message }) => `${jsonPath(path)} ${message}`).join('\n'))
  return read.services
}
/** The usual service with one field written another way. */
const withField = (field: string, json: string): string =>
  JSON.stringify({ demo: { ...JSON.parse(usual).demo, [field]: '@' } }).replace('"@"', json)

describe('service registry', () => {
  it('S1.22 S1.23 S1.24 S1.25 S1.26 reads services by name with subdomain, ip, port and public', () => {
    expect(servicesOf(usual)).toEqual([
      { name: 'demo', subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true, preserved: [] },
    ])
    expect(servicesOf('{}')).toEqual([])
  })

  it('S1.22 writes back what it read: order, unknown keys, every digit, the very bytes of jq', () => {
    const text = `{
  "z": {
    "port": 8080,
    "namespace": "default",
    "subdomain": "z",
    "weight": 12345678901234567890.10,
    "ip": "fd00::1",
    "meta": {
      "2": [
        1e3,
        []
      ],
      "1": {}
    },
    "public": false,
    "__proto__": null
  },
  "10": {
    "subdomain": "",
    "ip": "100.64.0.7",
    "port": 80,
    "public": true
  },
  "2 ü": {
    "subdomain": "two",
    "ip": "100.64.0.7",
    "port": 81,
    "public": true
  }
}`
    expect(formatServiceRegistry(servicesOf(text))).toBe(text)
    expect(formatServiceRegistry(servicesOf(text), 0)).toBe(text.replace(/\n */g, '').replaceAll('": ', '":'))
  })

  it('S1.22 reads again what it wrote, whatever lies in the unknown keys', () => {
    fc.assert(
      fc.property(anyRegistryText, (text) => {
        const services = servicesOf(text)
        for (const indent of [0, 2]) expect(servicesOf(formatServiceRegistry(services, indent))).toEqual(services)
        expect(JSON.parse(formatServiceRegistry(services))).toEqual(JSON.parse(text))
      }),
    )
  })

  it('S1.22 takes the same registry as YAML', () => {
    const yaml =
      'demo:\n  subdomain: demo\n  ip: 100.64.0.7 # the first one\n  port: 80\n  public: true\n  note: [1.50, x]\n'
    expect(servicesOf(yaml)).toEqual([
      {
        ...aService(),
        preserved: [
          ...['subdomain', 'ip', 'port', 'public'].map((key) => ({ key, json: null })),
          { key: 'note', json: '[1.50,"x"]' },
        ],
      },
    ])
    expect(servicesOf('base: &b {subdomain: a, ip: 10.0.0.1, port: 1, public: false}\ncopy: *b\n')).toHaveLength(2)
    expect(servicesOf('007: {subdomain: a, ip: 10.0.0.1, port: 1, public: false}')[0]?.name).toBe('007')
  })

  it('S1.22 names every mistake at once, each with its path, line and column', () => {
    const text = `{
  "a": { "subdomain": "Demo", "ip": "100.x.x.x", "port": "80", "public": 1 },
  "b": { "ip": "010.0.0.1" },
  "c": 7,
  "a": { "subdomain": "x", "ip": "10.0.0.1", "port": 0, "public": true, "k": { "y": 1, "y": 2 } }
}`
    expect(said(text)).toEqual([
      '$.a.subdomain 2:23 "Demo" has capital letters; write "demo"',
      '$.a.ip 2:37 "100.x.x.x" is a placeholder; write the real address',
      '$.a.port 2:58 is the text "80", but must be a whole number from 1 to 65535',
      '$.a.public 2:74 is 1, but must be true or false',
      '$.b.subdomain 3:8 is missing: a DNS label such as demo',
      '$.b.port 3:8 is missing: a whole number from 1 to 65535',
      '$.b.public 3:8 is missing: true or false',
      '$.b.ip 3:16 "010.0.0.1" has a number with a leading zero, which some programs read as octal',
      '$.c 4:8 is 7, but must be an object with subdomain, ip, port, public',
      '$.a 5:3 is there twice; of two entries only one would count',
      '$.a.port 5:54 is 0, but must be a whole number from 1 to 65535',
      '$.a.k.y 5:88 is there twice; of two entries only one would count',
    ])
    expect(said('a:\n  subdomain: a\n  ip: 10.0.0.1\n  port: 99999\n  public: yes\na: 1\n')).toEqual([
      '$.a.port 4:9 is 99999, but must be a whole number from 1 to 65535',
      '$.a.public 5:11 is the text "yes", but must be true or false',
      '$.a 6:1 is there twice; of two entries only one would count',
      '$.a 6:4 is 1, but must be an object with subdomain, ip, port, public',
    ])
  })

  it.each([
    ['', '$ 1:1 is empty; write {} for a registry without services'],
    [' \n# nothing\n', '$ 1:1 is empty; write {} for a registry without services'],
    ['null', '$ 1:1 is null, but must be an object with a service under each name'],
    ['[]', '$ 1:1 is a list, but must be an object with a service under each name'],
    ['{"a": 1,}', '$ 1:9 is no JSON: a key in double quotes expected, found "}"'],
    ['{"a": nope}', '$ 1:7 is no JSON: a value expected, found "n"'],
    ['{"a": 01}', '$ 1:8 is no JSON: "," or "}" expected, found "1"'],
    ['{"a": "x\ny"}', '$ 1:9 is no JSON: a line break or control character in a text'],
    ['{"a": "x', '$ 1:7 is no JSON: a text in quotes has no end'],
    ['{"a": "\\q"}', '$ 1:7 is no JSON: a text holds a backslash that means nothing'],
    ['{} {}', '$ 1:4 there is more text behind the end of the document'],
    ['{"a', '$ 1:2 is no JSON: a text in quotes has no end'],
    ['a: *nowhere', '$ 1:4 there is no anchor of this name before this'],
    ['a: 1\n---\nb: 2', '$ 2:1 is a second document; a registry is one'],
    ['a: .nan', '$ 1:4 is .nan, which JSON has no word for'],
    ['? [a]\n: 1', '$ 1:1 has a key that is not a plain text'],
  ])('S1.22 does not take %j for a registry', (text, problem) => {
    expect(said(text)).toEqual([problem])
  })

  it('S1.22 bounds nesting and aliases', () => {
    expect(said(`{"a":${'['.repeat(5000)}`)).toEqual(['$ 1:106 is nested more than 100 levels deep'])
    const bomb = [
      'a: &a [x, x]',
      'b: &b [*a, *a, *a, *a, *a, *a]',
      'c: &c [*b, *b, *b, *b, *b, *b]',
      'd: [*c, *c, *c, *c, *c]',
    ]
    expect(problemsOf(bomb.join('\n'))[0]?.message).toBe('more than 100 aliases')
  })

  it('S1.22 takes no text for a registry that makes it throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void readServiceRegistry(text)))
    fc.assert(fc.property(fc.string(), (text) => void readServiceRegistry(`{${text}`)))
    fc.assert(fc.property(fc.json(), (text) => void readServiceRegistry(text)))
  })

  it.each(['demo', '', 'a', '1', 'a-b', 'a1b--c', 'xn--bcher-kva', 'x'.repeat(63)])(
    'S1.23 takes the subdomain %j',
    (name) => {
      expect(said(withField('subdomain', JSON.stringify(name)))).toEqual([])
    },
  )

  it.each(['Demo', 'bücher', 'a.b', 'a_b', '-a', 'a-', 'ab--c', 'xn---', 'a b', 'a`', 'a\n', '*', 'x'.repeat(64)])(
    'S1.23 refuses the subdomain %j',
    (name) => {
      expect(problemsOf(withField('subdomain', JSON.stringify(name))).map(({ path }) => jsonPath(path))).toEqual([
        '$.demo.subdomain',
      ])
    },
  )

  it.each([
    '100.64.0.7',
    '127.0.0.2',
    '223.255.255.255',
    '::1',
    'fd00::1',
    '1:2:3:4:5:6:7:8',
    '::ffff:10.0.0.1',
    '2001:DB8::',
    '1::8',
  ])('S1.24 takes the address %s', (ip) => {
    expect(said(withField('ip', JSON.stringify(ip)))).toEqual([])
  })

  it.each([
    ['100.x.x.x', 'placeholder'],
    ['100.*', 'placeholder'],
    ['256.0.0.1', 'not 0 to 255'],
    ['1.2.3', 'four numbers'],
    ['1.2.3.4.5', 'four numbers'],
    ['1..2.3', 'not 0 to 255'],
    ['01.2.3.4', 'leading zero'],
    ['0.0.0.0', 'no single machine'],
    ['::', 'no single machine'],
    ['224.0.0.1', 'no single machine'],
    ['255.255.255.255', 'no single machine'],
    ['ff02::1', 'no single machine'],
    ['fe80::1%eth0', 'no IPv6'],
    ['1:2:3:4:5:6:7:8:9', 'no IPv6'],
    ['1:2:3', 'no IPv6'],
    ['1::2::3', 'no IPv6'],
    ['::ffff:10.0.0.256', 'no IPv6'],
    ['12345::', 'no IPv6'],
    ['localhost', 'not a name'],
    ['１.2.3.4', 'not a name'],
    ['', 'not a name'],
  ])('S1.24 refuses the address %j', (ip, words) => {
    expect(said(withField('ip', JSON.stringify(ip)))).toEqual([expect.stringContaining(words)])
  })

  it.each(['0', '65536', '-1', '80.5', '"80"', 'null', '1e999', '[80]'])('S1.25 refuses the port %s', (json) => {
    expect(problemsOf(withField('port', json)).map(({ path }) => jsonPath(path))).toEqual(['$.demo.port'])
  })

  it.each(['"true"', '1', 'null', '{}'])('S1.26 refuses %s for public', (json) => {
    expect(problemsOf(withField('public', json)).map(({ path }) => jsonPath(path))).toEqual(['$.demo.public'])
  })

  it.each(['""', '"a/b"', '"-x"', '"a\\nb"', '" a"'])('S1.22 refuses the name %s', (name) => {
    expect(problemsOf(usual.replace('"demo"', name)).map(({ line, column }) => [line, column])).toEqual([[2, 3]])
  })

  it('S1.23 refuses a subdomain that would lead to two places, and no other', () => {
    const [one, two] = [aService({ name: 'one' }), aService({ name: 'two' })]
    expect(serviceClashes([one, { ...two, public: false, port: 81 }])).toEqual([])
    expect(serviceClashes([one, { ...two, public: false, ip: '10.0.0.9' }])).toHaveLength(1)
    expect(said(formatServiceRegistry([one, two], 0))).toEqual(['$.two.subdomain 1:90 "demo" belongs to "one" already'])
    expect(serviceClashes([one, one]).map(({ field }) => field)).toEqual(['name'])
  })

  it('S1.22 reads 10,000 services, and finds the one mistake in them', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => aService({ name: `s${index}`, subdomain: `s${index}` }))
    expect(servicesOf(formatServiceRegistry(many))).toEqual(many)
    const broken = formatServiceRegistry(many).replace('"subdomain": "s9999"', '"subdomain": "s0"')
    expect(said(broken)).toEqual(['$.s9999.subdomain 59997:18 "s0" belongs to "s0" already'])
  })
})

it('S1.22 writes a key that is too deep to be laid out, rather than to lose it', () => {
  const json = `${'['.repeat(500)}${']'.repeat(500)}`
  const services = [aService({ preserved: [{ key: 'deep', json }] })]
  expect(JSON.parse(formatServiceRegistry(services)).demo.deep).toEqual(JSON.parse(json))
})

describe('digest of a registry', () => {
  it('D14 is the same for the same content in any order, and another for any other byte', () => {
    const text =
      '{"b":{"ip":"10.0.0.1","x":1,"subdomain":"b","port":1,"public":true,"a":[1.0]},"a":{"subdomain":"a","ip":"10.0.0.1","port":2,"public":true}}'
    const turned =
      '{"a":{"public":true,"subdomain":"a","ip":"10.0.0.1","port":2},"b":{"subdomain":"b","a":[1.0],"ip":"10.0.0.1","x":1,"port":1,"public":true}}'
    const digestText = registryDigestText(servicesOf(text))
    expect(registryDigestText(servicesOf(turned))).toBe(digestText)
    for (const [from, to] of [
      ['1.0', '1.00'],
      ['"x"', '"y"'],
      ['"port":1', '"port":3'],
      ['true', 'false'],
      ['"b":', '"c":'],
    ] as const)
      expect(registryDigestText(servicesOf(text.replace(from, to)))).not.toBe(digestText)
  })

  it('D14 does not change when the registry goes out and comes back', () => {
    fc.assert(
      fc.property(anyRegistryText, (text) => {
        const services = servicesOf(text)
        expect(registryDigestText(servicesOf(formatServiceRegistry(services)))).toBe(registryDigestText(services))
      }),
    )
  })
})
