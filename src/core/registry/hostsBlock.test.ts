import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyServices } from '../../../test/fakes/aRegistry.ts'
import { renderHosts } from './hosts.ts'
import { hostsBegin, hostsEnd, readHostsBlock, shadowedNames, withHostsBlock } from './hostsBlock.ts'

const domain = 'example.internal'
const lines = '100.64.0.7\tdemo.example.internal # lockstep\n'
const older = '100.64.0.9\told.example.internal # lockstep\n'
const block = (body: string): string => `${hostsBegin}\n${body}${hostsEnd}\n`

function applied(text: string, body = lines, options = {}): string {
  const change = withHostsBlock(text, body, options)
  if (!change.ok) throw new Error(change.message)
  return change.text
}
const removed = (text: string): string => applied(text, '')

const anyLines = anyServices.map((services) => renderHosts(services, { domain, shortNames: true }))
const somebodysText = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
  fc
    .array(
      fc.constantFrom(
        '127.0.0.1\tlocalhost',
        '::1 ip6-localhost',
        '',
        '# a comment',
        `# see "${hostsBegin}" below`,
        '\xff\xfe',
        '\r',
        'x',
      ),
    )
    .chain((parts) => fc.constantFrom('\n', '\r\n').map((lineEnd) => parts.join(lineEnd))),
)
/** Somebody's lines and, among them, whole blocks, halves and marks of ours. */
const anyHostsFile = fc
  .array(
    fc.oneof(
      somebodysText,
      fc.constantFrom(
        '\n',
        '\r\n',
        `${hostsBegin}\n`,
        `\n${hostsBegin} (with the end of the line above)\r\n`,
        hostsEnd,
        `${hostsEnd}\n`,
      ),
      fc.constantFrom(lines, older, block(older), block(older).replaceAll('\n', '\r\n')),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

describe('our block in a hosts file', () => {
  it('S1.54 S1.60 stands at the end of the file and takes older entries of ours away', () => {
    const file = '127.0.0.1\tlocalhost\n'
    expect(applied(file)).toBe(file + block(lines))
    expect(applied(file + block(older))).toBe(file + block(lines))
    expect(applied(applied(''))).toBe(block(lines))
  })

  it('S1.54 changes no byte outside, wherever its end is', () => {
    fc.assert(
      fc.property(somebodysText, anyLines, (text, body) => {
        const changed = applied(text, body)
        expect(changed.startsWith(text)).toBe(true)
        expect(removed(changed)).toBe(text)
      }),
    )
  })

  it('S1.54 changes no byte outside of a file that has blocks, halves and marks already', () => {
    fc.assert(
      fc.property(anyHostsFile, anyLines, (text, body) => {
        expect(removed(applied(text, body))).toBe(removed(text))
        expect(removed(removed(text))).toBe(removed(text))
      }),
      { numRuns: 500 },
    )
  })

  it('S1.54 applied twice is applied once, and the newer lines win', () => {
    fc.assert(
      fc.property(anyHostsFile, anyLines, anyLines, (text, first, second) => {
        const once = applied(text, second)
        expect(applied(once, second)).toBe(once)
        if (first !== '') expect(applied(applied(text, first), second)).toBe(once)
      }),
      { numRuns: 500 },
    )
  })

  it('S1.55 is read back as it was rendered', () => {
    fc.assert(
      fc.property(anyHostsFile, anyLines, (text, body) => {
        expect(readHostsBlock(applied(text, body))).toBe(body === '' ? null : body)
      }),
      { numRuns: 500 },
    )
  })

  it('S1.54 uses the line ends of the file', () => {
    const file = '127.0.0.1\tlocalhost\r\n'
    expect(applied(file)).toBe(file + block(lines).replaceAll('\n', '\r\n'))
    expect(readHostsBlock(applied(file))).toBe(lines)
    const unfinished = '::1 a\r\n127.0.0.1\tlocalhost'
    expect(applied(unfinished).replaceAll('\r\n', '')).not.toContain('\n')
    expect(removed(applied(unfinished))).toBe(unfinished)
  })

  it('S1.54 gives a last line without an end one, and takes it back unless somebody has written below', () => {
    const changed = applied('127.0.0.1 a')
    expect(changed.startsWith('127.0.0.1 a\n')).toBe(true)
    expect(removed(changed)).toBe('127.0.0.1 a')
    expect(removed(`${changed}127.0.0.1 b\n`)).toBe('127.0.0.1 a\n127.0.0.1 b\n')
  })

  it('S1.54 takes the lines of a block that was cut, and nothing that a person wrote after them', () => {
    const half = `127.0.0.1 a\n${hostsBegin}\n${older}${older}10.0.0.1 printer\n`
    expect(readHostsBlock(half)).toBe(null)
    expect(applied(half)).toBe(`127.0.0.1 a\n${block(lines)}10.0.0.1 printer\n`)
    expect(applied(`${hostsEnd}\n127.0.0.1 a\n`)).toBe(`${block(lines)}127.0.0.1 a\n`)
  })

  it('S1.55 makes one block of two, and proves nothing while there are two', () => {
    const two = `a\n${block(lines)}b\n${block(older)}c\n`
    expect(readHostsBlock(two)).toBe(null)
    expect(applied(two)).toBe(`a\n${block(lines)}b\nc\n`)
    expect(readHostsBlock(`${hostsEnd}\n${hostsBegin}\n`)).toBe(null)
  })

  it('S1.54 takes a mark inside a comment for a comment', () => {
    const file = `## ${hostsBegin}\n${hostsBegin} of nothing\n  ${hostsEnd}\n`
    expect(applied(file)).toBe(file + block(lines))
  })

  it('S1.54 takes over what sync-dns.sh has left, at its place', () => {
    const left = '# MyNodeOne Services - Auto-synced on Wed Jan  7 09:31:12 UTC 2026\n100.64.0.9\told.mynodeone.local\n'
    expect(applied(`a\n\n${left}\nb\n`)).toBe(`a\n\n${block(lines)}b\n`)
    expect(applied(`a\n${left}# mine\nb\n`)).toBe(`a\n${block(lines)}# mine\nb\n`)
    expect(applied(`a\n${left}\nb\n${left}`)).toBe(`a\n${block(lines)}b\n`)
    expect(applied(left, lines, { foreign: [] })).toBe(left + block(lines))
  })

  it('S1.54 takes over blocks between other marks, when they are whole', () => {
    const foreign = [{ begin: '#--- corp', end: '#--- end' }]
    expect(applied('a\n#--- corp v1\nx\n#--- end\nb\n', lines, { foreign })).toBe(`a\n${block(lines)}b\n`)
    expect(applied('a\n#--- corp v1\nx\n', lines, { foreign })).toBe(`a\n#--- corp v1\nx\n${block(lines)}`)
  })

  it('S1.55 names the lines above that still win over ours', () => {
    const file = [
      '10.0.0.1 Demo.example.internal x # mine',
      '# 10.0.0.2 demo.example.internal',
      '100.64.0.7 demo.example.internal',
    ].join('\n')
    expect(shadowedNames(applied(file))).toEqual([{ name: 'demo.example.internal', ip: '10.0.0.1', line: 1 }])
    expect(shadowedNames(`${applied('127.0.0.1 a\n')}10.0.0.1 demo.example.internal\n`)).toEqual([])
    expect(shadowedNames(file)).toEqual([])
  })

  it('S1.54 refuses a file with a NUL byte', () => {
    expect(withHostsBlock('a\0b', lines)).toEqual({ ok: false, message: expect.stringContaining('NUL') })
  })

  it('S1.54 copes with 10 MB, even of marks', () => {
    const entries = '10.0.0.1\tsomebody.example\n'.repeat(400_000)
    expect(removed(applied(entries))).toBe(entries)
    for (const part of [
      `${hostsBegin}\n`,
      block(''),
      `${hostsBegin} `,
      '# MyNodeOne Services\n',
      `1${' '.repeat(99)}`,
    ]) {
      const file = part.repeat(10_000_000 / part.length)
      expect(readHostsBlock(applied(file))).toBe(lines)
    }
    const spaces = `# MyNodeOne Services\n1${' '.repeat(10_000_000)}!\n`
    expect(applied(spaces).endsWith('!\n')).toBe(true)
  })
})
