import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockBytes, isErrorLine, LogIndex, longestLineBytes, splitLines } from './logIndex.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Reads all lines through the index, the way the viewer does. */
function allLines(index: LogIndex, whole: Uint8Array): string[] {
  const closed = index.blocks.flatMap((block) =>
    splitLines(whole.subarray(block.offset, block.offset + block.sizeBytes)),
  )
  return [...closed, ...index.tail.lines]
}

describe('log index', () => {
  it('U20 finds the same lines however the bytes arrive', () => {
    const words = fc.array(
      fc.oneof(fc.string({ maxLength: 60 }), fc.constant('\n'), fc.constant('é€😀'), fc.constant('x'.repeat(9000))),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(words, fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 }), (parts, cuts) => {
        const whole = bytes(parts.join('').repeat(3))
        const index = new LogIndex()
        for (let at = 0, turn = 0; at < whole.length; turn += 1) {
          const size = cuts[turn % cuts.length] as number
          index.append(whole.subarray(at, at + size))
          at += size
        }
        const once = new LogIndex()
        once.append(whole)
        expect(allLines(index, whole)).toEqual(splitLines(whole))
        expect(index.lineCount).toBe(once.lineCount)
        expect(index.sizeBytes).toBe(whole.length)
      }),
      { numRuns: 20 },
    )
  })

  it('U20 keeps one record for each 64 KiB, and finds the block of a line', () => {
    const whole = bytes(Array.from({ length: 100_000 }, (_, line) => `line ${line}\n`).join(''))
    const index = new LogIndex()
    index.append(whole)
    expect(index.lineCount).toBe(100_000)
    expect(index.blocks.length).toBeLessThanOrEqual(Math.ceil(whole.length / blockBytes))
    const block = index.blockOf(54_321)
    expect(block).not.toBeNull()
    if (block === null) return
    const lines = splitLines(whole.subarray(block.offset, block.offset + block.sizeBytes))
    expect(lines[54_321 - block.firstLine]).toBe('line 54321')
    expect(index.blockOf(99_999)).toBeNull()
  })

  it('cuts a line that never ends, and never inside a character', () => {
    const whole = bytes('€'.repeat(10_000))
    const lines = splitLines(whole)
    expect(lines.join('')).toBe('€'.repeat(10_000))
    for (const line of lines) expect(bytes(line).length).toBeLessThanOrEqual(longestLineBytes)
  })

  it('shows the last drawing of a progress line', () => {
    expect(splitLines(bytes('10%\r50%\r100%\r\ndone\n'))).toEqual(['100%', 'done'])
  })

  it('marks errors in closed blocks and in the tail, once each', () => {
    const index = new LogIndex()
    const filler = 'a quiet line\n'.repeat(6000)
    index.append(bytes(`rsync error: some files could not be transferred (code 23)\n${filler}`))
    index.append(bytes('mkdir: Permission den'))
    expect(index.errorLines).toEqual([0])
    index.append(bytes('ied\n'))
    expect(index.errorLines).toEqual([0, 6001])
  })

  it('N5 knows where each state begins, in closed blocks and in the tail', () => {
    const index = new LogIndex()
    const filler = '>f+++++++++ 65 file\n'.repeat(6000)
    index.append(bytes(`== INIT (attempt 1) 2026\n${filler}== PUSH_SYNC (attempt 1) 2026\n== NONSENSE (attempt 1)\n`))
    expect(index.headings).toEqual([
      { line: 0, state: 'INIT' },
      { line: 6001, state: 'PUSH_SYNC' },
    ])
  })

  it('takes no file for an error because of its name', () => {
    expect(isErrorLine('>f+++++++++ src/error.ts')).toBe(false)
    expect(isErrorLine('*deleting   failed/')).toBe(false)
    expect(isErrorLine('rsync: [sender] link_stat "/x" failed: No such file or directory (2)')).toBe(true)
  })
})
