import { describe, expect, it } from 'vitest'
import { isSameServer, parseGitUrl, resolveSubmoduleUrl, shownUrl } from './gitUrl.ts'

describe('where a remote lies', () => {
  it.each([
    ['https://git.example/a/b.git', { kind: 'https', host: 'git.example', hasPassword: false }],
    ['https://git.example:8443/a', { kind: 'https', host: 'git.example:8443', hasPassword: false }],
    ['https://me:pw@git.example/a', { kind: 'https', url: 'https://git.example/a', hasPassword: true }],
    ['https://me@git.example/a?b', { kind: 'https', url: 'https://git.example/a?b', hasPassword: false }],
    ['HTTPS://[::1]:8443', { kind: 'https', url: 'https://[::1]:8443', host: '[::1]:8443' }],
    ['git@git.example:a/b.git', { kind: 'ssh', user: 'git', host: 'git.example', port: 22, path: 'a/b.git' }],
    ['git.example:a', { kind: 'ssh', user: null, host: 'git.example', port: 22, path: 'a' }],
    ['ssh://git@git.example:2222/a%20b', { kind: 'ssh', user: 'git', host: 'git.example', port: 2222, path: '/a b' }],
    ['ssh://git.example/~me/a', { kind: 'ssh', user: null, host: 'git.example', port: 22, path: '~me/a' }],
    ['ssh://git@[::1]:22/a', { kind: 'ssh', user: 'git', host: '::1', port: 22, path: '/a' }],
    ['file:///srv/a%25b', { kind: 'file', path: '/srv/a%b' }],
    ['/srv/a:b', { kind: 'file', path: '/srv/a:b' }],
    ['../a', { kind: 'file', path: '../a' }],
    ['ext::sh -c x', { kind: 'other', scheme: 'ext' }],
    ['http://git.example/a', { kind: 'other', scheme: 'http' }],
    ['git://git.example/a', { kind: 'other', scheme: 'git' }],
  ])('S2.11 %s', (url, expected) => {
    expect(parseGitUrl(url)).toMatchObject(expected)
  })

  it.each([
    'https://git.example\\@evil.example/a',
    'https://a@evil.example@git.example/a',
    'https://git.example%00.evil.example/a',
    'https://git.example:x/a',
    'https:///a',
    'https://-x/a',
    'ssh://git@x$(id)/a',
    'ssh://git@-oProxyCommand=x/a',
    'ssh://git@a,b/a',
    'ssh://git@*/a',
    'git@x`id`:a',
    'a:b@git.example\u0000:x',
    'a b:c',
    'https://git.example/a\nhost=evil',
  ])('S2.11 %j names no host that everybody reads in the same way', (url) => {
    expect(parseGitUrl(url).kind).toBe('other')
  })

  it('S2.11 a login is for one scheme, host and port', () => {
    const same = [
      ['https://git.example/a', 'https://me@GIT.example:443/b'],
      ['git@git.example:a', 'ssh://other@Git.Example/b'],
    ]
    const different = [
      ['https://git.example/a', 'https://git.example:8443/a'],
      ['https://git.example/a', 'https://git.example.evil/a'],
      ['https://git.example/a', 'ssh://git.example/a'],
      ['https://git.example/a', 'https://evil/git.example/a'],
      ['ssh://git.example:22/a', 'ssh://git.example:2222/a'],
      ['/srv/a', '/srv/a'],
      ['ext::x', 'ext::x'],
    ]
    expect(same.map(([one = '', other = '']) => isSameServer(one, other))).toEqual(same.map(() => true))
    expect(different.map(([one = '', other = '']) => isSameServer(one, other))).toEqual(different.map(() => false))
  })

  it('S2.11 is shown without a password', () => {
    expect(shownUrl('https://me:pw@git.example/a')).toBe('https://git.example/a')
    expect(shownUrl('https://token@git.example/a')).toBe('https://git.example/a')
    expect(shownUrl('ssh://git:pw@git.example/a')).toBe('ssh://git@git.example/a')
    expect(shownUrl('https://a@b:c@git.example/a')).toBe('https://git.example/a')
    expect(shownUrl('git@git.example:a')).toBe('git@git.example:a')
  })

  it.each([
    ['https://git.example/team/app.git', '../lib.git', 'https://git.example/team/lib.git'],
    ['https://git.example/team/app.git', './lib.git', 'https://git.example/team/app.git/lib.git'],
    ['https://git.example/team/app/', '../../lib', 'https://git.example/lib'],
    ['git@git.example:team/app.git', '../lib.git', 'git@git.example:team/lib.git'],
    ['git@git.example:app.git', '../lib.git', 'git@git.example:lib.git'],
    ['/srv/git/app', '../lib', '/srv/git/lib'],
    ['https://git.example/app', 'https://other.example/lib', 'https://other.example/lib'],
  ])('S2.4 a submodule of %s at %s is %s', (parent, url, expected) => {
    expect(resolveSubmoduleUrl(parent, url)).toBe(expected)
  })

  it('S2.11 a submodule does not climb out of its server', () => {
    expect(resolveSubmoduleUrl('https://git.example/app', '../../evil.example/x')).toBeNull()
    expect(resolveSubmoduleUrl('/srv', '../../x')).toBeNull()
  })
})
