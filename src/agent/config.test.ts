import { describe, expect, it } from 'vitest'
import { findConfigDirectory } from './config.ts'

describe('the configuration directory', () => {
  it.each(['/etc/a"\nProxyCommand touch x', '/etc/a"b', '/etc/back\\slash', `/etc/$\{HOME}`, '/etc/line\nbreak'])(
    '%j, which ssh would read as more than a path, is refused',
    (directory) => {
      expect(() => findConfigDirectory(directory)).toThrow('which ssh cannot take')
    },
  )

  it('may hold spaces', () => {
    expect(findConfigDirectory('/etc/my agent')).toBe('/etc/my agent')
  })
})
