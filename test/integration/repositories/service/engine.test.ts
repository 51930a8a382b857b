import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runGit } from '../../../support/gitRemote.ts'
import { waitFor } from '../../../support/waitFor.ts'
import { createServiceRig, planName, repositoryName, type ServiceRig } from './rig.ts'

let rig: ServiceRig
const client = () => rig.test.client
const nodeName = (): string => rig.nodeNames[0] ?? ''
const settingsOf = async () => (await client().repositories.get({ repository: repositoryName })).settings

beforeAll(async () => {
  rig = await createServiceRig(1)
  await rig.remote.commit({ 'readme.txt': 'one\n' })
}, 120_000)
afterAll(() => rig.dispose())

describe('a commit that nobody asks for', () => {
  it('S2.2 S2.13 is fetched, scanned and brought by itself, to every node and once', async () => {
    await rig.addRepository({ pollIntervalSeconds: 10 })
    await rig.addPlan()
    rig.test.engine.wake()
    await waitFor('the first commit to be there', () => rig.read(nodeName(), 'tree/.sync_rev'), { timeoutMs: 40_000 })
    await rig.test.runOf(nodeName(), ({ status }) => status === 'succeeded')
    const next = await rig.remote.commit({ 'readme.txt': 'two\n' })
    rig.test.engine.wake()
    await waitFor(
      'the next commit to be there',
      async () => (await rig.read(nodeName(), 'tree/.sync_rev')) === `${next}\n`,
      { timeoutMs: 40_000 },
    )
    const run = await rig.test.runOf(nodeName(), ({ status }) => status === 'succeeded')
    expect(run).toMatchObject({ trigger: 'repository', requestedBy: `repository ${repositoryName}` })
    const [target] = await client().repositories.targets({ repository: repositoryName })
    expect(target).toMatchObject({ desired: next, observed: next, behind: 0, runId: run.id })
  })

  it('S2.13 S2.33 does not go behind a run that waits because of secrets: the one without them replaces it', async () => {
    const key = ['-----BEGIN OPENSSH ', 'PRIVATE KEY-----\n'].join('')
    const end = ['-----END OPENSSH ', 'PRIVATE KEY-----\n'].join('')
    const body = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 73) % 251)).toString('base64')
    await rig.remote.commit({ 'keys/id': `${key}${body}\n${end}` })
    rig.test.engine.wake()
    const halted = await rig.test.runOf(nodeName(), ({ status }) => status === 'halted')
    expect(halted.halt?.reason).toBe('secrets-found')
    const clean = await rig.remote.commit({ 'keys/id': null, 'readme.txt': 'three\n' })
    rig.test.engine.wake()
    const run = await rig.test.runOf(nodeName(), ({ status }) => status === 'succeeded')
    expect(run.proof?.verify).toMatchObject({ commit: clean })
    expect(await client().runs.get({ runId: halted.id })).toMatchObject({ status: 'canceled' })
  })

  it('S2.9 is found after a restart too', async () => {
    rig.test = await rig.test.restart()
    const next = await rig.remote.commit({ 'readme.txt': 'four\n' })
    rig.test.engine.wake()
    await waitFor(
      'the commit to be there',
      async () => (await rig.read(nodeName(), 'tree/.sync_rev')) === `${next}\n`,
      { timeoutMs: 40_000 },
    )
    await rig.test.runOf(nodeName(), ({ status }) => status === 'succeeded')
    const settings = await settingsOf()
    await client().repositories.change({
      repository: repositoryName,
      settings: { ...settings, pollIntervalSeconds: null },
    })
  })
})

