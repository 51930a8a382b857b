import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unifiedDiff } from './unifiedDiff.ts'

/** What patch(1) does: the newer text, made of the older one and the hunks. */
function applied(before: string, diff: string): string {
  const old = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const result: string[] = []
  let next = 0
  for (const line of diff.split('\n').slice(0, -1)) {
    const head = /^@@ -(\d+),(\d+) /.exec(line)
    if (head !== null) {
      const from = Number(head[1]) - (Number(head[2]) === 0 ? 0 : 1)
      result.push(...old.slice(next, from))
      next = from
    } else if (line.startsWith('+')) result.push(line.slice(1))
    else {
      if (old[next] !== line.slice(1)) throw new Error(`the hunk does not fit at line ${next + 1}`)
      if (line.startsWith(' ')) result.push(line.slice(1))
      next += 1
    }
  }
  const all = [...result, ...old.slice(next)]
  return all.length === 0 ? '' : `${all.join('\n')}\n`
}

const anyText = fc
  .array(fc.constantFrom('a', 'b', 'c', 'http:', '  routers:'), { maxLength: 30 })
  .map((lines) => (lines.length === 0 ? '' : `${lines.join('\n')}\n`))

describe('unified diff', () => {
  it('S1F.6 says nothing of equal texts', () => {
    expect(unifiedDiff('a\nb\n', 'a\nb\n')).toBe('')
  })

  it('S1F.6 shows three lines around a change', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`)
    const changed = lines.map((line) => (line === 'line 10' ? 'another line' : line))
    expect(unifiedDiff(`${lines.join('\n')}\n`, `${changed.join('\n')}\n`)).toBe(
      '@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+another line\n line 11\n line 12\n line 13\n',
    )
  })

  it('S1F.6 names the line before an empty side', () => {
    expect(unifiedDiff('', 'a\n')).toBe('@@ -0,0 +1,1 @@\n+a\n')
    expect(unifiedDiff('a\n', '')).toBe('@@ -1,1 +0,0 @@\n-a\n')
  })

  it('S1F.6 leads from one text to the other, whatever they are', () => {
    fc.assert(fc.property(anyText, anyText, (before, after) => applied(before, unifiedDiff(before, after)) === after))
  })

  it('S1F.6 finds no more changes than there are', () => {
    fc.assert(
      fc.property(anyText, fc.nat(29), (text, index) => {
        const lines = text.split('\n')
        const next = lines.toSpliced(Math.min(index, lines.length - 1), 0, 'inserted').join('\n')
        const marked = unifiedDiff(text, next)
          .split('\n')
          .filter((line) => /^[+-]/.test(line))
        expect(marked).toEqual(['+inserted'])
      }),
    )
  })

  it('S1F.6 sets whole blocks against each other where the exact way is too long', () => {
    const [before, after] = ['x', 'y'].map(
      (letter) => `${Array.from({ length: 3000 }, (_, i) => letter + i).join('\n')}\n`,
    )
    const marked = unifiedDiff(before as string, after as string)
      .split('\n')
      .filter((line) => /^[+-]/.test(line))
    expect(marked).toHaveLength(6000)
  })
})
