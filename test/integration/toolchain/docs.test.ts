import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] as string)

/** `src/a/b.ts`, `c.ts` in one table cell: what follows lies beside what stands before. */
function sourcePaths(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    let directory = ''
    return all(line, /`((?:src\/)?[\w./-]+(?:\.tsx?|\/))`/g).flatMap((path) => {
      if (path.startsWith('src/')) directory = path.endsWith('/') ? path : dirname(path)
      else if (directory === '') return []
      return [path.startsWith('src/') ? path : join(directory, path)]
    })
  })
}

describe('the pages', () => {
  it.each(pages)('%s links to files that are there', (page) => {
    const text = readFileSync(join(root, page), 'utf8')
    const links = all(text, /\]\(([^)#]+)(?:#[^)]*)?\)/g).filter((target) => !/^[a-z]+:/.test(target))
    const missing = links.filter((target) => !existsSync(join(root, dirname(page), target)))
    expect(missing).toEqual([])
  })

  it('ARCHITECTURE.md names files that are there, and enough of them', () => {
    const paths = sourcePaths(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
    expect(paths.length).toBeGreaterThan(15)
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})
