import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../../support/waitFor.ts'
import { createServiceRig, newKey, planName, repositoryName, type ServiceRig } from './rig.ts'

let rig: ServiceRig
let first: string
let second: string

const client = () => rig.test.client
const auditOf = async (action: string) =>
  (await client().audit.list({ limit: 200 })).filter((entry) => entry.action === action)
const nameOf = (index: number): string => rig.nodeNames[index] ?? ''

beforeAll(async () => {
  rig = await createServiceRig(2)
  first = await rig.remote.commit({ 'readme.txt': 'one\n', 'lib/a.txt': 'a\n' }, 'the first one')
}, 120_000)
afterAll(() => rig.dispose())

describe('a repository is registered', () => {
  it('S2.2 S2.18 nothing is fetched until somebody asks; then heads and commits are known', async () => {
    await rig.addRepository()
    const added = await client().repositories.get({ repository: repositoryName })
    expect(added.state).toEqual({ heads: {}, fetchedAt: null, diagnosis: null, warnings: [] })
    const fetched = await client().repositories.refresh({ repository: repositoryName })
    expect(fetched.state.heads).toEqual({ main: first })
    expect(fetched.state.fetchedAt).not.toBeNull()
    const [commit] = await client().repositories.commits({ repository: repositoryName })
    expect(commit).toMatchObject({ commit: first, subject: 'the first one', author: 'A Person', refs: ['main'] })
    expect(await client().repositories.list()).toHaveLength(1)
    expect(await auditOf('repository.add')).toHaveLength(1)
  })

  it('a second one of the same name, and a plan of a repository that is not there, are refused', async () => {
    await expect(rig.addRepository()).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(rig.addPlan({ repository: 'projet' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      data: { data: { field: 'spec.repository' } },
    })
    await expect(rig.addPlan({ target: '/opt/th_timmy' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      data: { data: { field: 'spec.target' } },
    })
  })

  it('a sync without a plan says what is missing', async () => {
    await expect(rig.sync()).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
    await rig.addPlan({ ref: { kind: 'tag', name: 'never' } })
    await expect(rig.sync()).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    await rig.addPlan()
  })
})

describe('sync', () => {
  it('S2.12 S2.13 S2.14 D16 brings the commit to every node, scanned once, with the sentinel read back', async () => {
    second = await rig.remote.commit({ 'readme.txt': 'two\n' }, 'the second one')
    const synced = await rig.sync({ key: 'sync-the-second-one' })
    expect(Object.values(synced.commits)).toEqual([second])
    const runs = await rig.ended(synced.runs)
    expect(runs.map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    expect(runs[0]?.proof?.verify).toMatchObject({ mode: 'repository', commit: second })
    for (const name of rig.nodeNames) {
      expect(await rig.read(name, 'tree/readme.txt')).toBe('two\n')
      expect(await rig.read(name, 'tree/.sync_rev')).toBe(`${second}\n`)
    }
    const report = await client().repositories.findings({ repository: repositoryName })
    expect(report).toMatchObject({ commit: second, status: 'clean', scope: { kind: 'full' } })
    expect(rig.test.logLines.filter((line) => line.includes('"msg":"scanned"'))).toHaveLength(1)
    const [row] = await auditOf('repository.sync')
    expect(row?.detail).toMatchObject({ commits: synced.commits, force: false })
  })

  it('S2.14 the same key gives the same runs and asks no remote, also when it has something newer', async () => {
    const before = await client().repositories.get({ repository: repositoryName })
    const third = await rig.remote.commit({ 'readme.txt': 'three\n' })
    const again = await rig.sync({ key: 'sync-the-second-one' })
    expect(Object.values(again.commits)).toEqual([second])
    expect(again.runs.map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    expect((await client().repositories.get({ repository: repositoryName })).state).toEqual(before.state)
    await expect(rig.sync({ key: 'sync-the-second-one', force: true })).rejects.toMatchObject({ code: 'CONFLICT' })
    const next = await rig.sync()
    expect(Object.values(next.commits)).toEqual([third])
    expect((await rig.ended(next.runs)).every(({ status }) => status === 'succeeded')).toBe(true)
  })

  it('S2.13 two at once share one fetch', async () => {
    const fetches = (): number => rig.test.logLines.filter((line) => line.includes('"msg":"fetched"')).length
    const before = fetches()
    const [left, right] = await Promise.all([rig.sync(), rig.sync()])
    expect(left.batchId).not.toBe(right.batchId)
    expect(fetches()).toBe(before + 1)
    await rig.ended([...left.runs, ...right.runs])
  })

  it('S2.12 D18 one target alone, with force: the run knows it, and the tree is sent although the node has it', async () => {
    await writeFile(rig.onNode(nameOf(0), 'tree/lib/a.txt'), 'b\n')
    const { runs } = await rig.sync({ targets: { kind: 'nodes', nodes: [nameOf(0)] }, force: true })
    expect(runs.map(({ nodeName, force }) => ({ nodeName, force }))).toEqual([{ nodeName: nameOf(0), force: true }])
    expect((await rig.ended(runs))[0]?.status).toBe('succeeded')
    expect(await rig.read(nameOf(0), 'tree/lib/a.txt')).toBe('a\n')
  })

  it('S2.12 a named node gets those plans of the repository that select it; one that no plan selects is refused', async () => {
    await rig.addPlan({ target: '~/second' }, { name: 'second', selector: `name:${nameOf(1)}` })
    const one = await rig.sync({ targets: { kind: 'nodes', nodes: [nameOf(0)] } })
    expect(one.runs.map(({ planName: name }) => name)).toEqual([planName])
    const both = await rig.sync({ targets: { kind: 'nodes', nodes: [nameOf(1)] } })
    expect(both.runs.map(({ planName: name }) => name).sort()).toEqual([planName, 'second'].sort())
    await rig.ended([...one.runs, ...both.runs])
    await expect(rig.sync({ plans: ['second'], targets: { kind: 'nodes', nodes: [nameOf(0)] } })).rejects.toMatchObject(
      { code: 'PRECONDITION_FAILED' },
    )
    await client().nodes.update({ node: nameOf(0), patch: { maintenance: true } })
    await expect(rig.sync({ targets: { kind: 'nodes', nodes: [nameOf(0)] } })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
      message: expect.stringContaining('maintenance'),
    })
    await client().nodes.update({ node: nameOf(0), patch: { maintenance: false } })
    await client().plans.remove({ plan: 'second' })
  })

  it('a plan of somebody else is refused, and nothing was fetched for it', async () => {
    await expect(rig.sync({ plans: ['nobody'] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('what lies on the nodes', () => {
  it('S2.15 S2.19 targets say what is wanted and what was read back, and how far behind a node is', async () => {
    const [before] = await client().repositories.targets({ repository: repositoryName })
    await rig.remote.commit({ 'readme.txt': 'four\n' })
    const fifth = await rig.remote.commit({ 'readme.txt': 'five\n' })
    await client().repositories.refresh({ repository: repositoryName })
    const targets = await client().repositories.targets({ repository: repositoryName })
    expect(targets).toHaveLength(2)
    expect(targets[0]).toMatchObject({ desired: fifth, observed: before?.observed, behind: 2, directory: '~/tree' })
    const node = await rig.test.node(nameOf(0))
    expect(node.plans[0]?.observed?.revision).toBeLessThan(node.plans[0]?.desiredRevision ?? 0)
  })

  it('S2.19 preview names what a sync would add, change and delete, and writes nothing', async () => {
    const name = nameOf(0)
    await writeFile(rig.onNode(name, 'tree/stray.txt'), 'stray')
    const preview = await client().repositories.preview({ plan: planName, node: name })
    expect(preview).toMatchObject({ added: [], changed: ['readme.txt'], deleted: ['stray.txt'] })
    expect(preview.totals).toEqual({ added: 0, changed: 1, deleted: 1 })
    expect(await rig.read(name, 'tree/stray.txt')).toBe('stray')
    await rm(rig.onNode(name, 'tree/stray.txt'))
    await rig.ended((await rig.sync()).runs)
    await rig.addPlan({ target: '~/elsewhere/tree' }, { name: 'elsewhere' })
    const whole = await client().repositories.preview({ plan: 'elsewhere', node: name })
    expect(whole.added.sort()).toEqual(['lib/a.txt', 'readme.txt'])
    await expect(readdir(rig.onNode(name, 'elsewhere'))).rejects.toMatchObject({ code: 'ENOENT' })
    await client().plans.remove({ plan: 'elsewhere' })
  })

  it('S2.7 S2.15 S2.16 S2.27 verify reads sentinels back; what is not as verified becomes drift', async () => {
    const commit = (await client().repositories.get({ repository: repositoryName })).state.heads.main ?? ''
    const all = await client().repositories.verify({ repository: repositoryName })
    expect(all.map(({ status, found }) => ({ status, found }))).toEqual(
      rig.nodeNames.map(() => ({ status: 'matches', found: commit })),
    )
    const [other] = await client().repositories.verify({
      repository: repositoryName,
      expected: first,
      nodes: [nameOf(1)],
    })
    expect(other).toMatchObject({ status: 'differs', expected: first, found: commit })
    expect((await rig.test.node(nameOf(1))).plans[0]?.driftSince).toBeNull()

    await writeFile(rig.onNode(nameOf(0), 'tree/.sync_rev'), `${first}\n`)
    await rm(rig.onNode(nameOf(1), 'tree/.sync_rev'))
    const drifted = await client().repositories.verify({ repository: repositoryName, plans: [planName] })
    expect(drifted.map(({ status, found }) => ({ status, found }))).toEqual([
      { status: 'differs', found: first },
      { status: 'absent', found: null },
    ])
    for (const name of rig.nodeNames)
      expect((await rig.test.node(name)).plans[0]).toMatchObject({
        driftSince: expect.any(Number),
        driftReason: { code: 'SENTINEL_MISMATCH' },
      })
    await rig.ended((await rig.sync()).runs)
    const healed = await client().repositories.verify({ repository: repositoryName })
    expect(healed.map(({ status }) => status)).toEqual(['matches', 'matches'])
    expect((await rig.test.node(nameOf(0))).plans[0]?.driftSince).toBeNull()
  })

  it('S2.15 a sentinel that cannot be read is not called absent', async () => {
    const sentinel = rig.onNode(nameOf(0), 'tree/.sync_rev')
    const text = await readFile(sentinel, 'utf8')
    await rm(sentinel)
    await mkdir(sentinel)
    const [reading] = await client().repositories.verify({ repository: repositoryName, nodes: [nameOf(0)] })
    expect(reading).toMatchObject({ status: 'unreadable', found: null })
    await rm(sentinel, { recursive: true })
    await writeFile(sentinel, text)
  })

  it('S2.15 a node that does not answer is unreadable with its cause, and the others are read', async () => {
    await client().demo.fault({ node: nameOf(0), fault: 'offline' })
    const readings = await client().repositories.verify({ repository: repositoryName })
    expect(readings.map(({ status }) => status).sort()).toEqual(['matches', 'unreadable'])
    expect(readings.find(({ status }) => status === 'unreadable')?.diagnosis?.code).toBe('CONNECTION_REFUSED')
    await client().demo.heal({ node: nameOf(0) })
  })
})

describe('deploy and roll back', () => {
  it('S2.10 S2.16 an older commit is deployed, pinned, and the same key does it once', async () => {
    const key = newKey('deploy')
    const order = { idempotencyKey: key, plan: planName, ref: { kind: 'commit' as const, commit: first } }
    const { runs } = await client().repositories.deploy(order)
    expect((await rig.ended(runs)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    expect(await rig.read(nameOf(1), 'tree/readme.txt')).toBe('one\n')
    expect((await client().repositories.deploy(order)).runs.map(({ id }) => id)).toEqual(runs.map(({ id }) => id))
    expect(await auditOf('repository.deploy')).toHaveLength(1)
    await rig.remote.commit({ 'readme.txt': 'six\n' })
    const pinned = await rig.sync()
    expect(Object.values(pinned.commits)).toEqual([first])
    await rig.ended(pinned.runs)
  })

  it('S2.10 roll back returns to what most nodes had before, by its key once', async () => {
    const previous = (await client().repositories.targets({ repository: repositoryName }))[0]?.previous ?? ''
    expect(previous).not.toBe('')
    const key = newKey('back')
    const back = await client().repositories.rollback({ idempotencyKey: key, plan: planName })
    expect(back.commit).toBe(previous)
    expect((await rig.ended(back.runs)).every(({ status }) => status === 'succeeded')).toBe(true)
    expect(await rig.read(nameOf(0), 'tree/.sync_rev')).toBe(`${previous}\n`)
    const again = await client().repositories.rollback({ idempotencyKey: key, plan: planName })
    expect(again.commit).toBe(previous)
    expect(again.runs.map(({ id }) => id)).toEqual(back.runs.map(({ id }) => id))
  })

  it('S2.10 a ref that is only at the remote is fetched; one that is nowhere changes no plan', async () => {
    await rig.remote.git('tag', 'v1', second)
    await rig.remote.git('push', '--quiet', 'origin', 'v1')
    const { runs } = await client().repositories.deploy({
      idempotencyKey: newKey('tag'),
      plan: planName,
      ref: { kind: 'tag', name: 'v1' },
    })
    await rig.ended(runs)
    expect(await rig.read(nameOf(0), 'tree/.sync_rev')).toBe(`${second}\n`)
    const before = await client().plans.get({ plan: planName })
    for (const ref of [
      { kind: 'branch' as const, name: 'nowhere' },
      { kind: 'commit' as const, commit: 'f'.repeat(40) },
    ])
      await expect(
        client().repositories.deploy({ idempotencyKey: newKey('nowhere'), plan: planName, ref }),
      ).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    expect(await client().plans.get({ plan: planName })).toEqual(before)
    await rig.addPlan()
  })
})

describe('what goes wrong', () => {
  it('S2.9 a remote that is gone is said with the repository, and what was fetched stays in force', async () => {
    const before = await client().repositories.get({ repository: repositoryName })
    const settings = { ...before.settings, remote: 'file:///nowhere/at/all.git' }
    await client().repositories.change({ repository: repositoryName, settings })
    await expect(client().repositories.refresh({ repository: repositoryName })).rejects.toMatchObject({
      code: expect.stringMatching(/^REPOSITORY_|^SOURCE_MISSING$/),
    })
    const failed = await client().repositories.get({ repository: repositoryName })
    expect(failed.state).toMatchObject({ heads: before.state.heads, fetchedAt: before.state.fetchedAt })
    expect(failed.state.diagnosis?.sentence).not.toBe('')
    await client().repositories.change({ repository: repositoryName, settings: before.settings })
    expect((await client().repositories.refresh({ repository: repositoryName })).state.diagnosis).toBeNull()
  })

  it('S2.2 a repository in use is neither removed nor renamed', async () => {
    const { settings } = await client().repositories.get({ repository: repositoryName })
    const refused = { code: 'PRECONDITION_FAILED', message: expect.stringContaining(planName) }
    await expect(client().repositories.remove({ repository: repositoryName })).rejects.toMatchObject(refused)
    await expect(
      client().repositories.change({ repository: repositoryName, settings: { ...settings, name: 'other' } }),
    ).rejects.toMatchObject(refused)
  })

  it('S2.9 a restart keeps heads, reports, allowed findings and targets', async () => {
    const ask = async () => ({
      list: await client().repositories.list(),
      targets: await client().repositories.targets({ repository: repositoryName }),
      findings: await client().repositories.findings({ repository: repositoryName }),
    })
    const before = await ask()
    rig.test = await rig.test.restart()
    expect(await ask()).toEqual(before)
    expect(before.findings).not.toBeNull()
  })

  it('S2.2 once no plan delivers from it, it goes with its mirror and its reports', async () => {
    await client().plans.remove({ plan: planName })
    const { id } = await client().repositories.remove({ repository: repositoryName })
    expect(await client().repositories.list()).toEqual([])
    await waitFor(
      'the mirror to be gone',
      async () => !(await readdir(join(rig.test.home.home, 'repositories'))).includes(id),
    )
    expect(await auditOf('repository.remove')).toHaveLength(1)
  })
})
