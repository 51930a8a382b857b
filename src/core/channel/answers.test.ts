import { describe, expect, it } from 'vitest'
import { BrokenReply, ReplyReader, type WireReply } from './answers.ts'

const nonce = '0123456789abcdef0123456789abcdef'
const other = 'f'.repeat(32)
const state = 'e'.repeat(64)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (part: Uint8Array | null): string | null => (part === null ? null : new TextDecoder().decode(part))
const said = (...lines: string[]): string => lines.map((line) => `${nonce} ${line}\n`).join('')

const read = (received: string, orderCount: number, pieceBytes = received.length): WireReply | null => {
  const reader = new ReplyReader(nonce, orderCount)
  const all = bytes(received)
  let reply: WireReply | null = null
  for (let at = 0; at < all.length; at += pieceBytes) reply = reader.push(all.slice(at, at + pieceBytes)) ?? reply
  return reply
}

describe('answers of a worker', () => {
  const whole =
    `Welcome!\n${nonce.slice(0, 9)}\nno newline ` +
    said('begin 1700000000 perl', `same ${state}`) +
    `${said(`content ${state} 7`)}a\n\0ä\nb` +
    said('content missing -', `replaced ${state} in-place`) +
    `${said('ran 3 3 2')}outer` +
    said('tagged') +
    `o 68 69\ne 65\no 0a\nx7\n${said('ran')}` +
    said('skipped', 'said first', 'said and second', 'refused REMOTE_DISK_FULL', 'end')

  it('S1.44 are read whatever the pieces in which they come, and whatever a shell prints before', () => {
    for (const pieceBytes of [1, 2, 7, 33, 100, 10_000]) {
      const reply = read(whole, 8, pieceBytes)
      expect(reply?.clockSeconds).toBe(1_700_000_000)
      expect(reply?.sizeBytes).toBe(bytes(whole).length)
      const [same, content, missing, replaced, ran, tagged, skipped, refused] = reply?.answers ?? []
      expect(same).toEqual({ kind: 'same', state })
      expect(content?.kind === 'content' && text(content.content)).toBe('a\n\0ä\nb')
      expect(missing).toEqual({ kind: 'content', state: 'missing', content: null })
      expect(replaced).toEqual({ kind: 'replaced', state, how: 'in-place' })
      expect(ran?.kind === 'ran' && [ran.exitCode, text(ran.stdout), text(ran.stderr)]).toEqual([3, 'out', 'er'])
      expect(tagged?.kind === 'ran' && [tagged.exitCode, text(tagged.stdout), text(tagged.stderr)]).toEqual([
        7,
        'hi\n',
        'e',
      ])
      expect(skipped).toEqual({ kind: 'skipped' })
      expect(refused).toEqual({ kind: 'refused', code: 'REMOTE_DISK_FULL', evidence: ['first', 'and second'] })
    }
  })

  it('S1.44 of another request pass for none', () => {
    const copy = said(`same ${state}`, 'end').replaceAll(nonce, other)
    expect(read(copy, 1)).toBeNull()
    expect(read(copy + said(`replaced ${state} renamed`, 'end'), 1)?.answers).toEqual([
      { kind: 'replaced', state, how: 'renamed' },
    ])
  })

  it('S1.44 are no answers while a byte is missing', () => {
    const all = bytes(whole)
    const reader = new ReplyReader(nonce, 8)
    expect(reader.push(all.slice(0, -1))).toBeNull()
    expect(reader.begun).toBe(true)
    expect(reader.push(all.slice(-1))).not.toBeNull()
  })

  it.each([
    ['an unknown answer', said('done')],
    ['no digest', said('same e')],
    ['an unknown code', said('refused EVERYTHING')],
    ['a length that is none', said(`content ${state} -5`)],
    ['a file without content', said(`content ${state} -`)],
    ['a script without an exit code', said('tagged', 'ran')],
    ['output that is none', `${said('tagged')}o zz\n${said('ran')}`],
    ['fewer answers than orders', said('end')],
    ['a line without end', `${nonce} ${'x'.repeat(70_000)}`],
    ['noise without end', 'x'.repeat(1_100_000)],
  ])('S1.44 end the exchange when they hold %s', (_, received) => {
    expect(() => read(received, 1)).toThrow(BrokenReply)
  })

  it('S1.78 keep the beginning of what was printed instead', () => {
    const reader = new ReplyReader(nonce, 1)
    reader.push(bytes('This account is locked.\n'))
    expect(reader.noise).toContain('account is locked')
    reader.push(bytes('y'.repeat(10_000)))
    expect(reader.noise).toHaveLength(2_000)
  })
})
