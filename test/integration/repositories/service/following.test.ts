import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refreshMadePlans } from '../../../../src/engine/fleet/madePlans.ts'
import { createPlanService } from '../../../../src/engine/fleet/planService.ts'
import type { Store } from '../../../../src/engine/ports.ts'
import { createDeliveries } from '../../../../src/engine/repositories/deliveries.ts'
import { createFetching } from '../../../../src/engine/repositories/fetching.ts'
import type { RepositoryParts } from '../../../../src/engine/repositories/parts.ts'
import { createPoller } from '../../../../src/engine/repositories/poller.ts'
import { createRepositoryService } from '../../../../src/engine/repositories/repositoryService.ts'
import { createScans } from '../../../../src/engine/repositories/scans.ts'
import { createRepositorySecrets } from '../../../../src/engine/repositories/secrets.ts'
import { wantedDigest } from '../../../../src/engine/repositories/wanted.ts'
import { registerRuns } from '../../../../src/engine/runs/registration.ts'
import { openStore, type SqliteStore } from '../../../../src/engine/store/index.ts'
import { createIdSource, type IdSource } from '../../../../src/platform/ids.ts'
import { createLogging } from '../../../../src/platform/logger.ts'
import { AppError } from '../../../../src/shared/errors.ts'
import { PlanInput } from '../../../../src/shared/model/plan.ts'
import { type Repository, RepositoryInput } from '../../../../src/shared/model/repository.ts'
import { aNode } from '../../../fakes/aNode.ts'
import { commitOf, createFakeMirrors, createFakeScanner, type FakeMirrors } from '../../../fakes/fakeMirrors.ts'
import { createManualClock, type ManualClock } from '../../../fakes/manualClock.ts'
import { dyingStore } from '../../../support/dyingStore.ts'
import { waitFor } from '../../../support/waitFor.ts'
import { newKey } from './rig.ts'

/*
 * Fetches, plans and runs over a real database, with a remote that does as a test says: what is asked when, and what is
 * left when a process dies between any two commits.
 */

