import { describe, expect, it } from 'vitest'
import { unsafeSettings } from './gitConfig.ts'

/** As `git config --list --show-scope -z` prints them. */
const listing = (
  ...settings: readonly (readonly [key: string, value?: string | undefined, scope?: string])[]
): string =>
  settings
    .map(([key, value, scope = 'local']) => `${scope}\u0000${key}${value === undefined ? '' : `\n${value}`}\u0000`)
    .join('')

describe('settings of a checkout', () => {
  it('S2.11 names each that runs a program or changes whom git trusts once, without values and logins', () => {
    const found = unsafeSettings(
      listing(
        ['filter.x.clean', 'secret-value\nlocal\u0001'],
        ['filter.x.clean', 'again'],
        ['filter.valueless.smudge'],
        ['http.https://me:pw@git.example/a.b.sslverify', 'false', 'worktree'],
        ['core.bare', 'false'],
      ),
    )
    expect(found).toEqual(['filter.x.clean', 'filter.valueless.smudge', 'http.https://git.example/a.b.sslverify'])
  })

  it('S2.11 those of our own call are not meant', () => {
    expect(unsafeSettings(listing(['http.lowspeedlimit', '1', 'command'], ['http.proxy', 'x', 'command']))).toEqual([])
  })

  it.each([
    ['clean', 'git-lfs clean -- %f', true],
    ['smudge', 'git-lfs smudge --skip -- %f', true],
    ['process', 'git-lfs filter-process', true],
    ['process', 'git-lfs filter-process; id', false],
    ['clean', './git-lfs clean -- %f', false],
    ['clean', 'git-lfs clean -- %f\nid', false],
    ['smudge', undefined, false],
  ])('S2.11 filter.lfs.%s = %j is the usual one: %s', (name, value, usual) => {
    expect(unsafeSettings(listing([`filter.lfs.${name}`, value])).length === 0).toBe(usual)
  })

  it('S2.11 a remote that is called like a URL takes its place; one with a plain name does not', () => {
    const named = (name: string) => unsafeSettings(listing([`remote.${name}.url`, 'x'])).length
    expect(['origin', 'team/origin'].map(named)).toEqual([0, 0])
    expect(['https://git.example/x', 'git@git.example:x', '/srv/x', './x'].map(named)).toEqual([1, 1, 1, 1])
  })
})
