import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { scanSnippets } from '../../../../src/core/scan/snippets.ts'
import { exec } from '../../../../src/platform/exec.ts'
import { plantedSecrets } from './planted.ts'

const scanner = fileURLToPath(new URL('../../../../src/engine/repositories/scan/index.ts', import.meta.url))
const hook = scanSnippets({ tool: 'lockstep', branch: 'main' }).preReceive
const planted = plantedSecrets().find(({ rule }) => rule === 'github-token')
const secret = planted?.canary ?? ''

let place: string
let bare: string
let clone: string

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'lockstep-hook-'))
  bare = join(place, 'bare.git')
  clone = join(place, 'clone')
  await git(place, 'init', '-q', '--bare', '-b', 'main', bare)
  await git(place, 'init', '-q', '-b', 'main', clone)
  await writeFile(join(bare, 'hooks', 'pre-receive'), hook, { mode: 0o755 })
  await commit('readme.md', 'Nothing to see here.\n')
})
afterEach(() => rm(place, { recursive: true }))

/** The scanner of this repository behind the command that the hook calls. */
async function installLockstep(): Promise<void> {
  await mkdir(join(place, 'bin'))
  const program = `
import { createSecretScanner } from ${JSON.stringify(scanner)}
const [, , ...words] = process.argv
if (words.join(' ') !== 'repos scan --directory .') process.exit(64)
const settings = { enabled: true, tool: 'builtin', configPath: null, blockOnSecrets: true }
const scanner = createSecretScanner({ privateDirectory: ${JSON.stringify(join(place, 'private'))} })
const { findings, filesScanned } = await scanner.scan({ directory: process.cwd(), files: null, settings, salt: 'x' })
for (const { file, line, rule } of findings) console.log(file + ':' + line + ' ' + rule)
console.log(filesScanned + ' files')
process.exit(findings.length === 0 ? 0 : 1)
`
  await writeFile(join(place, 'lockstep.mjs'), program)
  const file = join(place, 'bin', 'lockstep')
  await writeFile(file, `#!/bin/sh\nexec '${process.execPath}' '${join(place, 'lockstep.mjs')}' "$@"\n`)
  await chmod(file, 0o755)
}

function git(cwd: string, ...args: readonly string[]): ReturnType<typeof exec> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false']
  const path = `${join(place, 'bin')}:${process.env.PATH}`
  const env = { PATH: path, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  return exec({ command: 'git', args: [...identity, ...args], cwd, env, okExitCodes: 'any' })
}

async function commit(file: string, content: string): Promise<string> {
  await writeFile(join(clone, file), content)
  await git(clone, 'add', '-A')
  await git(clone, 'commit', '-q', '-m', `Changes ${file}`)
  return (await git(clone, 'rev-parse', 'HEAD')).stdout.trim()
}

const push = (ref = 'main') => git(clone, 'push', '-q', bare, ref)
const heads = async () => (await git(bare, 'for-each-ref', '--format=%(refname)')).stdout.trim()

describe('the pre-receive hook', () => {
  it('S2.34 lets a push through that brings no secret, and refuses one that does, naming commit, file and line', async () => {
    await installLockstep()
    expect((await push()).exitCode).toBe(0)
    const bad = await commit('notes.md', planted?.text ?? '')
    const refused = await push()
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toContain(`${bad}/notes.md:1 github-token`)
    expect(refused.stderr).toContain('1 files')
    expect(refused.stderr + refused.stdout).not.toContain(secret)
    expect(await git(bare, 'log', '--format=%H', 'main')).not.toMatchObject({ stdout: expect.stringContaining(bad) })
  })

  it('S2.34 refuses a secret that a later commit of the same push takes away, in spite of export-ignore', async () => {
    await installLockstep()
    await writeFile(join(clone, '.gitattributes'), '* export-ignore\n')
    const bad = await commit('a name with "quotes" and spaces.txt', planted?.text ?? '')
    await commit('a name with "quotes" and spaces.txt', 'taken away\n')
    const refused = await push()
    expect(refused.stderr).toContain(`${bad}/a name with "quotes" and spaces.txt:1 github-token`)
    expect(refused.exitCode).not.toBe(0)
    expect(await heads()).toBe('')
  })

  it('S2.34 searches new branches and tags, and lets one be deleted', async () => {
    await installLockstep()
    await push()
    await git(clone, 'checkout', '-q', '-b', 'other')
    await commit('notes.md', planted?.text ?? '')
    await git(clone, 'tag', '-a', 'v1', '-m', 'One')
    expect((await push('v1')).exitCode).not.toBe(0)
    expect((await push('main:refs/heads/third')).exitCode).toBe(0)
    expect((await push(':refs/heads/third')).exitCode).toBe(0)
    expect(await heads()).toBe('refs/heads/main')
  })

  it('S2.34 refuses every push while the program is not installed', async () => {
    const refused = await push()
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toContain('lockstep is not installed here')
    expect(await heads()).toBe('')
  })
})

describe('the texts for CI', () => {
  it.each(['lockstep', 'gitleaks'] as const)('S2.34 are valid YAML that runs %s and hands no login to it', (tool) => {
    const branch = `release/"1"'s`
    const { githubActions, gitlabCi, preReceive } = scanSnippets({ tool, branch })
    const workflow = parse(githubActions)
    expect(workflow.on.push.branches).toEqual([branch])
    expect(workflow.permissions).toEqual({ contents: 'read' })
    expect(workflow.jobs.secrets.steps[0].with).toEqual({ 'persist-credentials': false })
    expect(workflow.jobs.secrets.steps[1].run).toMatch(new RegExp(`^${tool} `))
    expect(parse(gitlabCi).secrets.script[0]).toMatch(new RegExp(`^${tool} `))
    expect(preReceive).toContain(`if ! ${tool} `)
  })
})