let directory: string
let clock: ManualClock
let ids: IdSource
let store: SqliteStore
let mirrors: FakeMirrors
let stops: (() => Promise<void>)[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-following-'))
  clock = createManualClock()
  ids = createIdSource(clock)
  store = await openStore({
    databaseFile: join(directory, 'db.sqlite'),
    backupsDirectory: join(directory, 'backups'),
    clock,
  })
  mirrors = createFakeMirrors()
  listed = []
  stops = []
})
afterEach(async () => {
  for (const stop of stops) await stop()
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const { logger } = createLogging({ level: 'error', sinks: [] })

/** What was listed ahead. */
let listed: { readonly directory: string; readonly excludes: readonly string[] }[]

/** The parts of one process. */
function open(over: Store = store) {
  const parts: RepositoryParts = {
    store: over,
    clock,
    ids,
    logger,
    mirrors,
    scanner: createFakeScanner(),
    secrets: createRepositorySecrets(over, {
      seal: () => Promise.reject(new AppError('VAULT_LOCKED', 'locked')),
      unseal: () => Promise.reject(new AppError('VAULT_LOCKED', 'locked')),
    }),
  }
  const contentDigest: Parameters<typeof createPlanService>[0]['contentDigest'] = (reader, plan) =>
    plan.kind === 'repository' ? wantedDigest(plan, reader) : Promise.resolve('other')
  const refreshPlans: Parameters<typeof createFetching>[0]['refreshPlans'] = (transaction) =>
    refreshMadePlans(transaction, ['repository'], { contentDigest, nowMs: clock.nowMs() })
  const plans = createPlanService({ store: over, clock, ids, contentDigest })
  const beginRuns: Parameters<typeof createPoller>[0]['beginRuns'] = (request) => registerRuns(parts, request)
  const fetching = createFetching({
    ...parts,
    refreshPlans,
    listTree: async (directory, excludes) => void listed.push({ directory, excludes }),
  })
  const poller = createPoller({ ...parts, fetching, beginRuns })
  const service = createRepositoryService({
    ...parts,
    fetching,
    scans: createScans(parts),
    refreshPlans,
    onSettings: () => void poller.settingsChanged(),
  })
  const deliveries = createDeliveries({ ...parts, fetching, beginRuns, applyPlan: plans.applyIn })
  const stop = async (): Promise<void> => void (await Promise.all([poller.stop(), fetching.stop()]))
  stops.push(stop)
  return { fetching, poller, service, deliveries, plans, stop }
}

/** What is, once so much time has passed. */
const passed = <T>(elapsedMs: number, look: () => T): T => {
  clock.advance(elapsedMs)
  return look()
}

const settings = (changes: object = {}) =>
  RepositoryInput.parse({ name: 'project', remote: 'https://git.example/project.git', ...changes })

async function seed(changes: object = { pollIntervalSeconds: 60 }): Promise<Repository> {
  const { service, plans, stop } = open()
  const repository = await service.add(settings(changes), null, 'tester@here')
  await plans.apply(
    [PlanInput.parse({ name: 'bring', kind: 'repository', selector: '*', spec: { repository: 'project' } })],
    'tester@here',
  )
  await store.transact((transaction) => transaction.saveNode(aNode()))
  const [plan] = await store.listPlans()
  if (plan === undefined) throw new Error('no plan')
  // Saved as an operator does, so that the node follows the plan.
  await plans.apply([PlanInput.parse({ ...(await inputOf('bring')), selector: 'kind:vps' })], 'tester@here')
  await stop()
  return repository
}

async function inputOf(name: string): Promise<object> {
  const plan = await store.findPlanByName(name)
  if (plan === null) throw new Error(`no plan ${name}`)
  const { kind, selector, spec } = plan
  return { name, kind, selector, spec }
}

const runs = () => store.listRuns({ limit: 100 })
const desired = async () => (await store.listNodes())[0]?.plans[0]?.desiredRevision

describe('S2.13 a fetch', () => {
  it('lays out and lists what a plan wants before anybody asks for it, and fails for nobody when that fails', async () => {
    await seed({ pollIntervalSeconds: null })
    const { fetching } = open()
    const repository = await store.findRepositoryByName('project')
    if (repository === null) throw new Error('no repository')
    await fetching.fetch(repository.id, { force: false })
    await waitFor('the listing', () => listed.length === 1)
    expect(listed[0]?.excludes).toEqual(['/.sync_rev', '.git', '__pycache__', '.vscode'])
    expect(mirrors.snapshots).toEqual([{ commit: mirrors.head, dotGit: false }])
    await waitFor('the snapshot to be let go', () => mirrors.held === 0)
    mirrors.snapshotFailure = new AppError('LOCAL_DISK_FULL', 'no space')
    await fetching.fetch(repository.id, { force: false })
    await waitFor('the second try', () => mirrors.snapshots.length === 2)
    expect((await store.findRepositoryByName('project'))?.state.diagnosis).toBeNull()
  })
})

describe('S2.10 S2.13 the poller', () => {
  it('S2.10 asks at once what was never asked, then at each interval, and begins runs for what changed only', async () => {
    await seed()
    const { poller } = open()
    await poller.start()
    await waitFor('the first look', () => passed(0, () => mirrors.fetches.length === 1))
    const [begun] = await waitFor('a run', async () => ((await runs()).length === 1 ? runs() : null))
    expect(begun).toMatchObject({ trigger: 'repository', requestedBy: 'repository project', status: 'queued' })
    expect(begun?.planRevision).toBe(await desired())

    await waitFor('the second look', () => passed(30_000, () => mirrors.fetches.length === 2))
    const before = begun?.createdAt ?? 0
    await waitFor('it to be kept', async () => ((await store.listRepositories())[0]?.state.fetchedAt ?? 0) > before)
    expect(await runs()).toHaveLength(1)
    expect(mirrors.fetches.every(({ force }) => !force)).toBe(true)
  })

  it('S2.10 a remote that does not answer is asked again, and what it had stays', async () => {
    const { id } = await seed()
    const { poller } = open()
    mirrors.failure = new AppError('REPOSITORY_UNREACHABLE', 'Nobody answers at git.example.')
    await poller.start()
    const failed = await waitFor('the failure', async () => {
      clock.advance(0)
      const now = await store.getRepository(id)
      return now?.state.diagnosis === null ? null : now
    })
    expect(failed?.state).toMatchObject({ heads: {}, fetchedAt: null, diagnosis: { transient: true } })
    mirrors.failure = null
    await waitFor('the next look', async () => {
      clock.advance(30_000)
      return (await store.getRepository(id))?.state.diagnosis === null
    })
    expect((await store.getRepository(id))?.state.heads).toEqual({ main: mirrors.head })
  })

  it('S2.10 after a sleep it asks at once; stopped in the middle of a look it keeps nothing', async () => {
    const { id } = await seed()
    const first = open()
    await first.poller.start()
    await waitFor('the first look', () => passed(0, () => mirrors.fetches.length === 1))
    await waitFor('it to be kept', async () => (await store.getRepository(id))?.state.fetchedAt !== null)
    const before = await store.getRepository(id)
    mirrors.head = commitOf('2')
    let reached = (): void => undefined
    const inFetch = new Promise<void>((resolve) => (reached = resolve))
    let goOn = (): void => undefined
    mirrors.meanwhile = () => {
      reached()
      return new Promise<void>((resolve) => (goOn = resolve))
    }
    first.poller.wake()
    await inFetch
    const stopped = first.stop()
    goOn()
    await stopped
    expect(await store.getRepository(id)).toEqual(before)
    expect(clock.pendingTimerCount).toBe(0)
  })

  it('S2.10 what is not followed any more is not asked any more', async () => {
    await seed()
    const { poller, service } = open()
    await poller.start()
    await waitFor('the first look', () => passed(0, () => mirrors.fetches.length === 1))
    await service.change('project', { settings: settings({ pollIntervalSeconds: null }) }, 'tester@here')
    await poller.settingsChanged()
    clock.advance(600_000)
    await poller.stop()
    expect(mirrors.fetches).toHaveLength(1)
  })
})

describe('S2.14 one fetch for many', () => {
  it('S2.14 who asks before it has begun shares it; who asks later gets one that begins later', async () => {
    const { id } = await seed({})
    const { fetching } = open()
    let reached = (): void => undefined
    const inFetch = new Promise<void>((resolve) => (reached = resolve))
    let goOn = (): void => undefined
    mirrors.meanwhile = () => {
      reached()
      return new Promise<void>((resolve) => (goOn = resolve))
    }
    const together = [fetching.fetch(id, { force: false }), fetching.fetch(id, { force: false })]
    await inFetch
    mirrors.head = commitOf('2')
    mirrors.meanwhile = null
    const later = [fetching.fetch(id, { force: false }), fetching.fetch(id, { force: false })]
    goOn()
    const heads = (await Promise.all([...together, ...later])).map(({ repository }) => repository.state.heads.main)
    expect(heads).toEqual([commitOf('1'), commitOf('1'), commitOf('2'), commitOf('2')])
    expect(mirrors.fetches).toHaveLength(2)
  })

  it('S2.2 settings that change while git works: what came from the other remote is not kept', async () => {
    const { id } = await seed({})
    const { fetching, service } = open()
    mirrors.meanwhile = async () => {
      mirrors.meanwhile = null
      await service.change('project', { settings: settings({ remote: 'https://git.example/other.git' }) }, 'tester')
      mirrors.head = commitOf('3')
    }
    const { repository } = await fetching.fetch(id, { force: false })
    expect(repository.settings.remote).toBe('https://git.example/other.git')
    expect(repository.state.heads).toEqual({ main: commitOf('3') })
    expect(mirrors.fetches).toHaveLength(2)
  })

  it('S2.11 a fetch that fails because its settings were changed begins again with the new ones', async () => {
    const { id } = await seed({})
    const { fetching, service } = open()
    mirrors.meanwhile = async () => {
      mirrors.meanwhile = async () => {
        mirrors.failure = null
      }
      await service.change('project', { settings: settings({ remote: 'https://git.example/other.git' }) }, 'tester')
      mirrors.failure = new AppError('CONFLICT', 'the remote was changed')
    }
    const { repository } = await fetching.fetch(id, { force: false })
    expect(repository.state).toMatchObject({ diagnosis: null, heads: { main: mirrors.head } })
    expect(mirrors.fetches).toHaveLength(2)
  })

  it('S2.2 a repository that is removed meanwhile does not come back', async () => {
    const { id } = await seed({})
    const { fetching, service, plans } = open()
    mirrors.meanwhile = async () => {
      await plans.remove('bring', 'tester')
      await service.remove('project', 'tester')
    }
    await expect(fetching.fetch(id, { force: false })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await store.listRepositories()).toEqual([])
  })
})

describe('S2.9 a process that dies between two commits', () => {
  for (const moment of ['before', 'after'] as const)
    for (const commit of [1, 2, 3])
      it(`S2.9 a look: killed ${moment} its commit ${commit}, the next process begins one run of the right revision`, async () => {
        await seed()
        const dying = dyingStore(store, commit, moment)
        const dead = open(dying.store)
        await dead.poller.start()
        await waitFor('its death', () => passed(0, () => dying.isDead()))
        await dead.stop()
        const left = await store.listRepositories()
        // Heads and the plans that follow them are kept together, or neither is.
        const wanted = left[0]?.state.heads.main === undefined ? 2 : 3
        expect(await desired()).toBe(wanted)

        const { poller } = open()
        await poller.start()
        poller.wake()
        const begun = await waitFor('a run', async () => ((await runs()).length > 0 ? runs() : null))
        await waitFor('nothing to be noted', async () =>
          [null, '', '[]'].includes(await store.getSetting(`repository.due.${left[0]?.id ?? ''}`)),
        )
        expect(await runs()).toHaveLength(1)
        expect(begun[0]?.planRevision).toBe(3)
        expect(await desired()).toBe(3)
      })

  for (const moment of ['before', 'after'] as const)
    for (const commit of [1, 2, 3])
      it(`S2.12 a sync: killed ${moment} its commit ${commit}, the same key makes the same runs once`, async () => {
        await seed({})
        const order = {
          idempotencyKey: newKey('crash'),
          repository: 'project',
          plans: [],
          targets: { kind: 'all' as const },
          force: false,
        }
        const dying = dyingStore(store, commit, moment)
        const died = open(dying.store).deliveries.sync(order, 'tester@here')
        await expect(died).rejects.toThrow('this process was killed')
        const before = await store.listRuns({ limit: 10 })
        mirrors.head = commitOf('2')
        const { deliveries } = open()
        const first = await deliveries.sync(order, 'tester@here')
        const again = await deliveries.sync(order, 'tester@here')
        expect(again).toEqual(first)
        expect(await runs()).toHaveLength(1)
        if (before.length > 0) expect(first.runs.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
        expect(first.runs[0]?.trigger).toBe('operator')
      })
})
