import { readdir } from 'node:fs/promises'
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
  type RawEntry,
  rawTree,
} from './mirrorRig.ts'

let rig: MirrorRig
let hash: string
beforeEach(async () => {
  rig = await createMirrorRig()
  hash = blob(rig.origin, 'x')
})
afterEach(() => rig.dispose())

const link = (name: string, target: string): RawEntry => ({ mode: '120000', name, hash: blob(rig.origin, target) })
const file = (name: string | Buffer): RawEntry => ({ mode: '100644', name, hash })
const folder = (name: string, entries: readonly RawEntry[]): RawEntry => ({
  mode: '040000',
  name,
  hash: rawTree(rig.origin, entries),
})

/** The error of a snapshot of a tree made by hand; nothing of it may be left on the disk. */
async function refusal(entries: readonly RawEntry[]) {
  const commit = commitTree(rig.origin, rawTree(rig.origin, entries))
  const repository = rig.repository()
  await rig.mirrors.fetch(repository, { force: true })
  const failure = await failureOf(rig.mirrors.snapshot(repository, commit, { dotGit: false }))
  expect(await readdir(join(rig.home, repository.id, 'trees'))).toEqual([])
  return failure
}

describe('trees that must not be written', () => {
  it.each<[string, () => RawEntry[]]>([
    ['a path that climbs out', () => [folder('a', [folder('..', [folder('..', [file('escaped')])])])]],
    ['a name with a slash', () => [file('../escaped')]],
    ['an absolute name', () => [file('/etc/escaped')]],
    ['a dot', () => [folder('.', [file('x')])]],
    ['.git', () => [folder('.git', [file('config')])]],
    ['.git in other letters', () => [folder('.GiT', [file('config')])]],
    ['.git below a directory', () => [folder('a', [folder('.git', [file('config')])])]],
    ['the short name of .git on NTFS', () => [folder('GIT~1', [file('config')])]],
    ['.git with a dot and a space behind it', () => [folder('.git. .', [file('config')])]],
    ['a stream of .git', () => [folder('.git::$INDEX_ALLOCATION', [file('config')])]],
    ['.git with a character that HFS+ leaves out', () => [folder('.g\u200cit', [file('config')])]],
    ['a link to an absolute path', () => [link('l', '/etc/passwd')]],
    ['a link out of the tree', () => [folder('a', [link('l', '../../outside')])]],
    [
      'a link out of the tree through another link',
      () => [folder('deep', [folder('a', [link('top', '../..'), link('z', 'top/../outside')])])],
    ],
    ['the same name twice', () => [file('a'), folder('a', [file('x')])]],
  ])('S2.4 %s is refused and named', async (_name, entries) => {
    const failure = await refusal(entries())
    expect(failure.code).toBe('REPOSITORY_UNSAFE')
    expect(failure.data?.entries).not.toEqual([])
  })

  it('S2.4 the first ones are named, and how many there are', async () => {
    const failure = await refusal(Array.from({ length: 9 }, (_value, number) => link(`l${number}`, '/etc/passwd')))
    expect(failure.message).toContain('"l0" points to an absolute path')
    expect(failure.message).toContain('and 4 more')
  })

  it('S2.4 links that stay inside are delivered, those in a circle and to nothing too', async () => {
    const entries = [
      folder('a', [file('f'), link('up', '../b'), link('z', '.')]),
      folder('b', [link('back', '../a/f')]),
      link('circle', 'circle'),
      link('nowhere', 'not/there'),
    ]
    const commit = commitTree(rig.origin, rawTree(rig.origin, entries))
    const repository = rig.repository()
    await rig.mirrors.fetch(repository, { force: true })
    const { directory } = await rig.mirrors.snapshot(repository, commit, { dotGit: false })
    expect(listing(directory)).toEqual(['a/', 'a/f', 'a/up', 'a/z', 'b/', 'b/back', 'circle', 'nowhere'])
  })

  it('S2.4 names that differ in capitals only are a warning and are delivered', async () => {
    const commit = commitTree(rig.origin, rawTree(rig.origin, [file('README'), file('readme'), file('Ä'), file('ä')]))
    const repository = rig.repository()
    const { warnings } = await rig.mirrors.fetch(repository, { force: true })
    expect(warnings).toHaveLength(2)
    expect(warnings.join()).toContain('"README" and "readme"')
    const { directory } = await rig.mirrors.snapshot(repository, commit, { dotGit: false })
    expect(listing(directory)).toHaveLength(4)
  })

  it('S2.10 refs that no git would make are named to nobody as options', async () => {
    const first = git(rig.origin, ['rev-parse', 'main'])
    git(rig.origin, ['update-ref', 'refs/heads/--upload-pack=touch', first])
    git(rig.origin, ['update-ref', 'refs/heads/tags/v1', first])
    git(rig.origin, ['update-ref', 'refs/tags/-x', first])
    const { heads, warnings } = await rig.mirrors.fetch(rig.repository(), { force: false })
    expect(Object.keys(heads)).toEqual(['--upload-pack=touch', 'main', 'tags/-x'])
    expect(warnings.join()).toContain('tags/v1')
    const next = commitFiles(rig.origin, { 'b.txt': 'b' })
    expect((await rig.mirrors.fetch(rig.repository({}, heads), { force: false })).heads.main).toBe(next)
  })
})
