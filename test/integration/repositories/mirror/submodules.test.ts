import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  blob,
  commitFiles,
  commitTree,
  createMirrorRig,
  failureOf,
  git,
  listing,
  type MirrorRig,
  newRepository,
  rawTree,
  type SomeSettings,
} from './mirrorRig.ts'

let rig: MirrorRig
let library: string
let inner: string
beforeEach(async () => {
  rig = await createMirrorRig()
  inner = join(rig.directory, 'inner')
  library = join(rig.directory, 'library')
  newRepository(inner, { 'inner.txt': 'inner\n' })
  newRepository(library, { 'lib.txt': 'lib\n' })
  git(library, ['submodule', '--quiet', 'add', inner, 'nested'])
  commitFiles(library, {})
})
afterEach(() => rig.dispose())

/** Adds the library under this URL. @returns the commit */
function addLibrary(url: string, path = 'vendor/lib'): string {
  git(rig.origin, ['submodule', '--quiet', 'add', library, path])
  git(rig.origin, ['config', '-f', '.gitmodules', `submodule.${path}.url`, url])
  return commitFiles(rig.origin, {})
}
const take = (commit: string, settings: SomeSettings = { submodules: true }) =>
  rig.mirrors.snapshot(rig.repository(settings), commit, { dotGit: false })

describe('submodules', () => {
  it('S2.4 are delivered at their pinned commits when asked for, those inside of them too', async () => {
    const commit = addLibrary(library)
    commitFiles(library, { 'lib.txt': 'newer, and not pinned\n' })
    const snapshot = await take(commit)
    expect(listing(snapshot.directory)).toEqual([
      '.gitmodules',
      'a.txt',
      'vendor/',
      'vendor/lib/',
      'vendor/lib/.gitmodules',
      'vendor/lib/lib.txt',
      'vendor/lib/nested/',
      'vendor/lib/nested/inner.txt',
    ])
    expect(readFileSync(join(snapshot.directory, 'vendor/lib/lib.txt'), 'utf8')).toBe('lib\n')
    expect(existsSync(join(snapshot.directory, 'vendor/lib/.git'))).toBe(false)
  })

  it('S2.4 stay empty directories when not asked for, and nobody is asked for them', async () => {
    const commit = addLibrary('https://127.0.0.1:1/never.git')
    expect(listing((await take(commit, {})).directory)).toEqual(['.gitmodules', 'a.txt', 'vendor/', 'vendor/lib/'])
  })

  it('S2.4 their unchanged files are hard links like all others', async () => {
    const first = await take(addLibrary('../library'))
    const second = await take(commitFiles(rig.origin, { 'a.txt': 'changed' }))
    const inode = (directory: string) => lstatSync(join(directory, 'vendor/lib/nested/inner.txt')).ino
    expect(inode(second.directory)).toBe(inode(first.directory))
  })

  it('S2.4 a commit of theirs that no branch reaches any more is fetched by its hash', async () => {
    const pinned = git(library, ['rev-parse', 'HEAD'])
    const commit = addLibrary(library)
    git(library, ['commit', '--quiet', '--amend', '-m', 'rewritten'])
    git(library, ['update-ref', 'refs/keep/me', pinned])
    expect(existsSync(join((await take(commit)).directory, 'vendor/lib/lib.txt'))).toBe(true)
  })

  it('S2.4 one whose remote is gone is named', async () => {
    const failure = await failureOf(take(addLibrary(join(rig.directory, 'gone'))))
    expect(failure.code).toBe('REPOSITORY_UNREACHABLE')
    expect(failure.message).toContain(join(rig.directory, 'gone'))
  })

  it.each([
    'ext::sh -c "touch /tmp/never"',
    'http://127.0.0.1:1/x.git',
    '--upload-pack=touch',
    '../../../../../../../..',
    'fd::17',
  ])('S2.11 a URL such as %s is refused before anybody follows it', async (url) => {
    const failure = await failureOf(take(addLibrary(url)))
    expect(failure.code).toBe('REPOSITORY_UNSAFE')
    expect(failure.message).toContain('vendor/lib')
  })

  it('S2.11 files of this machine are not taken for a repository that is not one itself', async () => {
    const commit = addLibrary(library)
    const repository = rig.repository({ submodules: true, remote: 'https://127.0.0.1:1/x.git' })
    await rig.mirrors.fetch(rig.repository(), { force: false })
    const failure = await failureOf(rig.mirrors.snapshot(repository, commit, { dotGit: false }))
    expect(failure.code).toBe('REPOSITORY_UNSAFE')
  })

  it('S2.4 a link of the repository that goes up again inside of one is refused: its own links decide where that leads', async () => {
    // In the library `deep/up` is its root, so three steps up from there leave the tree.
    await mkdir(join(library, 'deep'))
    await symlink('..', join(library, 'deep', 'up'))
    commitFiles(library, {})
    addLibrary(library)
    await symlink('vendor/lib/deep/up/../../../outside', join(rig.origin, 'link'))
    const failure = await failureOf(take(commitFiles(rig.origin, {})))
    expect([failure.code, failure.message]).toEqual(['REPOSITORY_UNSAFE', expect.stringContaining('"link"')])
  })

  it('S2.4 links into one and past it are delivered', async () => {
    addLibrary(library)
    await symlink('vendor/lib/lib.txt', join(rig.origin, 'into'))
    await symlink('vendor/lib/../../a.txt', join(rig.origin, 'past'))
    const { directory } = await take(commitFiles(rig.origin, {}))
    expect(readFileSync(join(directory, 'into'), 'utf8')).toBe('lib\n')
    expect(readFileSync(join(directory, 'past'), 'utf8')).toBe('one\n')
  })

  it('S2.4 one without a URL, and one whose own tree climbs out, are refused', async () => {
    const commit = addLibrary(library)
    git(rig.origin, ['rm', '--quiet', '-f', '.gitmodules'])
    git(rig.origin, ['commit', '--quiet', '-m', 'without'])
    const without = await failureOf(take(git(rig.origin, ['rev-parse', 'HEAD'])))
    expect(without.code).toBe('REPOSITORY_UNSAFE')
    const evil = join(rig.directory, 'evil')
    await mkdir(evil)
    git(evil, ['init', '--quiet', '--initial-branch=main'])
    const hash = blob(evil, '../../outside')
    const pinned = commitTree(evil, rawTree(evil, [{ mode: '120000', name: 'l', hash }]))
    git(rig.origin, ['reset', '--quiet', '--hard', commit])
    git(rig.origin, ['config', '-f', '.gitmodules', 'submodule.vendor/lib.url', evil])
    git(rig.origin, ['add', '.gitmodules'])
    git(rig.origin, ['update-index', '--cacheinfo', `160000,${pinned},vendor/lib`])
    git(rig.origin, ['commit', '--quiet', '-m', 'evil'])
    const climbs = await failureOf(take(git(rig.origin, ['rev-parse', 'HEAD'])))
    expect(climbs.code).toBe('REPOSITORY_UNSAFE')
  })
})