describe('a checkout on this machine', () => {
  const directory = (): string => join(dirname(rig.remote.work), 'checkout')

  it('S2.3 S2.10 S2.18 is cloned where it is missing and pulled forward; what is not committed is told, not sent', async () => {
    const settings = await settingsOf()
    await client().repositories.change({
      repository: repositoryName,
      settings: { ...settings, checkout: { kind: 'here', directory: directory() } },
    })
    const next = await rig.remote.commit({ 'readme.txt': 'five\n' })
    await rig.ended((await rig.sync()).runs)
    expect(await runGit(directory(), 'rev-parse', 'HEAD')).toBe(next)
    await writeFile(join(directory(), 'readme.txt'), 'an edit\n')
    const refreshed = await client().repositories.refresh({ repository: repositoryName })
    expect(refreshed.state.warnings).not.toEqual([])
    await rig.ended((await rig.sync()).runs)
    expect(await rig.read(nodeName(), 'tree/readme.txt')).toBe('five\n')
    expect(await readFile(join(directory(), 'readme.txt'), 'utf8')).toBe('an edit\n')
  })

  it('S2.3 D18 a history that was rewritten is refused and kept; force resets the checkout, on record, and sends it', async () => {
    const before = await client().repositories.get({ repository: repositoryName })
    await rig.remote.git('reset', '--quiet', '--hard', 'HEAD~1')
    const rewritten = await rig.remote.commit({ 'readme.txt': 'another five\n' })
    await expect(rig.sync()).rejects.toMatchObject({ code: 'REPOSITORY_DIVERGED' })
    const refused = await client().repositories.get({ repository: repositoryName })
    expect(refused.state.heads).toEqual(before.state.heads)
    expect(refused.state.diagnosis?.code).toBe('REPOSITORY_DIVERGED')

    const { runs } = await rig.sync({ force: true })
    expect((await rig.ended(runs))[0]?.status).toBe('succeeded')
    expect(await rig.read(nodeName(), 'tree/.sync_rev')).toBe(`${rewritten}\n`)
    expect(await readFile(join(directory(), 'readme.txt'), 'utf8')).toBe('another five\n')
    await client().repositories.refresh({ repository: repositoryName, force: true })
    const actions = (await client().audit.list({ limit: 50 })).map(({ action }) => action)
    expect(actions).toContain('repository.reset')
    expect((await client().plans.get({ plan: planName })).spec).toMatchObject({ repository: repositoryName })
  })
})

describe('the configuration of the sources', () => {
  const text = (port: number): string => `
repository:
  main_repo_path: ${join(dirname(rig.remote.work), 'imported')}
  vm_repo_paths: { vm01: ~/th_timmy, vm02: ~/other }
  rsync_excludes: [.git, "*.log"]
vms:
  vm01: { ip: 127.0.0.1, ssh_user: sync, ssh_port: ${port} }
  vm02: { ip: 127.0.0.2, ssh_user: sync }
remote_execution: { key_storage_path: /srv/keys }
`
  const order = (port: number, apply: boolean) => ({ text: text(port), name: 'main', apply })

  it('S2.18 S2.19 S2.30 S2.31 is shown first, and taken over when that is asked for; repeating it does no harm', async () => {
    const shown = await client().repositories.import(order(22, false))
    expect(await client().repositories.list()).toHaveLength(1)
    const applied = await client().repositories.import(order(22, true))
    expect(applied).toEqual(shown)
    expect((await rig.test.node('vm01')).login).toEqual({ kind: 'static-key', keyFile: '/srv/keys/id_ed25519_vm01' })
    const plan = await client().plans.get({ plan: 'main' })
    expect((await rig.test.node('vm02')).plans.map(({ planId }) => planId)).toContain(plan.id)
    const targets = await client().repositories.targets({ repository: 'main' })
    expect(targets.map(({ directory, desired }) => ({ directory, desired }))).toEqual([
      { directory: '~/th_timmy', desired: null },
      { directory: '~/other', desired: null },
    ])
    const again = await client().repositories.import(order(2222, true))
    expect(again.notes.filter((note) => note.includes('stays as it is'))).toHaveLength(2)
    expect((await rig.test.node('vm01')).port).toBe(22)
    expect((await client().plans.get({ plan: 'main' })).revision).toBe(plan.revision)
  })

  it('S2.18 mistakes are named, and nothing was taken over', async () => {
    const before = await client().repositories.list()
    await expect(
      client().repositories.import({ text: 'repository: { main_repo_path: relative }', name: 'x', apply: true }),
    ).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('line 1: repository.main_repo_path'),
    })
    expect(await client().repositories.list()).toEqual(before)
  })

  it('S2.10 a checkout that is missing, without a remote, is said', async () => {
    await mkdir(join(dirname(rig.remote.work), 'empty'), { recursive: true })
    await expect(client().repositories.refresh({ repository: 'main' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(SOURCE_MISSING|REPOSITORY_[A-Z]+|PRECONDITION_FAILED)$/),
    })
  })
})
