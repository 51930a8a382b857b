import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acquireHomeLock } from './homeLock.ts'
import { readSharedFile } from './sharedFile.ts'

describe('a file where others may put things', () => {
  let directory: string
  let path: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lockstep-shared-'))
    path = join(directory, 'agent.lock')
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const traps: Readonly<Record<string, () => void>> = {
    'a pipe that nobody writes to': () => execFileSync('mkfifo', [path]),
    'a link to the content of another file': () => {
      writeFileSync(join(directory, 'shadow'), '{"pid": 1}')
      symlinkSync(join(directory, 'shadow'), path)
    },
    'a link to a device without end': () => symlinkSync('/dev/zero', path),
    'a file without end': () => {
      writeFileSync(path, 'x')
      truncateSync(path, 2 ** 34)
    },
  }

  it.each(Object.keys(traps))('S0.52 %s reads as empty, and a lock is taken over it', async (name) => {
    traps[name]?.()
    expect(await readSharedFile(path)).toBe('')
    const lock = await acquireHomeLock(path, { nowMs: Date.now() })
    expect(lock.reclaimed?.reason).toBe('corrupt')
    expect(await readSharedFile(path)).toContain(lock.owner.instanceId)
    lock.release()
  })

  it('a small file is read, and one that is missing is said to be', async () => {
    writeFileSync(path, 'who holds it')
    expect(await readSharedFile(path)).toBe('who holds it')
    await expect(readSharedFile(join(directory, 'nothing'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(readSharedFile(directory)).rejects.toMatchObject({ code: 'EISDIR' })
  })
})
