import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeName,
  displayName,
  filesComplainedAbout,
  parseLine,
  parseListLine,
  type RsyncLine,
  RsyncOutput,
  rsyncSeverity,
} from './rsync.ts'

const transcript = (name: string): Buffer =>
  readFileSync(new URL(`../../../test/fixtures/rsync/${name}`, import.meta.url))

const mark = '0123456789abcdef '
/** As rsync writes it when the out-format begins with the mark. */
const marked = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.toString('latin1').replaceAll(/^(?=[<>ch.*][fdLd]\S*\s+\d|\*deleting)/gm, mark), 'latin1')

function readAll(bytes: Uint8Array, cuts: readonly number[] = []): RsyncLine[] {
  const lines: RsyncLine[] = []
  const output = new RsyncOutput(mark, (line) => lines.push(line))
  const borders = [0, ...[...cuts].sort((left, right) => left - right), bytes.length]
  borders.slice(1).forEach((end, index) => void output.push(bytes.subarray(borders[index], end)))
  output.end()
  return lines
}

describe('the output of rsync', () => {
  const lines = readAll(marked(transcript('push-3.5.txt')))
  const names = lines.flatMap((line) => (line.kind === 'item' ? [line.name] : []))

  it('gives names back as they are on disk, escapes undone', () => {
    expect(names).toEqual([
      './',
      'a',
      'back\\slash',
      'caf\xc3\xa9',
      'hash\\#012',
      'li -> nk',
      'new\nline',
      'sub/',
      'sub/b c',
    ])
    expect(lines.find((line) => line.kind === 'item' && line.name === 'li -> nk')).toMatchObject({ type: 'symlink' })
  })

  it('tells deleted files from deleted directories', () => {
    expect(lines.filter((line) => line.kind === 'delete')).toEqual([
      { kind: 'delete', name: 'olddir/f', isDirectory: false },
      { kind: 'delete', name: 'olddir/', isDirectory: true },
      { kind: 'delete', name: 'old', isDirectory: false },
    ])
  })

  it('reads progress and totals', () => {
    expect(lines.filter((line) => line.kind === 'progress').at(-1)).toEqual({
      kind: 'progress',
      bytes: 7,
      percent: 87,
      filesDone: 6,
    })
    const stats = Object.fromEntries(lines.flatMap((line) => (line.kind === 'stat' ? [[line.name, line.value]] : [])))
    expect(stats).toMatchObject({
      'Number of files': 10,
      'Number of deleted files': 3,
      'Total transferred file size': 7,
      'Total bytes sent': 495,
    })
    expect(lines).toContainEqual({ kind: 'stat', name: 'Number of deleted files', value: 3, regular: 2 })
    expect(lines).toContainEqual({ kind: 'text', text: 'skipping non-regular file "fifo"' })
  })

  it('reads the same wherever the stream is cut', () => {
    const bytes = marked(transcript('push-3.5.txt'))
    fc.assert(
      fc.property(
        fc.array(fc.nat(bytes.length), { maxLength: 20 }),
        (cuts) => void expect(readAll(bytes, cuts)).toEqual(lines),
      ),
      { numRuns: 100 },
    )
  })

  it('never throws, whatever it is fed', () => {
    fc.assert(fc.property(fc.string(), (line) => void parseLine(line, mark)))
  })

  it('text of a hostile sender passes neither for a file nor for a delete, and hides none of ours', () => {
    for (const forged of [
      '*deleting   0 precious',
      '>f+++++++++ 1 a',
      '.f          1 a',
      `${mark.slice(1)}*deleting   0 a`,
    ])
      expect(parseLine(forged, mark)).toEqual({ kind: 'text', text: forged })
    const hidden = { kind: 'delete', name: 'precious', isDirectory: false }
    expect(parseLine(`no line end${mark}*deleting   0 precious`, mark)).toEqual(hidden)
    const lines: RsyncLine[] = []
    const output = new RsyncOutput(mark, (line) => lines.push(line))
    const bytes = Buffer.from(`${'x'.repeat(64 * 1024)}${mark}*deleting   0 precious\n`)
    for (let at = 0; at < bytes.length; at += 1) output.push(bytes.subarray(at, at + 1))
    output.end()
    expect(lines.filter((line) => line.kind !== 'text')).toEqual([hidden])
  })

  it('reads a listing, links with arrows in their names included', () => {
    const entries = transcript('list-3.5.txt')
      .toString()
      .split('\n')
      .flatMap((line) => parseListLine(line) ?? [])
    expect(entries.map((entry) => entry.name)).toEqual([
      '.',
      'a',
      'back\\slash',
      'caf\xc3\xa9',
      'hash\\#012',
      'li -> nk',
      'new\nline',
      'sub',
      'sub/b c',
    ])
    expect(entries.find((entry) => entry.name === 'li -> nk')?.type).toBe('symlink')
  })
})

describe('names', () => {
  it('decode every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const escaped = [...bytes].map((byte) => `\\#${byte.toString(8).padStart(3, '0')}`).join('')
        expect([...decodeName(escaped)].map((character) => character.charCodeAt(0))).toEqual([...bytes])
      }),
    )
  })

  it('are shown without control characters', () => {
    expect(displayName('caf\xc3\xa9\n')).toBe('café\\x0a')
  })
})

describe('exit codes (U34)', () => {
  it.each([
    [0, 'ok'],
    [24, 'warning'],
    [23, 'partial'],
    [10, 'retryable'],
    [12, 'retryable'],
    [30, 'retryable'],
    [35, 'retryable'],
    [20, 'retryable'],
    [137, 'retryable'],
    [255, 'retryable'],
    [11, 'disk-full-suspected'],
    [25, 'delete-limit'],
    [1, 'fatal'],
    [2, 'fatal'],
    [127, 'fatal'],
    [14, 'fatal'],
  ])('%i is %s', (code, severity) => expect(rsyncSeverity(code)).toBe(severity))

  it('23 names the files', () => {
    const stderr = [
      'rsync: [sender] send_files failed to open "/srv/a\\#012b": Permission denied (13)',
      'rsync: [receiver] mkstemp "/srv/d2/.ok.sUjIIA" failed: Permission denied (13)',
      'file has vanished: "/srv/gone"',
      'rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394) [sender=3.5.0]',
    ].join('\n')
    expect(filesComplainedAbout(stderr)).toEqual(['/srv/a\\x0ab', '/srv/d2/.ok.sUjIIA', '/srv/gone'])
  })

  it('keeps no more than a line in memory when a sender never ends its line', () => {
    let longest = 0
    let received = 0
    const output = new RsyncOutput(mark, (_line, raw) => {
      longest = Math.max(longest, raw.length)
      received += raw.length
    })
    for (let index = 0; index < 64; index += 1) output.push(Buffer.alloc(16 * 1024, 'x'))
    output.end()
    expect(received).toBe(1024 * 1024)
    expect(longest).toBeLessThan(128 * 1024)
  })
})
