import { homedir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { DirectoryPath } from '../../shared/model/text.ts'
import { localDirectory } from './paths.ts'

describe('paths that people and nodes name', () => {
  it('D17 puts a node name with dollar signs into a path as it is, so that two nodes never share a directory', () => {
    expect(localDirectory('/srv/{node}', 'a$$b')).toBe('/srv/a$$b')
    expect(localDirectory('/srv/{node}/x', "a$`b$'c$&")).toBe("/srv/a$`b$'c$&/x")
  })

  it('answers for a path of thousands of slashes and dots, and keeps what stands before them', () => {
    const rows = ['/'.repeat(4000), '/.'.repeat(2000), './'.repeat(2000)]
    for (const row of rows) expect(localDirectory(`/srv${row}x`, 'n').endsWith('x')).toBe(true)
    expect(localDirectory(`/srv/a${'/.'.repeat(2000)}/`, 'n')).toBe('/srv/a')
    expect(localDirectory('~/a/.', 'n')).toBe(`${homedir()}/a`)
  })

  it('U35 refuses every spelling of the home directory itself', () => {
    for (const path of ['~', '~/', '~//', '~/.', '~/./', '~/.//.'])
      expect(DirectoryPath.safeParse(path).success, path).toBe(false)
    for (const path of ['~/a', '~/.config', '/srv/~/.']) expect(DirectoryPath.safeParse(path).success, path).toBe(true)
  })
})
