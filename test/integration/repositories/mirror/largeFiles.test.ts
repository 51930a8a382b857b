import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitFiles, createMirrorRig, failureOf, type MirrorRig } from './mirrorRig.ts'

let rig: MirrorRig
beforeEach(async () => {
  rig = await createMirrorRig()
})
afterEach(() => rig.dispose())

const content = Buffer.from('large\u0000file\n')
const oid = createHash('sha256').update(content).digest('hex')
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`
const hasLfs = spawnSync('git', ['lfs', 'version']).status === 0
const settings = { largeFiles: 'fetch' } as const

/** As `git lfs push` leaves it on a remote that is a directory. */
async function keepOnRemote(bytes: Buffer): Promise<void> {
  const path = join(rig.origin, '.git', 'lfs', 'objects', oid.slice(0, 2), oid.slice(2, 4), oid)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}
const take = (commit: string) => rig.mirrors.snapshot(rig.repository(settings), commit, { dotGit: false })

describe.skipIf(hasLfs)('large files without git-lfs', () => {
  it('S2.4 fetching them says what is missing', async () => {
    const failure = await failureOf(take(commitFiles(rig.origin, { 'big.bin': pointer })))
    expect(failure.code).toBe('PROGRAM_MISSING')
    expect(failure.message).toContain('git-lfs')
  })

  it('S2.4 a commit without large files needs no git-lfs', async () => {
    const snapshot = await take(commitFiles(rig.origin, { 'small.bin': 'x' }))
    expect(readFileSync(join(snapshot.directory, 'small.bin'), 'utf8')).toBe('x')
  })
})

describe.runIf(hasLfs)('large files with git-lfs', () => {
  it('S2.4 their content is fetched, compared and linked the next time', async () => {
    await keepOnRemote(content)
    const one = await take(commitFiles(rig.origin, { '.gitattributes': '*.bin filter=lfs\n', 'big.bin': pointer }))
    expect(readFileSync(join(one.directory, 'big.bin')).equals(content)).toBe(true)
    expect(lstatSync(join(one.directory, 'big.bin')).mode & 0o777).toBe(0o644)
    const two = await take(commitFiles(rig.origin, { 'a.txt': 'changed' }))
    const inode = (directory: string) => lstatSync(join(directory, 'big.bin')).ino
    expect(inode(two.directory)).toBe(inode(one.directory))
  })

  it('S2.4 content that the server does not have, or has wrong, is not delivered', async () => {
    const commit = commitFiles(rig.origin, { '.gitattributes': '*.bin filter=lfs\n', 'big.bin': pointer })
    expect(['LARGE_FILE_POINTERS', 'PROGRAM_FAILED']).toContain((await failureOf(take(commit))).code)
    await keepOnRemote(Buffer.from('other bytes!'))
    expect(['LARGE_FILE_POINTERS', 'PROGRAM_FAILED']).toContain((await failureOf(take(commit))).code)
  })
})

describe('a repository of many or large files', () => {
  const files = 20_000
  /** `git fast-import` makes them without a working tree. */
  function manyFiles(changed: number): string {
    const chunks = ['commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 4\nmany\n']
    if (changed > 0) chunks.push('from refs/heads/main^0\n')
    for (let number = 0; number < (changed || files); number += 1) {
      const text = `${number} ${changed}\n`
      chunks.push(`M 100644 inline d${number % 1000}/f${number}.txt\ndata ${text.length}\n${text}\n`)
    }
    execFileSync('git', ['fast-import', '--quiet', '--force'], { cwd: rig.origin, input: chunks.join('') })
    return execFileSync('git', ['rev-parse', 'main'], { cwd: rig.origin, encoding: 'utf8' }).trim()
  }

  it('S2.4 twenty thousand files come whole, and a change of three writes three', { timeout: 240_000 }, async () => {
    const one = manyFiles(0)
    const repository = rig.repository()
    await rig.mirrors.fetch(repository, { force: true })
    const first = await rig.mirrors.snapshot(repository, one, { dotGit: false })
    const count = execFileSync('sh', ['-c', 'find . -type f | wc -l'], { cwd: first.directory, encoding: 'utf8' })
    expect(Number(count)).toBe(files)
    const two = manyFiles(3)
    await rig.mirrors.fetch(repository, { force: true })
    const second = await rig.mirrors.snapshot(repository, two, { dotGit: false })
    const single = execFileSync('find', ['.', '-type', 'f', '-links', '1'], { cwd: second.directory, encoding: 'utf8' })
    expect(single.trim().split('\n').sort()).toEqual(['./d0/f0.txt', './d1/f1.txt', './d2/f2.txt'])
  })

  it('S2.4 everybody else gets their turn while many files are written', { timeout: 240_000 }, async () => {
    const commit = manyFiles(0)
    const repository = rig.repository()
    await rig.mirrors.fetch(repository, { force: true })
    let turns = 0
    let going = true
    const count = (): void => {
      turns += 1
      if (going) setImmediate(count)
    }
    setImmediate(count)
    await rig.mirrors.snapshot(repository, commit, { dotGit: false })
    going = false
    // One turn of the loop for some hundred files, in each of the passes over them.
    expect(turns).toBeGreaterThan(files / 256)
  })

  const freeBytes =
    Number(execFileSync('df', ['-Pk', '/tmp'], { encoding: 'utf8' }).split('\n')[1]?.split(/\s+/)[3]) * 1024
  it.skipIf(freeBytes < 6 * 2 ** 30)('S2.4 a file of two gigabytes comes whole', { timeout: 300_000 }, async () => {
    const size = 2 * 2 ** 30 + 1
    execFileSync('truncate', ['-s', String(size), join(rig.origin, 'huge.img')])
    execFileSync('git', ['config', 'core.compression', '1'], { cwd: rig.origin })
    const commit = commitFiles(rig.origin, {})
    await rig.mirrors.fetch(rig.repository(), { force: false })
    const { directory } = await rig.mirrors.snapshot(rig.repository(), commit, { dotGit: false })
    expect(lstatSync(join(directory, 'huge.img')).size).toBe(size)
  })
})
