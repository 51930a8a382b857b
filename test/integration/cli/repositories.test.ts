import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RepositoryImport } from '../../../src/shared/contract/repositories.ts'
import { DemoStatus } from '../../../src/shared/model/demo.ts'
import { Plan } from '../../../src/shared/model/plan.ts'
import {
  AllowedFinding,
  Commit,
  Repository,
  RepositoryTarget,
  ScanReport,
  SentinelReading,
  SyncPreview,
} from '../../../src/shared/model/repository.ts'
import { Run } from '../../../src/shared/model/run.ts'
import { createGitRemote, type GitRemote } from '../../support/gitRemote.ts'
import { plantedSecrets } from '../repositories/scan/planted.ts'
import { type Daemon, json, makeHome, refused, runCli, serveDaemon } from './harness.ts'

const Began = z.object({ runs: z.array(Run), idempotencyKey: z.string() })
const Synced = Began.extend({ commits: z.record(z.string(), z.string()) })
const token = 'canary-token-of-the-command-line-4711'
const secret = plantedSecrets().find(({ rule }) => rule === 'github-token')

let place: Awaited<ReturnType<typeof makeHome>>
let remote: GitRemote
let daemon: Daemon
let homes: string[]

const fileOn = (index: number, name: string): string => join(homes[index] ?? '', 'home', 'site', name)
const statuses = (runs: readonly Run[]): string[] => runs.map(({ status }) => status)

