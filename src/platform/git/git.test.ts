import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../shared/errors.ts'
import { checkedRef, runGit } from './git.ts'
import { LineReader } from './lineReader.ts'
import { gitEnvironment } from './settings.ts'
import { assertGit, tooOld } from './version.ts'

let directory: string
const path = process.env.PATH
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-git-'))
})
afterEach(async () => {
  process.env.PATH = path
  await rm(directory, { recursive: true, force: true })
})

/** Another program in the place of git. */
async function inPlaceOfGit(script: string): Promise<void> {
  await writeFile(join(directory, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  process.env.PATH = `${directory}:${path}`
}
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (thrown: unknown) => (thrown instanceof AppError ? thrown.code : String(thrown)),
  )

describe('the one way to run git', () => {
  it('S2.11 nothing of the user goes along, and few ways are open', async () => {
    const source = {
      HOME: '/h',
      GIT_DIR: '/x',
      GIT_TRACE: '1',
      SSH_AUTH_SOCK: '/s',
      GIT_SSH_COMMAND: 'evil',
      GIT_ASKPASS: 'evil',
      https_proxy: 'http://p',
    }
    const environment = gitEnvironment(['https', 'ssh'], source)
    expect(environment).toMatchObject({
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '',
      GIT_SSH_COMMAND: 'false',
      GIT_ALLOW_PROTOCOL: 'https:ssh',
      LC_ALL: 'C.UTF-8',
      https_proxy: 'http://p',
    })
    expect(Object.keys(environment)).not.toContain('GIT_TRACE')
    expect(Object.keys(environment)).not.toContain('SSH_AUTH_SOCK')
    expect(gitEnvironment([], {}).GIT_ALLOW_PROTOCOL).toBe('')
  })

  it('S2.11 with no way named none is open', async () => {
    const { exitCode, stderr } = await runGit({ args: ['ls-remote', 'file:///'], directory })
    expect([exitCode, stderr]).toEqual([128, expect.stringContaining("transport 'file' not allowed")])
  })

  it('S2.11 settings that run programs are stronger than those of a repository', async () => {
    await runGit({ args: ['init', '--quiet'], directory })
    await runGit({ args: ['config', 'core.hooksPath', '/evil'], directory })
    await runGit({ args: ['config', 'core.fsmonitor', '/evil'], directory })
    const shown = async (name: string) => (await runGit({ args: ['config', name], directory })).stdout.toString()
    expect([await shown('core.hooksPath'), await shown('core.fsmonitor')]).toEqual(['/dev/null\n', 'false\n'])
  })

  it.each(['-x', '--upload-pack=x', '', 'a b', 'a..b', 'a@{1}', 'a^', 'a~1', 'a:b', 'a\n'])(
    'S2.11 %j is no ref',
    (name) => {
      expect(() => checkedRef(name)).toThrow(AppError)
    },
  )

  it('S2.11 names as people give them are refs', () => {
    for (const name of ['main', 'feature/x-1', 'v1.0', 'ü']) expect(checkedRef(name)).toBe(name)
  })

  it('S2.10 silence ends a call, and so does the whole time', async () => {
    await inPlaceOfGit('exec sleep 600')
    expect(await codeOf(runGit({ args: ['x'], directory, idleMs: 100 }))).toBe('TIMED_OUT')
    expect(await codeOf(runGit({ args: ['x'], directory, timeoutMs: 100 }))).toBe('TIMED_OUT')
    expect(await codeOf(runGit({ args: ['x'], directory, signal: AbortSignal.timeout(100) }))).toBe('CANCELED')
  })

  it('S2.10 an old git, and none at all, are named', async () => {
    await inPlaceOfGit('echo git version 2.29.9')
    expect(await codeOf(assertGit())).toBe('PROGRAM_MISSING')
    process.env.PATH = directory
    await rm(join(directory, 'git'))
    expect(await codeOf(assertGit())).toBe('PROGRAM_MISSING')
    process.env.PATH = path
    expect(await codeOf(assertGit())).toBe('nothing')
    expect(['git version 2.30.0', 'git version 3.0', 'git version 2.39.5 (Apple Git-154)'].map(tooOld)).toEqual([
      null,
      null,
      null,
    ])
    expect(['git version 1.99.0', 'nonsense'].map(tooOld)).not.toContain(null)
  })

  it('S2.10 what git tells a person comes without figures of progress', () => {
    const lines: string[] = []
    const reader = new LineReader((line) => lines.push(line))
    for (const piece of [
      'remote: Counting objects: 100% (2/2)\rremote: Counting objects: 100% (2/2), done.\n',
      'Receiving objects:  50%',
      ' (1/2)\rReceiving objects: 100% (2/2), done.\nFrom x',
      '\n * new\n\nlast',
    ])
      reader.push(Buffer.from(piece))
    reader.end()
    expect(lines).toEqual(['Receiving objects: 100% (2/2), done.', 'From x', ' * new', 'last'])
  })
})
