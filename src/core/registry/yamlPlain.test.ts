import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyRegistryText } from '../../../test/fakes/aRegistry.ts'
import { readJsonSource } from './jsonSource.ts'
import { formatTree, type SourceNode } from './sourceTree.ts'
import { formatYaml } from './yamlFormat.ts'
import { readPlainYaml } from './yamlPlain.ts'
import { readAnyYaml, readYamlSource } from './yamlSource.ts'

/** What the library reads, and where it stands. */
const agree = (text: string): void => {
  const plain = readPlainYaml(text)
  if (plain === null) return
  const any = readAnyYaml(text)
  expect(any.root, text).not.toBeNull()
  expect(plain).toEqual(any.root)
}

const scalars = [
  'demo',
  'a b',
  '80',
  '0',
  '-1',
  '1.10',
  '007',
  '1e3',
  '0x1F',
  '0o7',
  'true',
  'True',
  'false',
  'null',
  'Null',
  '~',
  '',
  'yes',
  'no',
  'On',
  '"quoted"',
  "'single'",
  '"es\\u0041"',
  '"a" b',
  '100.64.0.7',
  '1.2.3',
  'fd00::1',
  'a: b',
  'a:',
  'a #b',
  '# c',
  '*alias',
  '&anchor x',
  '!tag x',
  '[1]',
  '{}',
  '|',
  '>',
  '- x',
  '-',
  '2026-01-07T09:31:12Z',
  '2026-01-07',
  'http://x/y',
  '.inf',
  '-.inf',
  '.5',
  '5.',
  '+1',
  'Ömer 茶',
  '@x',
  '`x`',
  '%x',
  'a  b',
  'x ',
  '?',
  '? x',
  "it's",
  '"',
  'a"b',
  ',',
  'a,b',
  '\ttab',
  '<<',
  '=',
  '12345678901234567890',
  '-0',
  '1_000',
  '\u00a0x',
  '\u2028',
] as const
const keys = [
  'demo',
  'a b',
  'port',
  '"quoted key"',
  '80',
  'true',
  'null',
  '<<',
  '? x',
  "'k'",
  '- k',
  'a.b-c',
  '{a}',
  'ü',
  '',
] as const

/** Lines at depths that may or may not fit. */
const anyLines = fc
  .array(
    fc.record({
      indent: fc.constantFrom(0, 0, 1, 2, 2, 3, 4, 4, 6),
      dash: fc.constantFrom('', '', '', '- ', '-  ', '- - '),
      key: fc.option(fc.constantFrom(...keys)),
      colon: fc.constantFrom(': ', ': ', ':', ':  '),
      value: fc.constantFrom(...scalars),
      end: fc.constantFrom('\n', '\n', '\n', '\n\n', '\n# note\n', '\n  # note\n', ' \n', '\r\n'),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((lines) =>
    lines
      .map(({ indent, dash, key, colon, value, end }) => {
        const content = key === null ? value : `${key}${colon}${value}`
        return `${' '.repeat(indent)}${dash}${content.trimEnd()}${end}`
      })
      .join(''),
  )

const anyScalar = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('x', '80', 'true', '"q"', 'null', 'a b', '1.10') },
  { weight: 1, arbitrary: fc.constantFrom(...scalars) },
)

/** Mostly as people write: depths that fit, so that much of it is plain. */
const anyBlock: fc.Arbitrary<string> = fc
  .letrec<{ block: readonly string[]; entry: readonly string[] }>((tie) => ({
    entry: fc.oneof(
      { maxDepth: 3 },
      fc
        .tuple(fc.constantFrom('demo', 'a b', '"q k"', 'a.b-c', 'ü'), anyScalar)
        .map(([key, value]) => [`${key}: ${value}`]),
      fc
        .tuple(fc.constantFrom('demo', 'list'), fc.constantFrom(0, 1, 2, 3), tie('block'))
        .map(([key, indent, lines]) => [`${key}:`, ...lines.map((line) => ' '.repeat(indent) + line)]),
    ),
    block: fc.oneof(
      { maxDepth: 3 },
      fc.array(tie('entry'), { minLength: 1, maxLength: 3 }).map((entries) => entries.flat()),
      fc
        .array(
          fc.oneof(
            tie('entry'),
            anyScalar.map((value) => [value]),
          ),
          { minLength: 1, maxLength: 3 },
        )
        .map((items) => items.flatMap(([first = '', ...rest]) => [`- ${first}`, ...rest.map((line) => `  ${line}`)])),
    ),
  }))
  .block.map((lines) => lines.map((line) => `${line}\n`).join(''))

describe('plain YAML', () => {
  it('S1.22 is what the library reads of blocks in blocks', () => {
    let plain = 0
    const property = fc.property(anyBlock, (text) => {
      agree(text)
      if (readPlainYaml(text) !== null) plain += 1
    })
    fc.assert(property, { numRuns: 3_000 })
    // Else this would compare nothing with nothing.
    expect(plain).toBeGreaterThan(300)
  })

  it('S1.22 is what the library reads, at the same places, whenever it is read here at all', () => {
    fc.assert(fc.property(anyLines, agree), { numRuns: 3_000 })
  })

  it.each(scalars)('S1.22 takes the value %j for what the library takes it for', (value) => {
    agree(`demo: ${value}\n`)
    agree(`- ${value}\n`)
    agree(`a:\n  - ${value}\n  - x\n`)
  })

  it('S1.22 reads what we write of any registry, without the library where that is plain', () => {
    fc.assert(
      fc.property(anyRegistryText, (json) => {
        const yaml = formatYaml(json)
        agree(yaml)
        const { root } = readYamlSource(yaml)
        const expected = readJsonSource(json).root
        expect(root === null ? null : formatTree(root, 0)).toBe(
          expected === null ? null : formatTree(normal(expected), 0),
        )
      }),
    )
  })

  it.each([
    [
      'a: {}\noops: [\n',
      'is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['a: "\\qhunter2"', 'is no YAML: Invalid escape'],
  ])('S1.22 says what is wrong with %j, and nothing of what stands in it', (text, message) => {
    expect(readYamlSource(text).mistakes.map((mistake) => mistake.message)).toEqual([message])
  })

  it('S1.22 reads the usual ways to write services and nodes', () => {
    const services =
      'demo:\n  subdomain: demo\n  ip: 100.64.0.7\n  port: 80\n  public: true\n\n# another\n"two words": \n'
    expect(readPlainYaml(services.slice(0, services.indexOf('\n\n') + 1))).not.toBeNull()
    const nodes =
      'management_laptops:\n- ip: 100.64.0.1\n  name: a b\n  tags:\n    - x\n    - y\nvps_nodes:\n  - name: edge\n    last_sync: 2026-01-07T09:31:12Z\n'
    expect(readPlainYaml(nodes)).not.toBeNull()
    agree(nodes)
    expect(readPlainYaml(services)).toBeNull()
  })
})

/** Escapes are how JSON was written, not what it says; numbers keep their digits. */
function normal(node: SourceNode): SourceNode {
  if (node.kind === 'object')
    return { ...node, members: node.members.map((member) => ({ ...member, node: normal(member.node) })) }
  if (node.kind === 'array') return { ...node, items: node.items.map(normal) }
  return typeof node.value === 'string' ? { ...node, json: null } : node
}
