import { describe, expect, it } from 'vitest'
import { skipReasons, unsearchedFiles, unsearchedFirst } from './skipped.ts'

const skipped = Object.entries(skipReasons).map(([name, reason]) => ({ file: name, reason }))

describe('files that were not looked into', () => {
  it('S2.26 counts those with content of which nothing was searched, and no others', () => {
    expect(unsearchedFiles(skipped)?.files).toEqual([{ file: 'tooLarge', reason: 'larger than 200 MiB' }])
    expect(unsearchedFiles(skipped)?.words).toBe('1 file not searched (tooLarge, larger than 200 MiB)')
    expect(unsearchedFiles(skipped.filter(({ file }) => file !== 'tooLarge'))).toBeNull()
  })

  it('S2.26 puts them first and loses nothing', () => {
    const ordered = unsearchedFirst(skipped)
    expect(ordered[0]?.file).toBe('tooLarge')
    expect(ordered.map(({ file }) => file).sort()).toEqual(skipped.map(({ file }) => file).sort())
  })
})
