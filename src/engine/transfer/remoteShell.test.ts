import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { commandInput } from '../../../test/support/commandInput.ts'
import { remoteScript, shellQuote } from '../../core/transfer/remoteShell.ts'
import { exec } from '../../platform/exec.ts'
import type { SshPool } from '../ports.ts'
import { changedSince, FingerprintCache, fingerprintAllLocal, readManifest } from './manifest.ts'
import { readRemoteFacts } from './remoteFacts.ts'
import { fingerprintRemote } from './remoteVerify.ts'
import { scriptsBySession } from './scripts.ts'

const shells = [
  '/bin/sh',
  '/bin/bash',
  '/bin/dash',
  '/usr/bin/zsh',
  '/usr/bin/fish',
  '/usr/bin/ksh',
  '/bin/busybox',
].filter(existsSync)

/** A pool whose node is this machine: the command goes to a login shell as sshd would hand it over. */
function localPool(shell: string): SshPool {
  return {
    exec: async (_node, command, { stdin: input }) => {
      const stdin = await commandInput(input)
      const args = shell.endsWith('busybox') ? ['sh', '-c', command] : ['-c', command]
      const result = await exec({ command: shell, args, stdin, okExitCodes: 'any' })
      return {
        exitCode: result.exitCode,
        signal: null,
        stdout: Buffer.from(result.stdout),
        stderr: Buffer.from(result.stderr),
      }
    },
    login: () => Promise.reject(new Error('not here')),
    drop: () => undefined,
    openConnections: () => 0,
    isOpen: () => false,
    onLost: () => () => undefined,
    close: async () => undefined,
  }
}

describe.each(shells)('through %s as login shell', (shell) => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls shell\' "$(id)\n'))
    for (const name of ['plain', 'a b', 'q\'uo"te', 'new\nline', 'back\\slash', '-rf', 'cr\rx', '\\'])
      await writeFile(join(directory, name), `content of ${name}`)
    await symlink('new\nline', join(directory, 'link'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  it('hands script and data over unchanged', async () => {
    const data = Buffer.from('\0\'"$(id)\\\n!')
    const { stdout } = await localPool(shell).exec(aNode(), remoteScript('cat', data).command, {
      stdin: remoteScript('cat', data).stdin,
      timeoutMs: 1,
    })
    expect(Buffer.from(stdout)).toEqual(data)
  })

  it('reads back the same fingerprints as this side computes, and a hole for what is missing', async () => {
    const { entries } = await readManifest(directory, [])
    const wanted = entries.filter((entry) => entry.type !== 'directory')
    const local = await fingerprintAllLocal(directory, wanted, { cache: new FingerprintCache() })
    const remote = await fingerprintRemote(scriptsBySession(localPool(shell)), aNode(), {
      directory,
      entries: [{ type: 'file', name: 'missing' }, ...wanted],
      timeoutMs: 1,
    })
    expect(wanted).toHaveLength(9)
    expect(remote.fingerprints).toEqual(local)
    expect(remote.entries).toBe(9)
    expect(remote.fingerprints.get('link')).toBe('-> new\nline')
  })

  it('says what it finds of directories', async () => {
    const target = join(directory, 'made', 'deep')
    const facts = await readRemoteFacts(scriptsBySession(localPool(shell)), aNode(), {
      target: { directory: target },
      source: { directory: join(directory, 'plain') },
      timeoutMs: 1,
    })
    expect(facts).toMatchObject({
      noise: [],
      target: { status: 'ok', hasFiles: false, safe: true },
      source: { status: 'not-a-directory' },
    })
    expect(facts.rsyncVersion).toMatch(/^rsync +version/)
    expect(facts.target?.freeBytes).toBeGreaterThan(0)
    await rm(join(directory, 'made'), { recursive: true })
  })
})

describe('quoting', () => {
  it('one word, whatever it holds', () => {
    for (const text of ["it's", '$(id)', '`id`', 'a\nb', '"', '\\', '!', '']) {
      expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`]).toString()).toBe(text)
    }
  })
})

describe('a manifest', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-manifest-'))
    await mkdir(join(directory, 'sub'))
    await writeFile(join(directory, 'a'), 'one')
    await writeFile(join(directory, 'sub', 'b.log'), 'two')
  })
  afterAll(() => rm(directory, { recursive: true }))

  it('knows when a file was written although size and time were set back', async () => {
    const manifest = await readManifest(directory, [])
    expect(await changedSince(manifest)).toEqual([])
    await writeFile(join(directory, 'a'), 'ONE')
    await utimes(join(directory, 'a'), 1, 1)
    expect(await changedSince(manifest)).toEqual(['a'])
  })

  it('knows when a file came or went', async () => {
    const manifest = await readManifest(directory, [])
    await writeFile(join(directory, 'sub', 'new'), '')
    expect(await changedSince(manifest)).toEqual(['sub'])
    await rm(join(directory, 'sub', 'new'))
  })

  it('has the excludes of rsync', async () => {
    const manifest = await readManifest(directory, ['*.log'])
    expect(manifest.entries.map((entry) => entry.name)).toEqual(['.', 'a', 'sub'])
    expect(manifest).toMatchObject({ files: 1, totalBytes: 3 })
  })

  it('a link or a pipe that took the place of a file has no fingerprint, and nothing waits for it', async () => {
    const names = ['swapped link', 'swapped pipe']
    await symlink('a', join(directory, 'swapped link'))
    execFileSync('mkfifo', [join(directory, 'swapped pipe')])
    const entries = names.map((name) => ({ type: 'file', name }) as const)
    const signal = AbortSignal.timeout(5_000)
    expect(await fingerprintAllLocal(directory, entries, { cache: new FingerprintCache(), signal })).toEqual(new Map())
    for (const name of names) await rm(join(directory, name))
  })

  it('remembered hashes are never those of other content', async () => {
    const cache = new FingerprintCache()
    const path = join(directory, 'changing')
    const entry = { type: 'file', name: 'changing' } as const
    const hashes = new Set<string | undefined>()
    for (let index = 0; index < 50; index += 1) {
      await writeFile(path, String(index).padStart(4, '0'))
      await chmod(path, 0o644)
      hashes.add((await fingerprintAllLocal(directory, [entry], { cache })).get('changing'))
    }
    expect(hashes.size).toBe(50)
    await rm(path)
  })
})
