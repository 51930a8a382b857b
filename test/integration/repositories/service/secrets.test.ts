import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineEvent } from '../../../../src/shared/model/event.ts'
import { createServiceRig, planName, repositoryName, type ServiceRig } from './rig.ts'

let rig: ServiceRig

const client = () => rig.test.client
const settingsOf = async () => (await client().repositories.get({ repository: repositoryName })).settings
const findings = () => client().repositories.findings({ repository: repositoryName })
/** Looks like a key of a cloud, and is none. Not in one piece, or the scan of this very repository would find it. */
const secret = ['AKIA', 'Z7Q2MVXK', 'D4WTY5NB'].join('')
const token = 'canary-token-7d1f60b2c9'

/** Every file below the home of the engine, byte for byte; the demo's nodes and snapshots of commits apart. */
async function filesOfEngine(): Promise<{ readonly path: string; readonly bytes: Buffer }[]> {
  const home = rig.test.home.home
  const names = await readdir(home, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const own = files.filter((path) => !path.startsWith(join(home, 'demo')) && !path.includes('/trees/'))
  return Promise.all(own.map(async (path) => ({ path, bytes: await readFile(path) })))
}

const holding = async (text: string): Promise<string[]> =>
  (await filesOfEngine()).filter(({ bytes }) => bytes.includes(text)).map(({ path }) => path)

async function eventsSoFar(): Promise<EngineEvent[]> {
  const cut = new AbortController()
  const { seq } = await client().system.snapshot()
  const seen: EngineEvent[] = []
  for await (const message of await client().system.watch({ afterSeq: 0 }, { signal: cut.signal })) {
    seen.push(message as unknown as EngineEvent)
    if (JSON.stringify(message).includes(`"seq":${seq}`)) break
  }
  cut.abort()
  return seen
}

beforeAll(async () => {
  rig = await createServiceRig(1)
  await rig.remote.commit({ 'readme.txt': 'one\n' })
  await rig.addRepository({}, token)
  await rig.addPlan()
  await rig.ended((await rig.sync()).runs)
}, 120_000)
afterAll(() => rig.dispose())

describe('S2.17 S2.33 secrets', () => {
  it('S2.13 S2.26 a commit with a secret halts the run before anything is sent', async () => {
    await rig.remote.commit({ 'conf/cloud.env': `# cloud\nAWS_ACCESS_KEY_ID=${secret}\n` })
    const [run] = await rig.ended((await rig.sync()).runs)
    expect(run).toMatchObject({ status: 'halted', halt: { reason: 'secrets-found' } })
    await expect(rig.read(rig.nodeNames[0] ?? '', 'tree/conf/cloud.env')).rejects.toMatchObject({ code: 'ENOENT' })
    const report = await findings()
    expect(report).toMatchObject({ status: 'blocked', scope: { kind: 'changed' }, filesScanned: 1, findingsTotal: 1 })
    expect(report?.findings[0]).toMatchObject({ file: 'conf/cloud.env', line: 2, allowed: false })
  })

  it('S2.17 its value is in no file of the engine but git itself, in no log, event or answer', async () => {
    // What is looked through does hold what may be known.
    expect(await holding('conf/cloud.env')).not.toEqual([])
    expect(JSON.stringify(await eventsSoFar())).toContain('repositories.changed')
    const inFiles = (await holding(secret)).filter((path) => !path.includes('/mirror.git/'))
    expect(inFiles).toEqual([])
    expect(rig.test.logLines.filter((line) => line.includes(secret))).toEqual([])
    const runs = await client().runs.list({ limit: 100 })
    const logs = await Promise.all(runs.runs.map(({ id }) => client().runs.log({ runId: id })))
    const said = [
      JSON.stringify(await eventsSoFar()),
      JSON.stringify([runs, await findings(), await client().audit.list({ limit: 500 })]),
      ...logs.map(({ base64 }) => Buffer.from(base64, 'base64').toString('utf8')),
    ]
    expect(said.filter((text) => text.includes(secret))).toEqual([])
    expect(said.some((text) => text.includes('conf/cloud.env'))).toBe(true)
  })

  it('S2.26 approving the run skips nothing; allowed with a reason, it goes over', async () => {
    const halted = (await client().runs.list({ statuses: ['halted'] })).runs[0]
    if (halted === undefined) throw new Error('nothing waits')
    await client().runs.approve({ runId: halted.id, reason: 'secrets-found' })
    const [still] = await rig.ended([halted])
    expect(still).toMatchObject({ status: 'halted', halt: { reason: 'secrets-found' } })

    const hash = (await findings())?.findings[0]?.hash ?? ''
    const allowed = await client().repositories.allow({
      repository: repositoryName,
      hash,
      reason: 'a key of a sandbox that is gone',
    })
    expect(allowed).toMatchObject({ owner: 'tester@here', file: 'conf/cloud.env', expiresAt: null })
    expect(await findings()).toMatchObject({ status: 'findings', findings: [{ allowed: true }] })
    await client().runs.approve({ runId: halted.id, reason: 'secrets-found' })
    expect((await rig.ended([halted]))[0]?.status).toBe('succeeded')
  })

  it('S2.33 D18 what is allowed no more blocks again, and force does not get around it', async () => {
    const hash = (await findings())?.findings[0]?.hash ?? ''
    await client().repositories.disallow({ repository: repositoryName, hash })
    expect((await findings())?.status).toBe('blocked')
    expect(await client().repositories.allowed({ repository: repositoryName })).toEqual([])
    const [forced] = await rig.ended((await rig.sync({ force: true })).runs)
    expect(forced).toMatchObject({ status: 'halted', halt: { reason: 'secrets-found' } })
    await expect(client().repositories.disallow({ repository: repositoryName, hash })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('S2.33 an allowed finding blocks again by itself once its time has come', async () => {
    const hash = (await findings())?.findings[0]?.hash ?? ''
    const order = { repository: repositoryName, hash, reason: 'until it is replaced' }
    await expect(client().repositories.allow({ ...order, expiresAt: 1 })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    const expiresAt = Date.now() + 400
    await client().repositories.allow({ ...order, expiresAt })
    await expect.poll(async () => (await findings())?.status, { timeout: 10_000 }).toBe('blocked')
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    const [run] = await rig.ended((await rig.sync()).runs)
    expect(run?.status).toBe('halted')
  })

  it('S2.17 a finding in a file that did not change is carried over, and goes with its file', async () => {
    await rig.remote.commit({ 'other.txt': 'harmless\n' })
    await rig.ended((await rig.sync()).runs)
    expect(await findings()).toMatchObject({ scope: { kind: 'changed' }, filesScanned: 1, findingsTotal: 1 })
    await rig.remote.commit({ 'conf/cloud.env': null })
    const [run] = await rig.ended((await rig.sync()).runs)
    expect(run?.status).toBe('succeeded')
    expect(await findings()).toMatchObject({ status: 'clean', findingsTotal: 0 })
  })

  it('S2.33 a finding of a branch that a plan wants can be allowed although another was scanned since', async () => {
    await rig.remote.git('checkout', '--quiet', '-b', 'topic')
    await rig.remote.commit({ 'topic.env': `AWS_ACCESS_KEY_ID=${secret}\n` })
    await rig.remote.git('checkout', '--quiet', 'main')
    await rig.addPlan(
      { ref: { kind: 'branch', name: 'topic' }, target: '~/topic' },
      { name: 'topic', selector: `name:${rig.nodeNames[0]}` },
    )
    const [halted] = await rig.ended((await rig.sync({ plans: ['topic'] })).runs)
    expect(halted?.status).toBe('halted')
    const hash = (await findings())?.findings[0]?.hash ?? ''
    await rig.remote.commit({ 'other.txt': 'of the main branch\n' })
    await rig.ended((await rig.sync({ plans: [planName] })).runs)
    expect(await findings()).toMatchObject({ status: 'clean', findingsTotal: 0 })
    await client().repositories.allow({ repository: repositoryName, hash, reason: 'a branch of tests' })
    await client().runs.approve({ runId: halted?.id ?? '', reason: 'secrets-found' })
    const [run] = await rig.ended(halted === undefined ? [] : [halted])
    expect(run?.status).toBe('succeeded')
    await client().repositories.disallow({ repository: repositoryName, hash })
    await client().plans.remove({ plan: 'topic' })
  })

  it('S2.24 another form of the tree is searched anew; a scan that is asked for looks at everything', async () => {
    await client().repositories.change({
      repository: repositoryName,
      settings: { ...(await settingsOf()), largeFiles: 'fetch' },
    })
    await rig.remote.commit({ 'other.txt': 'harmless too\n' })
    await client().repositories.refresh({ repository: repositoryName })
    const report = await client().repositories.scan({ repository: repositoryName })
    expect(report).toMatchObject({ status: 'clean', scope: { kind: 'full' }, filesScanned: 2 })
    expect(report.tool).toContain('large files')
  })

  it('S2.23 S2.26 switched off it is said so; without blocking the sync goes on and findings are shown', async () => {
    const settings = await settingsOf()
    const scan = { ...settings.scan, blockOnSecrets: false }
    await client().repositories.change({ repository: repositoryName, settings: { ...settings, scan } })
    await rig.remote.commit({ 'conf/cloud.env': `AWS_ACCESS_KEY_ID=${secret}\n` })
    expect((await rig.ended((await rig.sync()).runs))[0]?.status).toBe('succeeded')
    expect(await findings()).toMatchObject({ status: 'findings', findings: [{ allowed: false }] })
    await client().repositories.change({
      repository: repositoryName,
      settings: { ...settings, scan: { ...scan, enabled: false } },
    })
    const [off] = await rig.ended((await rig.sync({ force: true })).runs)
    expect(off?.status).toBe('succeeded')
    const log = await client().runs.log({ runId: off?.id ?? '' })
    expect(Buffer.from(log.base64, 'base64').toString('utf8')).toContain('not asked for')
  })

  it('S2.25 a scanner that cannot search blocks', async () => {
    const settings = await settingsOf()
    const scan = {
      ...settings.scan,
      enabled: true,
      blockOnSecrets: true,
      tool: 'gitleaks' as const,
      configPath: '/nowhere/gitleaks.toml',
    }
    await client().repositories.change({ repository: repositoryName, settings: { ...settings, scan } })
    const [run] = await rig.ended((await rig.sync()).runs)
    expect(run?.status).toBe('failed')
    expect(['SCAN_FAILED', 'PROGRAM_MISSING', 'SOURCE_MISSING']).toContain(run?.failure?.code)
    expect((await findings())?.status).toBe('failed')
  })
})

describe('S2.11 the token', () => {
  it('S2.11 lies sealed in the database alone: no file, log, event or answer holds it', async () => {
    const before = await settingsOf()
    const login = { kind: 'token' as const, user: 'git' }
    const changed = { ...before, remote: 'https://127.0.0.1:9/nobody.git', login }
    await client().repositories.change({ repository: repositoryName, settings: changed, token })
    const refused = await client()
      .repositories.refresh({ repository: repositoryName })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'REPOSITORY_UNREACHABLE' })
    expect(JSON.stringify([refused, String(refused)])).not.toContain(token)
    await client().repositories.change({ repository: repositoryName, settings: before, token })
    const encodings = [token, Buffer.from(token).toString('base64').replace(/=+$/, ''), encodeURIComponent(token)]
    for (const text of new Set(encodings)) {
      expect(await holding(text)).toEqual([])
      expect(rig.test.logLines.filter((line) => line.includes(text))).toEqual([])
      expect(JSON.stringify(await eventsSoFar()).includes(text)).toBe(false)
    }
    expect((await client().repositories.get({ repository: repositoryName })).hasToken).toBe(true)
    const answers = [await client().repositories.list(), await client().audit.list({ limit: 500 })]
    expect(JSON.stringify(answers)).not.toContain(token)
  })

  it('S2.11 it is for one server: another one is not shown it, whatever way the remote takes there', async () => {
    const before = await settingsOf()
    const change = (remote: string | null, more: object = {}, given: { token?: string | null } = {}) =>
      client().repositories.change({ repository: repositoryName, settings: { ...before, remote, ...more }, ...given })
    const refusal = { code: 'INVALID_INPUT', data: { data: { field: 'token' } } }
    const login = { kind: 'token' as const, user: 'git' }
    await change('https://git.example/a.git', { login }, { token })
    await expect(change('https://evil.example/a.git', { login })).rejects.toMatchObject(refusal)
    await expect(change('https://git.example:8443/a.git', { login })).rejects.toMatchObject(refusal)
    // Not by two steps either: the token stays in the vault while it is not used.
    await expect(change('https://evil.example/a.git', { login: { kind: 'none' } })).rejects.toMatchObject(refusal)
    await expect(change('file:///srv/a')).rejects.toMatchObject(refusal)
    const moved = await change('https://GIT.example/b.git', { login })
    expect(moved).toMatchObject({ hasToken: true, settings: { remote: 'https://GIT.example/b.git' } })
    const checkout = { kind: 'here' as const, directory: '/srv/checkout' }
    await expect(change(null, { login, checkout }, { token })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect((await change('https://other.example/a.git', { login }, { token })).hasToken).toBe(true)
    expect((await change(before.remote, {}, { token })).hasToken).toBe(true)
  })

  it('S2.11 absent keeps it, null takes it away, and a restart keeps what there is', async () => {
    const settings = await settingsOf()
    const kept = await client().repositories.change({ repository: repositoryName, settings })
    expect(kept.hasToken).toBe(true)
    rig.test = await rig.test.restart()
    expect((await client().repositories.get({ repository: repositoryName })).hasToken).toBe(true)
    const gone = await client().repositories.change({ repository: repositoryName, settings, token: null })
    expect(gone.hasToken).toBe(false)
    await client().plans.remove({ plan: planName })
  })
})
