import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitFiles, createMirrorRig, git, listing, type MirrorRig } from './mirrorRig.ts'

let rig: MirrorRig
beforeEach(async () => {
  rig = await createMirrorRig()
})
afterEach(() => rig.dispose())

const rigFile = join(import.meta.dirname, '..', '..', '..', '..', 'src/engine/repositories/mirror/index.ts')
const clockFile = join(import.meta.dirname, '..', '..', '..', '..', 'src/platform/clock.ts')

/** An engine that fetches and takes a snapshot, as a process that can be killed. Prints a line for each step. */
const program = (repository: object, home: string): string => `
import { createRepositoryMirrors } from ${JSON.stringify(rigFile)}
import { systemClock } from ${JSON.stringify(clockFile)}
const no = async () => { throw new Error('no') }
const mirrors = createRepositoryMirrors({
  directory: ${JSON.stringify(home)}, clock: systemClock, logger: { info() {}, warn() {} }, openSsh: { prepare: no },
  sshPool: { exec: no }, findNode: async () => null, principal: 'sync-agent', tokenOf: async () => null,
})
const repository = ${JSON.stringify(repository)}
console.log('start')
const { heads } = await mirrors.fetch(repository, { force: true })
console.log('fetched')
await mirrors.snapshot(repository, heads.main, { dotGit: true })
console.log('done')
`

/** Runs it and kills it as soon as `when` says so. @returns what it had printed */
function runUntil(file: string, when: (said: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--no-warnings', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    let said = ''
    const look = setInterval(() => {
      if (when(said) && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, 1)
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.once('exit', () => {
      clearInterval(look)
      resolve(said)
    })
  })
}

describe('an engine that is killed', () => {
  const names = (directory: string): string[] => {
    try {
      return readdirSync(directory)
    } catch {
      return []
    }
  }

  it.each<[string, (said: string, root: string) => boolean]>([
    ['at the beginning of a fetch', (said) => said.includes('start')],
    ['while the mirror is made', (_said, root) => names(root).some((name) => name.startsWith('.unfinished-'))],
    [
      'while packs come',
      (_said, root) => names(join(root, 'mirror.git', 'objects', 'pack')).some((name) => name.startsWith('tmp_')),
    ],
    ['after the fetch', (said) => said.includes('fetched')],
    [
      'while a snapshot is written',
      (_said, root) => names(join(root, 'trees')).some((name) => name.startsWith('.unfinished-')),
    ],
  ])('S2.10 S2.4 %s leaves nothing that is taken for whole', { timeout: 120_000 }, async (_name, when) => {
    const files = Object.fromEntries(
      Array.from({ length: 400 }, (_value, number) => [`d${number % 7}/f${number}`, `${number}\n`]),
    )
    const commit = commitFiles(rig.origin, files)
    const repository = rig.repository()
    const root = join(rig.home, repository.id)
    const file = join(rig.directory, 'engine.mjs')
    await writeFile(file, program(repository, rig.home))
    const said = await runUntil(file, (text) => when(text, root))
    expect(said).not.toContain('done')
    const trees = names(join(root, 'trees')).filter((name) => !name.startsWith('.'))
    for (const name of trees) expect(listing(join(root, 'trees', name, 'tree'))).toHaveLength(408)

    const mirrors = rig.again()
    const { heads } = await mirrors.fetch(repository, { force: false })
    expect(heads).toEqual({ main: commit })
    const { directory, release } = await mirrors.snapshot(repository, commit, { dotGit: true })
    expect(git(directory, ['status', '--porcelain'])).toBe('')
    expect(listing(directory)).toHaveLength(408)
    expect(readFileSync(join(directory, 'd0', 'f7'), 'utf8')).toBe('7\n')
    release()
    const leftovers = [root, join(root, 'trees'), join(root, 'modules'), join(root, 'mirror.git', 'objects', 'pack')]
    expect(leftovers.flatMap(names).filter((name) => /^\.unfinished|^tmp_|\.lock$/.test(name))).toEqual([])
  })
})
