import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest'
import { z } from 'zod'
import { createFileAtomic, readJson, writeFileAtomic } from './atomicFile.ts'

let directory: string
let mounts: string[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-atomic-'))
  mounts = []
})
afterEach(() => {
  for (const mount of mounts) execFileSync('umount', [mount])
  rmSync(directory, { recursive: true, force: true })
})

/** A file system of 64 KiB of its own; the test is skipped where mounting is not allowed. */
function smallFileSystem(context: TestContext): string {
  const path = join(directory, 'small')
  mkdirSync(path)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    context.skip('mounting a small tmpfs needs root')
  }
  mounts.push(path)
  return path
}

describe('writeFileAtomic', () => {
  it('writes with the mode it was given, whatever the umask and the old file say', async () => {
    const path = join(directory, 'file')
    writeFileSync(path, 'old')
    chmodSync(path, 0o666)
    await writeFileAtomic(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await writeFileAtomic(path, Buffer.from([1, 2]), { mode: 0o666 })
    expect(statSync(path).mode & 0o777).toBe(0o666)
    expect(readdirSync(directory)).toEqual(['file'])
  })

  it('never shows a reader half a file', async () => {
    const path = join(directory, 'file')
    const contents = ['a'.repeat(200_000), 'b'.repeat(300_000)]
    await writeFileAtomic(path, contents[0] ?? '')
    let writing = true
    const writer = (async () => {
      for (let round = 0; round < 40; round += 1) await writeFileAtomic(path, contents[round % 2] ?? '')
      writing = false
    })()
    let reads = 0
    while (writing) {
      expect(contents.includes(readFileSync(path, 'utf8'))).toBe(true)
      reads += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writer
    expect(reads).toBeGreaterThan(0)
  })

  it('replaces a symbolic link and leaves its target alone', async () => {
    writeFileSync(join(directory, 'target'), 'target')
    symlinkSync('target', join(directory, 'link'))
    await writeFileAtomic(join(directory, 'link'), 'new')
    expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('target')
    expect(readFileSync(join(directory, 'link'), 'utf8')).toBe('new')
  })

  it('says that the disk is full, keeps the old content and leaves nothing behind', async (context) => {
    const path = join(smallFileSystem(context), 'file')
    await writeFileAtomic(path, 'old')
    await expect(writeFileAtomic(path, Buffer.alloc(200_000))).rejects.toMatchObject({ code: 'LOCAL_DISK_FULL' })
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(join(directory, 'small'))).toEqual(['file'])
  })

  it('says that the file system is read-only', async (context) => {
    const mount = smallFileSystem(context)
    await writeFileAtomic(join(mount, 'file'), 'old')
    execFileSync('mount', ['-o', 'remount,ro', mount])
    await expect(writeFileAtomic(join(mount, 'file'), 'new')).rejects.toMatchObject({ code: 'HOME_NOT_WRITABLE' })
    expect(readFileSync(join(mount, 'file'), 'utf8')).toBe('old')
  })
})

describe('createFileAtomic', () => {
  it('lets one of many writers win and overwrites nothing', async () => {
    const path = join(directory, 'file')
    const contents = Array.from({ length: 20 }, (_, index) => `writer ${index}`)
    const created = await Promise.all(contents.map((content) => createFileAtomic(path, content)))
    expect(created.filter(Boolean)).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).toBe(contents[created.indexOf(true)])
    expect(readdirSync(directory)).toEqual(['file'])
  })
})

describe('readJson', () => {
  const schema = z.strictObject({ port: z.number() })

  it('reads a valid file, and nothing where there is none', async () => {
    writeFileSync(join(directory, 'ok.json'), '{"port": 22}')
    expect(await readJson(join(directory, 'ok.json'), schema)).toEqual({ port: 22 })
    expect(await readJson(join(directory, 'absent.json'), schema)).toBeUndefined()
  })

  it('names the file and the field, and quotes no content', async () => {
    const path = join(directory, 'bad.json')
    writeFileSync(path, '{"port": "canary"}')
    const wrongField = readJson(path, schema)
    await expect(wrongField).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(wrongField).rejects.toThrow(/bad\.json is not valid: port: /)
    writeFileSync(path, '{"port": canary')
    await expect(readJson(path, schema)).rejects.toThrow(/^\S*bad\.json is not valid JSON$/)
  })
})
