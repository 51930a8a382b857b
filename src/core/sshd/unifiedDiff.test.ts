import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { unifiedDiff } from './unifiedDiff.ts'

/** Applies it with `patch`, the peer that decides whether it is a diff. */
function patched(before: string, diff: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-diff-'))
  try {
    writeFileSync(join(directory, 'file'), before)
    const done = spawnSync('patch', ['-s', 'file'], { cwd: directory, input: diff })
    if (done.status !== 0) throw new Error(`${done.stdout}${done.stderr}`)
    return readFileSync(join(directory, 'file'), 'utf8')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
const hasPatch = spawnSync('patch', ['--version']).status === 0

const pairs: readonly (readonly [string, string])[] = [
  ['a\nb\nc\n', 'x\na\nb\nc\n'],
  ['a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n', 'a\nB\nc\nd\ne\nf\ng\nh\ni\nJ\n'],
  ['a\nb', 'a\nb\n'],
  ['a\nb\n', 'a\nb'],
  ['a\nb\nc\nd\n', 'd\nc\nb\na\n'],
  ['x\n', 'x\ny'],
]

describe('unified diff', () => {
  it('is empty when nothing differs', () => {
    expect(unifiedDiff('/f', 'a\n', 'a\n')).toBe('')
  })

  it('names a new file', () => {
    expect(unifiedDiff('/f', null, 'a\n')).toBe('--- /dev/null\n+++ /f\n@@ -0,0 +1,1 @@\n+a\n')
  })

  it('shows what surrounds a change, and the missing line end', () => {
    expect(unifiedDiff('/f', 'a\nb', 'a\nc')).toBe(
      '--- /f\n+++ /f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n',
    )
  })

  it.skipIf(!hasPatch)('S0.21 is what patch(1) turns the one text into the other with', () => {
    for (const [before, after] of pairs) expect(patched(before, unifiedDiff('file', before, after))).toBe(after)
  })
})
