import { describe, expect, it } from 'vitest'
import { parseEffectiveConfig } from './effective.ts'
import { sshdFilePath } from './paths.ts'
import { listedPrincipals, mayLogIn, principalsRule, storageLines, withPrincipals } from './storageRules.ts'

const rule = (value: string, sharedContent: string | null = null) =>
  principalsRule({
    effective: parseEffectiveConfig(`authorizedprincipalsfile ${value}\n`),
    directory: '/etc/100% ssh',
    sharedContent,
    principals: ['sync-agent'],
  })

describe('who may log in with which principal', () => {
  it('D4 gives each user a file of its own where there is no rule yet', () => {
    const made = rule('none')
    expect(made).toMatchObject({ option: '/etc/100%% ssh/lockstep_principals/%u', replaces: null })
    expect(made.fileOf('sync')).toBe('/etc/100% ssh/lockstep_principals/sync')
  })

  it('D4 adds to the rule of the node where it names a file for each user', () => {
    const kept = rule('/etc/ssh/principals/%u')
    expect(kept).toMatchObject({ option: null, replaces: null })
    expect(kept.fileOf('sync')).toBe('/etc/ssh/principals/sync')
  })

  it('D4 never lets a new principal log in as everybody through a file that all users share', () => {
    expect(rule('/etc/ssh/shared', 'sync-agent\n')).toMatchObject({ option: null })
    expect(rule('/etc/ssh/shared', 'admins\n')).toMatchObject({ replaces: '/etc/ssh/shared' })
    expect(rule('/etc/ssh/shared', null)).toMatchObject({ replaces: '/etc/ssh/shared' })
    expect(rule('%h/.ssh/principals')).toMatchObject({ replaces: '%h/.ssh/principals' })
    expect(rule('.ssh/principals/%u')).toMatchObject({ replaces: '.ssh/principals/%u' })
  })

  it('keeps lines that are there, options before a principal too', () => {
    const present = '# people\nfrom="10.0.0.0/8" admin'
    expect(listedPrincipals(present)).toEqual(['admin'])
    expect(withPrincipals(present, ['admin', 'sync-agent'])).toBe(`${present}\nsync-agent\n`)
    expect(withPrincipals(null, ['sync-agent'])).toBe('sync-agent\n')
    expect(withPrincipals('sync-agent\r\n', ['sync-agent'])).toBe('sync-agent\r\n')
  })
})

describe('rules of a storage', () => {
  it('S0.21 S0.22 S0.23 S0.24 are these lines, quoted where a path needs it', () => {
    expect(storageLines('/etc/my ssh/ca.pub', { option: null })).toEqual([
      'PubkeyAuthentication yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'AuthorizedKeysFile none',
      'AuthorizedKeysCommand none',
      'TrustedUserCAKeys "/etc/my ssh/ca.pub"',
    ])
  })

  it('a pattern full of stars from a hostile node is answered at once', () => {
    const user = 'a'.repeat(32)
    const stars = `allowusers ${'*a'.repeat(400)}*b\n`
    expect(mayLogIn(parseEffectiveConfig(stars), user)).toBe(false)
    expect(mayLogIn(parseEffectiveConfig(`allowusers ${'*a'.repeat(30)}*\n`), user)).toBe(true)
    expect(mayLogIn(parseEffectiveConfig('allowusers s?nc* x\n'), 'sync-2')).toBe(true)
    expect(mayLogIn(parseEffectiveConfig('allowusers s?nc\n'), 'sync-2')).toBe(false)
  })

  it('sees users that AllowUsers and DenyUsers keep out', () => {
    const config = parseEffectiveConfig('allowusers adm*\nallowusers sync@10.0.0.1\ndenyusers admin2\n')
    expect(['admin', 'sync', 'admin2', 'root'].map((user) => mayLogIn(config, user))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(mayLogIn(parseEffectiveConfig(''), 'root')).toBe(true)
  })

  it('puts files beside the sshd_config of the node, and never into /etc/ssh of another sshd', () => {
    const elsewhere = { configFile: '~/.machine/etc/ssh/sshd_config' }
    expect(sshdFilePath(elsewhere, '/etc/ssh/ca/keys.pub')).toBe('~/.machine/etc/ssh/ca/keys.pub')
    expect(sshdFilePath(elsewhere, '/srv/keys.pub')).toBe('/srv/keys.pub')
    expect(sshdFilePath({ configFile: '/etc/ssh/sshd_config' }, '/etc/ssh/x')).toBe('/etc/ssh/x')
  })
})
