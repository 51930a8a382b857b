import { readFileSync } from 'node:fs'
import { mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TreeSnapshot } from '../../../../src/engine/ports/repositories.ts'
import { createMirrorRig, failureOf, git, listing, type MirrorRig } from './mirrorRig.ts'

let rig: MirrorRig
let record: string
let first: TreeSnapshot
const take = () => rig.mirrors.snapshot(rig.repository(), git(rig.origin, ['rev-parse', 'main']), { dotGit: false })

beforeEach(async () => {
  rig = await createMirrorRig()
  first = await take()
  record = join(dirname(first.directory), 'snapshot.json')
})
afterEach(() => rig.dispose())

describe('a snapshot whose record cannot be read', () => {
  it('S2.14 stays as it is when the disk is the reason, held or not', async () => {
    await rename(record, `${record}.aside`)
    // Reading it fails as that of a bad disk does: with an error that says nothing of what is in it.
    await mkdir(record)
    await expect(take()).rejects.toMatchObject({ code: 'EISDIR' })
    first.release()
    await expect(take()).rejects.toMatchObject({ code: 'EISDIR' })
    expect(readFileSync(join(first.directory, 'a.txt'), 'utf8')).toBe('one\n')
    await rm(record, { recursive: true })
    await rename(`${record}.aside`, record)
    expect((await take()).directory).toBe(first.directory)
  })

  it.each<[string, () => Promise<void>]>([
    ['cut off', () => truncate(record, 7)],
    ['gone', () => rm(record)],
    ['of something else', () => writeFile(record, '{}')],
  ])('S2.14 %s, is not taken from under a run that has it, and made anew after that', async (_name, damage) => {
    await damage()
    const failure = await failureOf(take())
    expect([failure.code, failure.retry?.kind]).toEqual(['CONFLICT', 'after'])
    expect(failure.message).toContain('in use')
    expect(listing(first.directory)).toEqual(['a.txt'])
    first.release()
    const again = await take()
    expect(listing(again.directory)).toEqual(['a.txt'])
    again.release()
  })

  it('S2.14 removed as a whole, is made anew although somebody had it', async () => {
    await rm(dirname(first.directory), { recursive: true })
    expect(listing((await take()).directory)).toEqual(['a.txt'])
  })
})
