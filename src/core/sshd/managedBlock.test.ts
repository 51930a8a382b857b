import { describe, expect, it } from 'vitest'
import { beginMark, endMark, readManagedBlock, withManagedBlock, withSection } from './managedBlock.ts'

const someoneElses = [
  '',
  'Port 22\n',
  'Port 22',
  'Port 22\r\nMatch User x\r\n\tX11Forwarding no\r\n',
  '\n\n# comment\nInclude /etc/ssh/sshd_config.d/*.conf\nMatch all\n  AuthorizedKeysFile none\n',
  'Banner \xff\xfe\n',
]

describe('our block in sshd_config', () => {
  it('S0.21 stands first, before any Match, and leaves every other byte as it was', () => {
    for (const text of someoneElses) {
      const changed = withManagedBlock(text, { krl: ['RevokedKeys /etc/ssh/lockstep.krl'] })
      expect(changed.startsWith(beginMark)).toBe(true)
      expect(changed.endsWith(text)).toBe(true)
      expect(readManagedBlock(changed)).toEqual({ krl: ['RevokedKeys /etc/ssh/lockstep.krl'] })
      expect(withManagedBlock(changed, {})).toBe(text)
    }
  })

  it('speaks the line ends of the file', () => {
    const changed = withManagedBlock('Port 22\r\n', { trust: ['TrustedUserCAKeys /x'] })
    expect(changed.replaceAll('\r\n', '')).not.toContain('\n')
    expect(readManagedBlock(changed)).toEqual({ trust: ['TrustedUserCAKeys /x'] })
  })

  it('changes one section and keeps the others, in one order', () => {
    const both = withSection(withSection('Port 1\n', 'storage', ['A 1']), 'trust', ['B 2'])
    expect(both.indexOf('B 2')).toBeLessThan(both.indexOf('A 1'))
    expect(withSection(both, 'trust', [])).toBe(withSection('Port 1\n', 'storage', ['A 1']))
    expect(withSection(withSection(both, 'trust', []), 'storage', [])).toBe('Port 1\n')
  })

  it('drops nothing but the mark of half a block, since the lines behind it may be anybody’s', () => {
    const half = `${beginMark}\nPort 2222\nPermitRootLogin no\n`
    expect(readManagedBlock(half)).toEqual({})
    expect(withManagedBlock(half, {})).toBe('Port 2222\nPermitRootLogin no\n')
    expect(withManagedBlock(`Port 1\n${endMark}\n`, {})).toBe('Port 1\n')
    const nested = `${beginMark}\nPort 1\n${beginMark}\n# section: krl\nK 1\n${endMark}\n`
    expect(readManagedBlock(nested)).toEqual({ krl: ['K 1'] })
    expect(withManagedBlock(nested, {})).toBe('Port 1\n')
  })

  it('makes one block of two, with the values that sshd obeyed: the first ones', () => {
    const first = withManagedBlock('', { krl: ['K 1'] })
    const second = withManagedBlock('', { krl: ['K 2'], trust: ['T 2'] })
    const merged = withManagedBlock(`${first}Port 1\n${second}`, readManagedBlock(`${first}Port 1\n${second}`))
    expect(readManagedBlock(merged)).toEqual({ krl: ['K 1'], trust: ['T 2'] })
    expect(withManagedBlock(merged, {})).toBe('Port 1\n')
  })

  it('finds its end when the file ends without a line break', () => {
    expect(readManagedBlock(`${beginMark}\n# section: krl\nK 1\n${endMark}`)).toEqual({ krl: ['K 1'] })
  })

  it('keeps sections that a newer version wrote', () => {
    const newer = withManagedBlock('Port 1\n', { 'from-tomorrow': ['X 1'], krl: ['K 1'] })
    expect(readManagedBlock(withSection(newer, 'krl', ['K 2']))).toEqual({ 'from-tomorrow': ['X 1'], krl: ['K 2'] })
  })
})
