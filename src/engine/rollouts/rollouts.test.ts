import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aDiagnosis } from '../../../test/fakes/aRun.ts'
import { createManualClock, type ManualClock } from '../../../test/fakes/manualClock.ts'
import { waitFor } from '../../../test/support/waitFor.ts'
import { assignPlans } from '../../core/fleet/assignment.ts'
import { createIdSource, type IdSource } from '../../platform/ids.ts'
import { createLogging } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import { IdempotencyKey, type RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { Plan } from '../../shared/model/plan.ts'
import { type Rollout, RolloutSettings } from '../../shared/model/rollout.ts'
import { isFinal, type Run, type RunStatus } from '../../shared/model/run.ts'
import type { Rollouts } from '../ports.ts'
import type { PushRequest } from '../runs/dependencies.ts'
import { registerRuns } from '../runs/registration.ts'
import { withdrawRuns } from '../runs/withdrawal.ts'
import { openStore, type SqliteStore } from '../store/index.ts'
import { createRollouts } from './rollouts.ts'

const hostsPlan = Plan.parse({
  id: '01900000-0000-7000-8000-0000000000aa',
  name: 'hosts',
  kind: 'hosts',
  selector: '*',
  spec: { hosts: { domain: 'home.example' } },
  revision: 1,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
})
const nameOf = (index: number): string => `node-${String(index).padStart(4, '0')}`
const idOf = (index: number): string => `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`
const keyOf = (text: string): IdempotencyKey => IdempotencyKey.parse(`key-of-${text}`)

describe('rollouts', () => {
  let directory: string
  let store: SqliteStore
  let clock: ManualClock
  let ids: IdSource
  let rollouts: Rollouts
  let pushed: PushRequest[]
  let pushFails: boolean
  let kept: Rollout[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-rollouts-'))
    clock = createManualClock()
    ids = createIdSource(clock)
    store = await openStore({ databaseFile: ':memory:', backupsDirectory: directory, clock })
    pushed = []
    pushFails = false
    kept = []
    store.onCommitted((events) => {
      for (const { change } of events) if (change.kind === 'rollout.saved') kept.push(change.rollout)
    })
    rollouts = make()
    await store.transact((transaction) => transaction.savePlan(hostsPlan))
  })
  afterEach(async () => {
    await rollouts.stop()
    await store.close()
    await rm(directory, { recursive: true })
  })

  /** Over runs that are registered as always, and end when the test says so. */
  function make(): Rollouts {
    return createRollouts({
      store,
      clock,
      ids,
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      runs: {
        push: async (request) => {
          if (pushFails) throw new AppError('LOCAL_DISK_FULL', 'the disk is full')
          pushed.push(request)
          return registerRuns({ store, clock, ids }, request)
        },
        withdraw: (runIds, by) => withdrawRuns({ store, clock }, runIds, by),
        cancel: async (runId) => endRun(runId, 'canceled'),
      },
    })
  }

  async function fleet(many: number, over: (index: number) => Partial<Record<keyof FleetNode, unknown>> = () => ({})) {
    const plans = await store.listPlans()
    await store.transact(async (transaction) => {
      for (let index = 0; index < many; index += 1)
        await transaction.saveNode(assignPlans(aNode({ id: idOf(index), name: nameOf(index), ...over(index) }), plans))
    })
  }

  /** What saving a registry does: a revision, and with it a new revision of what is delivered. */
  async function change(): Promise<number> {
    const number = await store.transact(async (transaction) => {
      const [newest] = await transaction.listRevisions('services', { limit: 1 })
      const next = (newest?.number ?? 0) + 1
      await transaction.insertRevision({
        revision: {
          registry: 'services',
          number: next,
          digest: 'b'.repeat(64),
          author: 'editor@here',
          at: clock.nowMs(),
          comment: '',
          source: { kind: 'console' },
          entries: 0,
        },
        text: '{}',
      })
      const plan = { ...((await transaction.getPlan(hostsPlan.id)) as Plan), revision: next + 1 }
      await transaction.savePlan(plan)
      for (const node of await transaction.listNodes()) await transaction.saveNode(assignPlans(node, [plan]))
      return next
    })
    await rollouts.registryChanged({ registry: 'services', revision: number, planIds: [hostsPlan.id] })
    return number
  }

  const settings = (over: object): Promise<RolloutSettings> =>
    rollouts.setSettings(RolloutSettings.parse(over), 'tester@here')
  const all = (): Promise<Rollout[]> => rollouts.list({ limit: 100 })
  const newest = async (): Promise<Rollout> => {
    const [rollout] = await all()
    if (rollout === undefined) throw new Error('there is no rollout')
    return rollout
  }
  const openRuns = async (): Promise<Run[]> => (await store.listOpenRuns()).filter(({ status }) => status === 'queued')
  const statusIs = (status: Rollout['status'], of: () => Promise<Rollout> = newest) =>
    waitFor(`a rollout that is ${status}`, async () => {
      const rollout = await of()
      if (rollout.status === status) return rollout
      throw new Error(JSON.stringify({ ...rollout, nodes: rollout.nodes.length }))
    })
  const nodesOpenAre = (names: readonly string[]) =>
    waitFor(`runs of ${names.join(' ')}`, async () => {
      const open = (await openRuns()).map(({ nodeName }) => nodeName).sort()
      if (open.join() === [...names].sort().join()) return true
      throw new Error(open.join())
    })

  /** The end of a run as the machine commits it, with what was read back. */
  async function endRun(runId: RunId, status: RunStatus, failure = aDiagnosis()): Promise<Run> {
    return store.transact(async (transaction) => {
      const run = (await transaction.getRun(runId)) as Run
      if (isFinal(run.status)) return run
      const node = await transaction.getNode(run.nodeId)
      const plan = (await transaction.getPlan(run.planId)) as Plan
      const observed = { revision: plan.revision, digest: 'c'.repeat(64), verifiedAt: clock.nowMs(), runId }
      if (node !== null && status === 'succeeded')
        await transaction.saveNode({
          ...node,
          status: 'active',
          plans: node.plans.map((state) => ({ ...state, observed })),
        })
      return transaction.saveRun({ ...run, status, failure: status === 'failed' ? failure : null })
    })
  }
  async function endAll(status: RunStatus = 'succeeded', which: (run: Run) => boolean = () => true): Promise<void> {
    for (const run of (await openRuns()).filter(which)) await endRun(run.id, status)
  }

  it('S1.12 S1.28 S1.32 a change of the registry goes to every node that lacks it, and ends when all have it', async () => {
    await fleet(3)
    const revision = await change()
    const begun = await statusIs('running')
    expect(begun).toMatchObject({
      cause: { kind: 'registry', registry: 'services', revision },
      requestedBy: 'editor@here',
      started: 3,
      plans: [{ planName: 'hosts', planRevision: 2 }],
    })
    const runs = await openRuns()
    expect(runs.map(({ rolloutId, trigger }) => [rolloutId, trigger])).toEqual(runs.map(() => [begun.id, 'registry']))
    expect(pushed).toHaveLength(1)
    await endAll()
    const finished = await statusIs('finished')
    expect(finished.counts).toEqual({ succeeded: 3, failed: 0, unreachable: 0, canceled: 0 })
    expect(finished.finishedAt).not.toBeNull()
    expect((await rollouts.get(finished.id)).runs.map(({ status }) => status)).toEqual(Array(3).fill('succeeded'))
  })

  it('S1F.1 the canaries go first; the rest follows when they have succeeded', async () => {
    await fleet(4)
    await settings({ canary: { kind: 'count', count: 1 }, maxParallel: 2 })
    await change()
    await nodesOpenAre([nameOf(0)])
    await endAll()
    await nodesOpenAre([nameOf(1), nameOf(2)])
    await endAll('succeeded', ({ nodeName }) => nodeName === nameOf(1))
    await nodesOpenAre([nameOf(2), nameOf(3)])
    await endAll()
    expect((await statusIs('finished')).counts.succeeded).toBe(4)
  })

  it('S1F.1 a failed canary stops it; nothing more is started until a person goes on', async () => {
    await fleet(3)
    await settings({ canary: { kind: 'count', count: 1 } })
    await change()
    await endAll('failed')
    const stopped = await statusIs('stopped')
    expect(await openRuns()).toEqual([])
    await rollouts.resume(stopped.id, 'tester@here')
    await nodesOpenAre([nameOf(1), nameOf(2)])
    await endAll()
    expect((await statusIs('finished')).counts).toMatchObject({ succeeded: 2, failed: 1 })
    const audit = (await store.listAudit({ limit: 10 })).map(({ action }) => action)
    expect(audit).toContain('rollout.resumed')
  })

  it('S1.72 S1.78 a node that did not answer last time holds nobody, is no canary, and waits for its return', async () => {
    const diagnosis = aDiagnosis({ code: 'CONNECTION_TIMED_OUT' })
    const reachability = { status: 'unreachable', since: 0, checkedAt: 0, diagnosis }
    await fleet(3, (index) => (index === 0 ? { reachability } : {}))
    await settings({ canary: { kind: 'count', count: 1 } })
    await change()
    await nodesOpenAre([nameOf(1)])
    await endAll()
    await nodesOpenAre([nameOf(2)])
    await endAll()
    expect((await statusIs('finished')).counts).toMatchObject({ succeeded: 2, unreachable: 1, failed: 0 })
  })

  it('S1.72 a run that met nobody is no failure of its rollout', async () => {
    await fleet(2)
    await settings({ failureLimit: { kind: 'count', count: 1 } })
    await change()
    for (const run of await openRuns()) await endRun(run.id, 'failed', aDiagnosis({ code: 'NODE_UNREACHABLE' }))
    expect((await statusIs('finished')).counts).toMatchObject({ unreachable: 2, failed: 0 })
  })

  it('S1.28 S1.34 a burst of 50 saves makes a few rollouts, and the last one wins', async () => {
    await fleet(20)
    for (let save = 0; save < 50; save += 1) {
      await change()
      clock.advance(10)
    }
    clock.advance(5_000)
    await waitFor('the last one', async () => {
      const { cause } = await newest()
      return cause.kind === 'registry' && cause.revision === 50
    })
    const every = await all()
    expect(every.length).toBeLessThanOrEqual(4)
    expect(every.filter(({ status }) => status === 'running')).toHaveLength(1)
    await endAll()
    await statusIs('finished')
    const nodes = await store.listNodes()
    expect(nodes.map(({ plans }) => plans[0]?.observed?.revision)).toEqual(nodes.map(() => 51))
  })

  it('S1.28 S1F.6 a newer change takes over: what runs ends, what waits is withdrawn, who has it is left alone', async () => {
    await fleet(3)
    await change()
    const older = await statusIs('running')
    const [first, second] = await openRuns()
    await store.transact((transaction) =>
      transaction.saveRun({ ...(first as Run), status: 'running', attempts: anAttempt }),
    )
    // Read when the run began, so it was the newest already.
    const luckyNode = (second as Run).nodeId
    await change().then(() => clock.advance(5_000))
    await waitFor('the newer one', async () => (await newest()).id !== older.id)
    const newer = await newest()
    const runs = await store.listRuns({ rolloutId: older.id, limit: 10 })
    expect(runs.map(({ status }) => status).sort()).toEqual(['canceled', 'canceled', 'running'])
    expect(await rollouts.get(older.id)).toMatchObject({ rollout: { status: 'superseded', supersededBy: newer.id } })
    await endRun((first as Run).id, 'succeeded')
    await endAll('succeeded', ({ nodeId }) => nodeId === luckyNode)
    await endAll()
    await statusIs('finished')
    const ended = (await rollouts.get(older.id)).rollout
    expect(ended).toMatchObject({ status: 'superseded', counts: { succeeded: 1, canceled: 2 } })
    expect(ended.finishedAt).not.toBeNull()
  })

  it('S1.28 a node that has the newest revision by luck when its turn comes gets no run', async () => {
    await fleet(2)
    await settings({ maxParallel: 1 })
    await change()
    const { id } = await statusIs('running')
    const lucky = (await store.listNodes())[1] as FleetNode
    const observed = { revision: 2, digest: 'c'.repeat(64), verifiedAt: 1, runId: (await openRuns())[0]?.id }
    await store.transact((transaction) =>
      transaction.saveNode({ ...lucky, plans: lucky.plans.map((state) => ({ ...state, observed })) } as FleetNode),
    )
    await endAll()
    expect((await statusIs('finished')).counts.succeeded).toBe(2)
    expect(await store.listRuns({ rolloutId: id, limit: 10 })).toHaveLength(1)
  })

  it('S1.28 what a person has paused stays paused when a newer change takes over', async () => {
    await fleet(3)
    await settings({ maxParallel: 1 })
    await change()
    const { id } = await statusIs('running')
    await rollouts.pause(id, 'tester@here')
    await endAll()
    await change()
    const newer = await waitFor('the newer one', async () => ((await newest()).id === id ? null : newest()))
    expect(newer).toMatchObject({ status: 'paused', started: 0 })
    expect(await openRuns()).toEqual([])
    await rollouts.resume(newer.id, 'tester@here')
    await nodesOpenAre([nameOf(0)])
  })

  it('S1F.1 an abort starts nothing more and cancels what is worked on', async () => {
    await fleet(3)
    await settings({ maxParallel: 2 })
    await change()
    const { id } = await statusIs('running')
    await rollouts.abort(id, 'tester@here')
    await waitFor('the end', async () => (await newest()).finishedAt !== null)
    expect(await newest()).toMatchObject({ status: 'aborted', started: 2, counts: { canceled: 2 } })
    await expect(rollouts.resume(id, 'tester@here')).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
    expect((await rollouts.abort(id, 'tester@here')).status).toBe('aborted')
  })

  it('S1.38 S1F.1 reconcile brings nobody what a rollout holds back', async () => {
    await fleet(3)
    await settings({ canary: { kind: 'count', count: 1 } })
    await change()
    await endAll('failed')
    await statusIs('stopped')
    const reconcile = (key: string) =>
      registerRuns(
        { store, clock, ids },
        {
          idempotencyKey: keyOf(key),
          plans: [],
          targets: { kind: 'all' },
          trigger: 'reconcile',
          requestedBy: 'engine',
        },
      )
    expect((await reconcile('first')).runs.map(({ nodeName }) => nodeName)).toEqual([nameOf(0)])
    await rollouts.abort((await newest()).id, 'tester@here')
    expect((await reconcile('second')).runs.map(({ nodeName }) => nodeName)).toEqual([nameOf(1), nameOf(2)])
  })

  it('S1F.1 a rollout of a person is the same one when asked for again, and another question is refused', async () => {
    await fleet(3)
    const order = {
      idempotencyKey: keyOf('begin'),
      plans: [],
      targets: { kind: 'all' },
      settings: RolloutSettings.parse({}),
      requestedBy: 'tester@here',
    } as const
    const [one, other] = await Promise.all([rollouts.begin(order), rollouts.begin(order)])
    expect(other.id).toBe(one.id)
    expect(await openRuns()).toHaveLength(3)
    await expect(rollouts.begin({ ...order, plans: ['hosts'] })).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(
      rollouts.begin({ ...order, idempotencyKey: keyOf('other'), targets: { kind: 'filter', filter: 'kind:laptop' } }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('S1F.1 failed nodes are tried again in a rollout of their own', async () => {
    await fleet(3)
    await settings({ failureLimit: null })
    await change()
    const { id } = await statusIs('running')
    await endAll('failed', ({ nodeName }) => nodeName === nameOf(1))
    await endAll()
    await statusIs('finished')
    const again = await rollouts.retryFailed(id, keyOf('again'), 'tester@here')
    expect(again).toMatchObject({ cause: { kind: 'failed-of', rolloutId: id }, nodes: [idOf(1)] })
    expect((await rollouts.retryFailed(id, keyOf('again'), 'tester@here')).id).toBe(again.id)
    await endAll()
    await statusIs('finished')
    await expect(rollouts.retryFailed(again.id, keyOf('third'), 'tester@here')).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    })
  })

  it('S1.28 a change that was saved and not told of goes out at the next start', async () => {
    await fleet(2)
    await rollouts.stop()
    await change()
    expect(await all()).toEqual([])
    rollouts = make()
    await rollouts.start()
    expect((await newest()).cause).toMatchObject({ kind: 'registry', revision: 1 })
    await endAll()
    await statusIs('finished')
    await rollouts.stop()
    rollouts = make()
    await rollouts.start()
    expect(await all()).toHaveLength(1)
  })

  it('S1F.1 after a crash it goes on where its runs say, with no node twice', async () => {
    await fleet(5)
    await settings({ maxParallel: 2 })
    await change()
    await statusIs('running')
    await endAll('succeeded', ({ nodeName }) => nodeName === nameOf(0))
    await nodesOpenAre([nameOf(1), nameOf(2)])
    const [keptOfIt] = await store.listRollouts({ limit: 1 })
    await rollouts.stop()
    // As after kill -9: the row is older than the runs, and a run has ended that nobody heard of.
    await store.transact((transaction) => transaction.saveRollout({ ...(keptOfIt as Rollout), started: 2 }))
    await endAll('succeeded', ({ nodeName }) => nodeName === nameOf(1))
    rollouts = make()
    await rollouts.start()
    await nodesOpenAre([nameOf(2), nameOf(3)])
    await waitFor('the end', async () => {
      await endAll()
      return (await newest()).status === 'finished'
    })
    const runs = await store.listRuns({ limit: 100 })
    expect(runs.map(({ nodeName }) => nodeName).sort()).toEqual([0, 1, 2, 3, 4].map(nameOf))
    expect((await newest()).counts.succeeded).toBe(5)
  })

  it('S1F.1 when runs cannot be registered now, it is tried again', async () => {
    await fleet(2)
    pushFails = true
    await change()
    expect(await openRuns()).toEqual([])
    pushFails = false
    clock.advance(5_000)
    await nodesOpenAre([nameOf(0), nameOf(1)])
    await endAll()
    expect((await statusIs('finished')).counts.succeeded).toBe(2)
  })

  it('S1F.1 a rollout to 1,000 nodes is kept a few times, not once for each node', async () => {
    await fleet(1_000)
    await change()
    await statusIs('running')
    kept.length = 0
    for (const run of await openRuns()) {
      await endRun(run.id, 'succeeded')
      clock.advance(2)
    }
    await statusIs('finished')
    expect(kept.length).toBeLessThanOrEqual(4)
    expect(kept.at(-1)).toMatchObject({ status: 'finished', counts: { succeeded: 1_000 } })
  })
})

const anAttempt: Run['attempts'] = [{ number: 1, status: 'running', startedAt: 0, finishedAt: null, diagnosis: null }]
