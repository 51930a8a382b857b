import { describe, expect, it } from 'vitest'
import type { FleetNode } from '../../../shared/model/node.ts'
import { inSshDirectory, sshDirectory } from './sshDirectory.ts'

const node = (configFile: string, transport = 'push') => ({ transport, sshd: { configFile } }) as unknown as FleetNode

describe('where sshd of the nodes is configured', () => {
  it('is /etc/ssh without nodes', () => {
    expect(sshDirectory([])).toEqual({ directory: '/etc/ssh', elsewhere: 0 })
  })

  it('is where most nodes have it, and says how many do not', () => {
    const demo = '~/.machine/etc/ssh/sshd_config'
    expect(sshDirectory([node(demo), node(demo), node('/etc/ssh/sshd_config')])).toEqual({
      directory: '~/.machine/etc/ssh',
      elsewhere: 1,
    })
    expect(sshDirectory([node(demo, 'poll')])).toEqual({ directory: '/etc/ssh', elsewhere: 0 })
  })

  it('moves the usual paths there, and no others', () => {
    expect(inSshDirectory('/etc/ssh/ca/trusted_user_ca.pub', '~/.machine/etc/ssh')).toBe(
      '~/.machine/etc/ssh/ca/trusted_user_ca.pub',
    )
    expect(inSshDirectory('/srv/x', '~/.machine/etc/ssh')).toBe('/srv/x')
  })
})
