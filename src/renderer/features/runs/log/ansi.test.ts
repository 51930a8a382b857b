import { describe, expect, it } from 'vitest'
import { parseAnsi, stripAnsi } from './ansi.ts'

describe('ANSI in logs', () => {
  it('keeps colours and bold, drops the rest', () => {
    expect(parseAnsi('\u001b[2K\u001b[1;31mbad\u001b[0m rest\u001b]0;title\u0007')).toEqual([
      { text: 'bad', colour: 'red', bold: true },
      { text: ' rest', colour: null, bold: false },
    ])
  })

  it('leaves plain text alone, also an unfinished sequence', () => {
    expect(stripAnsi('plain \u001b[31')).toBe('plain [31')
    expect(stripAnsi('a\tb')).toBe('a\tb')
  })
})