describe('repositories on the command line', () => {
  beforeAll(async () => {
    place = await makeHome()
    remote = await createGitRemote()
    daemon = await serveDaemon(place.home)
    const fleet = await json(place.home, ['demo', 'up', '--nodes', '2'], DemoStatus)
    homes = fleet.nodes.map(({ directory }) => directory)
    await json(place.home, ['plans', 'remove', 'demo-site'], z.unknown())
  })

  afterAll(async () => {
    await runCli(place.home, ['demo', 'down'])
    await daemon.stop()
    await remote.remove()
    await place.remove()
  })

  it('S2.2 S2.20 registers, lists, fetches and changes a repository', async () => {
    const { home } = place
    const first = await remote.commit({ 'index.html': 'one', 'old.txt': 'goes' }, 'The first page')
    const added = await json(home, ['repos', 'add', 'site', '--remote', remote.url], Repository)
    expect(added).toMatchObject({ settings: { name: 'site', defaultBranch: 'main' }, state: { fetchedAt: null } })
    expect(await refused(home, ['repos', 'add', 'site', '--remote', remote.url])).toMatchObject({
      exitCode: 4,
      error: { code: 'CONFLICT' },
    })
    const fetched = await json(home, ['repos', 'fetch', 'site'], Repository)
    expect(fetched.state.heads).toMatchObject({ main: first })
    const listed = await runCli(home, ['repos', 'list'])
    expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`main ${first.slice(0, 10)}`) })
    const changed = await json(home, ['repos', 'change', 'site', '--poll', '3600', '--scan', 'builtin'], Repository)
    expect(changed.settings).toMatchObject({ pollIntervalSeconds: 3600, remote: remote.url, scan: { tool: 'builtin' } })
    const commits = await json(home, ['repos', 'commits', 'site'], z.array(Commit))
    expect(commits.map(({ subject, refs }) => ({ subject, refs }))).toEqual([
      { subject: 'The first page', refs: expect.arrayContaining(['main']) },
    ])
  })

  it('S2.11 takes a token from a file or from standard input, and shows it nowhere', async () => {
    const { home } = place
    const file = join(home, 'token.txt')
    await writeFile(file, `${token}\n`, { mode: 0o600 })
    const args = ['repos', 'add', 'private', '--remote', 'https://git.example.com/x.git']
    const added = await runCli(home, [...args, '--token', file, '--token-user', 'bot'])
    expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('token as bot, in the vault') })
    const piped = await runCli(home, ['repos', 'change', 'private', '--token', '--json'], { stdin: `${token}-2\n` })
    expect(Repository.parse(JSON.parse(piped.stdout)).hasToken).toBe(true)
    const gone = await json(home, ['repos', 'change', 'private', '--remove-token', '--no-login'], Repository)
    expect(gone).toMatchObject({ hasToken: false, settings: { login: { kind: 'none' } } })
    const said = [added, piped].map(({ stdout, stderr }) => stdout + stderr).join() + daemon.output()
    expect(said).not.toContain(token)
    await json(home, ['repos', 'remove', 'private'], z.unknown())
    expect(await refused(home, ['repos', 'show', 'private'])).toMatchObject({ exitCode: 3 })
  })

  it('S2.12 S2.14 syncs every node and waits; status, verify and preview say what lies there', async () => {
    const { home } = place
    const plan = join(home, 'plan.yaml')
    await writeFile(
      plan,
      "name: pages\nkind: repository\nselector: '*'\nspec:\n  repository: site\n  target: ~/site\n  verify: { mode: full }\n",
    )
    await json(home, ['plans', 'apply', plan], z.array(Plan))
    const listed = await runCli(home, ['plans', 'list'])
    expect(listed.stdout).toContain('default branch of site -> ~/site')
    const synced = await json(home, ['repos', 'sync', 'site', '--wait'], Synced)
    expect(statuses(synced.runs)).toEqual(['succeeded', 'succeeded'])
    const [commit] = Object.values(synced.commits)
    expect(await readFile(fileOn(0, '.sync_rev'), 'utf8')).toContain(commit)
    const targets = await json(home, ['repos', 'status', 'site'], z.array(RepositoryTarget))
    expect(targets.map(({ observed, behind }) => ({ observed, behind }))).toEqual([
      { observed: commit, behind: 0 },
      { observed: commit, behind: 0 },
    ])
    const readings = await json(home, ['repos', 'verify', 'site'], z.array(SentinelReading))
    expect(readings.map(({ status }) => status)).toEqual(['matches', 'matches'])
    const second = await remote.commit({ 'index.html': 'two', 'old.txt': null, 'new.txt': 'comes' }, 'The second page')
    await json(home, ['repos', 'fetch', 'site'], Repository)
    const behind = await json(home, ['repos', 'status', 'site'], z.array(RepositoryTarget), { exitCode: 1 })
    expect(behind.map((target) => target.behind)).toEqual([1, 1])
    const nodes = await runCli(home, ['repos', 'status', 'site'])
    expect(nodes.stdout).toContain('1 behind')
    const [node = ''] = /^(\S+) +pages/m.exec(nodes.stdout)?.slice(1) ?? []
    const preview = await json(home, ['repos', 'preview', 'pages', node], SyncPreview)
    expect(preview).toMatchObject({ commit: second, added: ['new.txt'], changed: ['index.html'], deleted: ['old.txt'] })
    const expected = ['repos', 'verify', 'site', '--commit', second.slice(0, 12)]
    const differing = await json(home, expected, z.array(SentinelReading), { exitCode: 1 })
    expect(differing.map(({ status }) => status)).toEqual(['differs', 'differs'])
    const again = await json(home, ['repos', 'sync', 'site', '--wait'], Synced)
    expect(statuses(again.runs)).toEqual(['succeeded', 'succeeded'])
    expect(await readFile(fileOn(1, 'new.txt'), 'utf8')).toBe('comes')
  })

  it('S2.12 the same key is the same sync, and one node alone is one run', async () => {
    const { home } = place
    const [target] = await json(home, ['repos', 'status', 'site'], z.array(RepositoryTarget))
    const args = ['repos', 'sync', 'site', target?.nodeId ?? '', '--wait', '--idempotency-key', 'one-sync-of-a-test']
    const first = await json(home, args, Synced)
    const second = await json(home, args, Synced)
    expect(first.runs).toHaveLength(1)
    expect(second.runs.map(({ id }) => id)).toEqual(first.runs.map(({ id }) => id))
  })

  it('S2.10 rolls back to the commit before, and deploys the branch again', async () => {
    const { home } = place
    const [newest, before] = await json(home, ['repos', 'commits', 'site'], z.array(Commit))
    const back = await json(home, ['repos', 'rollback', 'pages', '--wait'], Began.extend({ commit: z.string() }))
    expect(back).toMatchObject({ commit: before?.commit })
    expect(statuses(back.runs)).toEqual(['succeeded', 'succeeded'])
    expect(await readFile(fileOn(0, 'index.html'), 'utf8')).toBe('one')
    const begun = ['repos', 'deploy', 'pages', '--commit', newest?.commit.slice(0, 10) ?? '', '--wait']
    expect(statuses((await json(home, begun, Began)).runs)).toEqual(['succeeded', 'succeeded'])
    expect(await readFile(fileOn(0, 'index.html'), 'utf8')).toBe('two')
    await json(home, ['repos', 'deploy', 'pages', '--default-branch', '--wait'], Began)
    const plan = await json(home, ['plans', 'show', 'pages'], Plan)
    expect(plan).toMatchObject({ spec: { ref: { kind: 'branch', name: null } } })
    expect(await refused(home, ['repos', 'deploy', 'pages'])).toMatchObject({ exitCode: 2 })
  })

  it('S2.17 S2.33 U40 a secret holds the sync back with 6; allowed with a reason, it goes on', async () => {
    const { home } = place
    await remote.commit({ [secret?.file ?? '']: secret?.text ?? '' }, 'Notes')
    const held = await json(home, ['repos', 'sync', 'site', '--wait'], Synced, { exitCode: 6 })
    expect(held.runs.map(({ status, halt }) => [status, halt?.reason])).toEqual([
      ['halted', 'secrets-found'],
      ['halted', 'secrets-found'],
    ])
    const shown = await runCli(home, ['repos', 'findings', 'site'])
    expect(shown).toMatchObject({ exitCode: 6, stdout: expect.stringContaining(`${secret?.file}:${secret?.line}`) })
    const report = await json(home, ['repos', 'scan', 'site'], ScanReport, { exitCode: 6 })
    const hash = report.findings[0]?.hash ?? ''
    expect(await refused(home, ['repos', 'allow', 'site', hash])).toMatchObject({ exitCode: 2 })
    const reason = ['--reason', 'Made for a test.', '--expires', '30d']
    const entry = await json(home, ['repos', 'allow', 'site', hash.slice(0, 12), ...reason], AllowedFinding)
    expect(entry).toMatchObject({ hash, reason: 'Made for a test.', expiresAt: expect.any(Number) })
    await json(home, ['repos', 'findings', 'site'], ScanReport)
    const listed = await runCli(home, ['repos', 'findings', 'site', '--allowed'])
    expect(listed.stdout).toContain('Made for a test.')
    for (const { id } of held.runs) await json(home, ['runs', 'approve', id, '--reason', 'secrets-found'], Run)
    const after = await json(home, ['repos', 'sync', 'site', '--wait'], Synced)
    expect(statuses(after.runs)).toEqual(['succeeded', 'succeeded'])
    await json(home, ['repos', 'disallow', 'site', hash.slice(0, 12)], z.unknown())
    await json(home, ['repos', 'findings', 'site'], ScanReport, { exitCode: 6 })
    const said = [shown, listed].map(({ stdout, stderr }) => stdout + stderr).join() + daemon.output()
    expect(said).not.toContain(secret?.canary)
  })

  it('S2.18 S2.19 S2.30 reads a configuration, and takes it over only with --apply', async () => {
    const { home } = place
    const file = join(home, 'config.yml')
    await writeFile(
      file,
      'repository:\n  main_repo_path: /srv/th_timmy\n  default_branch: main\n  vm_repo_paths:\n    vm01: /opt/th_timmy\nvms:\n  vm01:\n    ip: 192.0.2.11\n    ssh_user: ops\n    ssh_port: 2201\n',
    )
    const found = await json(home, ['repos', 'import', file, '--name', 'timmy'], RepositoryImport)
    expect(found).toMatchObject({
      repository: { name: 'timmy', checkout: { kind: 'here', directory: '/srv/th_timmy' } },
      nodes: [{ name: 'vm01', address: '192.0.2.11', port: 2201, user: 'ops' }],
    })
    expect(await refused(home, ['repos', 'show', 'timmy'])).toMatchObject({ exitCode: 3 })
    const applied = await runCli(home, ['repos', 'import', file, '--name', 'timmy', '--apply'])
    expect(applied).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Taken over.') })
    await json(home, ['repos', 'show', 'timmy'], Repository)
  })

  it('S2.34 searches a directory without any engine, and prints what a forge needs', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ls-cli-scan-'))
    try {
      const nowhere = join(directory, 'no-home')
      const tree = join(directory, 'tree')
      await mkdir(tree)
      await writeFile(join(tree, 'fine.txt'), 'nothing to see\n')
      expect(await runCli(nowhere, ['repos', 'scan', '--directory', tree])).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('0 findings in 1 file'),
      })
      await writeFile(join(tree, 'notes.md'), secret?.text ?? '')
      const found = await runCli(nowhere, ['repos', 'scan', '--directory', tree])
      expect(found).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('notes.md:1 github-token') })
      expect(found.stdout + found.stderr).not.toContain(secret?.canary)
    } finally {
      await rm(directory, { recursive: true })
    }
    const snippet = await runCli(place.home, ['repos', 'snippet', 'site', '--for', 'gitlab'])
    expect(snippet).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('lockstep repos scan --directory .') })
    expect(await refused(place.home, ['repos', 'scan', 'site', '--directory', '.'])).toMatchObject({ exitCode: 2 })
  })
})
