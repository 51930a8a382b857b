import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitFiles, createMirrorRig, failureOf, git, listing, type MirrorRig } from './mirrorRig.ts'

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0

let rig: MirrorRig
let small: boolean
beforeEach(async () => {
  rig = await createMirrorRig()
  mkdirSync(rig.home, { recursive: true })
  small = mount('-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', rig.home)
})
afterEach(async () => {
  if (small) spawnSync('umount', [rig.home])
  await rig.dispose()
})

/** Only root mounts, and not in every container. */
describe.runIf(process.platform === 'linux' && process.getuid?.() === 0)('a disk that is full', () => {
  it('S2.10 is named, leaves nothing half, and is no trouble any more when there is room', async (context) => {
    if (!small) context.skip()
    const first = git(rig.origin, ['rev-parse', 'main'])
    const repository = rig.repository()
    const before = await rig.mirrors.fetch(repository, { force: false })
    expect(before.heads).toEqual({ main: first })
    await writeFile(join(rig.origin, 'noise'), randomBytes(2_000_000))
    const big = commitFiles(rig.origin, {})
    const known = rig.repository({}, before.heads)

    // The pack fits, and the files of the snapshot do not fit beside it.
    expect((await rig.mirrors.fetch(known, { force: false })).heads).toEqual({ main: big })
    expect((await failureOf(rig.mirrors.snapshot(known, big, { dotGit: false }))).code).toBe('LOCAL_DISK_FULL')
    expect(readdirSync(join(rig.home, known.id, 'trees'))).toEqual([])

    await writeFile(join(rig.origin, 'more noise'), randomBytes(2_000_000))
    const bigger = commitFiles(rig.origin, {})
    const full = await failureOf(rig.mirrors.fetch(known, { force: false }))
    expect([full.code, full.message]).toEqual(['LOCAL_DISK_FULL', expect.stringContaining('room')])
    expect(await rig.mirrors.has(known.id, bigger)).toBe(false)

    expect(mount('-o', 'remount,size=40m', rig.home)).toBe(true)
    expect((await rig.mirrors.fetch(known, { force: false })).heads).toEqual({ main: bigger })
    const { directory } = await rig.mirrors.snapshot(known, bigger, { dotGit: false })
    expect(listing(directory)).toEqual(['a.txt', 'more noise', 'noise'])
  })
})
