import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RepositorySpec } from '../../shared/model/plan.ts'
import { RepositoryInput } from '../../shared/model/repository.ts'
import { directoryOn, excludesOf, sentinelOn } from './places.ts'
import { refWords, resolveRef } from './resolveRef.ts'
import { commitBefore } from './rollback.ts'
import { compareSentinel, sentinelRefutes, sentinelText } from './sentinel.ts'

const commit = (digit: string): string => digit.repeat(40)

describe('which commit a ref means', () => {
  const settings = RepositoryInput.parse({
    name: 'project',
    remote: 'https://git.example/p.git',
    defaultBranch: 'trunk',
  })
  const heads = { trunk: commit('1'), topic: commit('2'), 'tags/v1': commit('3'), v1: commit('4') }
  const repository = { settings, state: { heads, fetchedAt: 0, diagnosis: null, warnings: [] } }

  it('S2.20 a branch without a name is the default branch', () => {
    expect(resolveRef(repository, { kind: 'branch', name: null })).toBe(commit('1'))
    expect(resolveRef(repository, { kind: 'branch', name: 'topic' })).toBe(commit('2'))
    expect(refWords({ kind: 'branch', name: null }, 'trunk')).toBe('branch trunk')
  })

  it('S2.20 a tag and a branch of one name are two things; a commit means itself', () => {
    expect(resolveRef(repository, { kind: 'tag', name: 'v1' })).toBe(commit('3'))
    expect(resolveRef(repository, { kind: 'branch', name: 'v1' })).toBe(commit('4'))
    expect(resolveRef(repository, { kind: 'commit', commit: commit('9') })).toBe(commit('9'))
  })

  it('S2.20 what is not there is nothing, also under names that every object has', () => {
    for (const name of ['gone', 'constructor', 'toString'])
      expect(resolveRef(repository, { kind: 'branch', name })).toBeNull()
    expect(resolveRef(repository, { kind: 'tag', name: 'topic' })).toBeNull()
  })
})

describe('where a tree lies', () => {
  const spec = RepositorySpec.parse({ repository: 'project', targets: { vm02: '/srv/project/' } })

  it('S2.19 D17 each node has its own directory or that of the plan; `~` is left to the node', () => {
    expect(directoryOn(spec, 'vm01')).toBe('~/th_timmy')
    expect(directoryOn(spec, 'vm02')).toBe('/srv/project/')
    expect(directoryOn(spec, 'constructor')).toBe('~/th_timmy')
  })

  it('S2.6 the sentinel is in the root of the tree, with releases in that of the one in use', () => {
    expect(sentinelOn(spec, 'vm01')).toBe('~/th_timmy/.sync_rev')
    expect(sentinelOn(spec, 'vm02')).toBe('/srv/project/.sync_rev')
    expect(sentinelOn({ ...spec, strategy: { kind: 'release', keep: 2 } }, 'vm01')).toBe('~/th_timmy/current/.sync_rev')
  })

  it('S2.21 S2.22 D16 the sentinel is never sent or deleted with the tree, `.git` only when asked', () => {
    expect(excludesOf(spec)).toEqual(['/.sync_rev', '.git', '__pycache__', '.vscode'])
    expect(excludesOf({ ...spec, excludeDotGit: false })).toEqual(['/.sync_rev', '__pycache__', '.vscode'])
  })
})

describe('what a roll back returns to', () => {
  const at = (now: string, previous?: string, verifiedAt = 1) => ({
    commit: commit(now),
    ...(previous === undefined ? {} : { previousCommit: commit(previous) }),
    verifiedAt,
  })

  it('S2.10 what most nodes had before, those that never got the wanted one included', () => {
    expect(commitBefore([at('3', '2'), at('3', '2'), at('3', '1')], commit('3'))).toBe(commit('2'))
    expect(commitBefore([at('3', '2'), at('1', '0'), at('1', '0')], commit('3'))).toBe(commit('1'))
  })

  it('S2.10 of two with as many nodes, the one that was verified last', () => {
    expect(commitBefore([at('3', '2', 5), at('3', '1', 7)], commit('3'))).toBe(commit('1'))
  })

  it('S2.10 nothing, where no node had another commit', () => {
    expect(commitBefore([null, at('3'), at('3', '3')], commit('3'))).toBeNull()
    expect(commitBefore([], null)).toBeNull()
  })

  it('S2.10 never the commit that is wanted', () => {
    const digits = fc.constantFrom('0', '1', '2', '3')
    const states = fc.array(fc.tuple(digits, digits).map(([now, previous]) => at(now, previous)))
    fc.assert(fc.property(states, digits, (nodes, now) => commitBefore(nodes, commit(now)) !== commit(now)))
  })
})

describe('what a sentinel says', () => {
  it('S2.7 S2.16 is compared as a whole', () => {
    expect(compareSentinel(commit('1'), commit('1'))).toBe('matches')
    expect(compareSentinel(commit('1').slice(0, 12), commit('1'))).toBe('differs')
    expect(compareSentinel('', commit('1'))).toBe('differs')
    expect(compareSentinel(null, commit('1'))).toBe('absent')
    expect(compareSentinel(commit('1'), null)).toBe('differs')
  })

  it('S2.27 what a node says is bounded and moves no cursor', () => {
    expect(sentinelText(new TextEncoder().encode(`${commit('1')}\n`))).toBe(commit('1'))
    const hostile = sentinelText(new TextEncoder().encode(`\u001b[2J${'x'.repeat(100_000)}`))
    expect(hostile.length).toBeLessThan(300)
    expect(hostile).not.toContain('\u001b')
    const refuted = sentinelRefutes({ name: 'vm01' }, { file: '~/t/.sync_rev', verified: commit('1'), found: hostile })
    expect(refuted).toMatchObject({ code: 'SENTINEL_MISMATCH', short: 'another commit there' })
  })
})
