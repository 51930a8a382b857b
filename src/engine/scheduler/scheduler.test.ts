import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aDiagnosis } from '../../../test/fakes/aRun.ts'
import { createManualClock, type ManualClock } from '../../../test/fakes/manualClock.ts'
import { waitFor } from '../../../test/support/waitFor.ts'
import { assignPlans } from '../../core/fleet/assignment.ts'
import { createIdSource } from '../../platform/ids.ts'
import { createLogging } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import { BatchId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { Plan } from '../../shared/model/plan.ts'
import type { PushRequest } from '../runs/dependencies.ts'
import { openStore, type SqliteStore } from '../store/index.ts'
import { needsSync, nextDueMs } from './reconcile.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'

const hourMs = 3_600_000
const plan = Plan.parse({
  id: '01900000-0000-7000-8000-0000000000aa',
  name: 'site',
  kind: 'tree',
  selector: '*',
  spec: { push: { source: '/a', target: '/b' } },
  revision: 1,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
})

describe('the scheduler', () => {
  let directory: string
  let store: SqliteStore
  let clock: ManualClock
  let pushed: PushRequest[]
  let signingFails: boolean
  let answering: Set<string>
  let loggedIn: string[]
  let scheduler: Scheduler

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-scheduler-'))
    clock = createManualClock()
    store = await openStore({ databaseFile: ':memory:', backupsDirectory: directory, clock })
    pushed = []
    signingFails = false
    answering = new Set()
    loggedIn = []
    scheduler = make()
    await store.transact((transaction) => transaction.savePlan(plan))
    await save(aNode())
  })

  afterEach(async () => {
    await scheduler.stop()
    await store.close()
    await rm(directory, { recursive: true })
  })

  const save = (node: FleetNode): Promise<void> =>
    store.transact((transaction) => transaction.saveNode(assignPlans(node, [plan])))

  function make({ reconcileIntervalMs = hourMs } = {}): Scheduler {
    return createScheduler({
      store,
      clock,
      ids: createIdSource(clock),
      identities: {
        ensureMany: async () => {
          if (signingFails) throw new AppError('VAULT_LOCKED', 'the vault is locked')
          return []
        },
      },
      sshPool: {
        login: async (node) => {
          loggedIn.push(node.name)
          if (answering.has(node.name))
            return { nodeId: node.id, certificateSerial: '1', staticKey: null, at: clock.nowMs(), clockSkewMs: 0 }
          throw new AppError('CONNECTION_REFUSED', 'refused', {
            data: { diagnosis: aDiagnosis({ code: 'CONNECTION_REFUSED' }) },
          })
        },
      },
      runs: {
        push: async (request) => {
          pushed.push(request)
          return { batchId: BatchId.parse('01900000-0000-7000-8000-0000000000bb'), runs: [] }
        },
      },
      config: { reconcileIntervalMs, unreachableProbeIntervalMs: 30_000 },
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
    })
  }

  const cycles = (): PushRequest[] => pushed.filter((request) => request.targets.kind === 'all')
  const cyclesAre = (count: number): Promise<unknown> =>
    waitFor(
      `${count} cycles`,
      async () =>
        cycles().length >= count && Number(await store.getSetting('reconcile.lastAt')) === scheduler.times().lastAt,
    )

  it('S1.35 S1.38 begins at the start and every interval after, with every plan and all nodes', async () => {
    await scheduler.start()
    await cyclesAre(1)
    expect(cycles()[0]).toMatchObject({ plans: [], targets: { kind: 'all' }, trigger: 'reconcile' })
    for (let passed = 0; passed < hourMs; passed += 30_000) clock.advance(30_000)
    await cyclesAre(2)
    expect(scheduler.times().lastAt).toBe(clock.nowMs())
    expect(new Set(cycles().map((request) => request.idempotencyKey)).size).toBe(cycles().length)
  })

  it('S1.35 a restart within the interval starts no cycle of its own', async () => {
    await scheduler.start()
    await cyclesAre(1)
    await scheduler.stop()
    clock.advance(60_000)
    scheduler = make()
    await scheduler.start()
    expect(scheduler.times().nextAt).toBe(clock.nowMs() - 60_000 + hourMs)
    expect(cycles()).toHaveLength(1)
  })

  it('S1.40 after a sleep of many intervals it catches up once, never a storm', async () => {
    await scheduler.start()
    await cyclesAre(1)
    clock.jumpWallClock(clock.nowMs() + 10 * hourMs)
    clock.advance(30_000)
    await cyclesAre(2)
    clock.advance(30_000)
    scheduler.wake()
    expect(cycles()).toHaveLength(2)
  })

  it('S1.40 however often it is woken, and whoever asks meanwhile, a sleep is caught up by one cycle', async () => {
    await scheduler.start()
    await cyclesAre(1)
    clock.jumpWallClock(clock.nowMs() + 100 * hourMs)
    for (let wake = 0; wake < 20; wake += 1) scheduler.wake()
    await cyclesAre(2)
    for (let wake = 0; wake < 20; wake += 1) scheduler.wake()
    clock.advance(60_000)
    await scheduler.stop()
    expect(cycles()).toHaveLength(2)
  })

  it('S1.35 a clock that is set back by days goes on at the usual pace: no cycle at once, the next within an hour', async () => {
    await scheduler.start()
    await cyclesAre(1)
    clock.jumpWallClock(clock.nowMs() - 100 * hourMs)
    for (let wake = 0; wake < 20; wake += 1) scheduler.wake()
    expect(cycles()).toHaveLength(1)
    expect(scheduler.times().nextAt).toBeLessThanOrEqual(clock.nowMs() + hourMs)
    for (let passed = 0; passed <= hourMs; passed += 30_000) clock.advance(30_000)
    await cyclesAre(2)
    await scheduler.stop()
    expect(cycles()).toHaveLength(2)
  })

  it('S1.36 S1.85 the interval is what the settings say, such as four hours for a large fleet', async () => {
    await scheduler.stop()
    scheduler = make({ reconcileIntervalMs: 4 * hourMs })
    await scheduler.start()
    await cyclesAre(1)
    for (let passed = 0; passed < 4 * hourMs - 30_000; passed += 30_000) clock.advance(30_000)
    expect(cycles()).toHaveLength(1)
    clock.advance(30_000)
    await cyclesAre(2)
  })

  it('S1.40 a clock that was set back does not put the next cycle off for longer than an interval', () => {
    expect(nextDueMs(10 * hourMs, 0, hourMs)).toBe(hourMs)
    expect(nextDueMs(5, 10, hourMs)).toBe(5)
  })

  it('S1.39 requests during a cycle share one more cycle', async () => {
    await scheduler.start()
    await cyclesAre(1)
    await Promise.all([
      scheduler.reconcileNow(),
      scheduler.reconcileNow(),
      scheduler.reconcileNow(),
      scheduler.reconcileNow(),
    ])
    expect(cycles()).toHaveLength(3)
  })

  it('S1.40 a shut vault starts no run that could only fail, and is tried again soon', async () => {
    signingFails = true
    await scheduler.start()
    await waitFor('the failed cycle', () => (scheduler.times().nextAt ?? 0) <= clock.nowMs() + 30_000)
    expect(cycles()).toEqual([])
    signingFails = false
    clock.advance(30_000)
    await cyclesAre(1)
  })

  it('S1.7 a node that answers again and is not in step gets a run; one that is stays alone', async () => {
    const unreachable = {
      status: 'unreachable',
      since: 0,
      checkedAt: 0,
      diagnosis: aDiagnosis({ code: 'CONNECTION_REFUSED' }),
    }
    await save(aNode({ reachability: unreachable }))
    await scheduler.start()
    await cyclesAre(1)
    const [node] = await store.listNodes()
    expect(node?.reachability.status).toBe('unreachable')
    answering.add('node-01')
    clock.advance(30_000)
    await waitFor('the run of the node', () => pushed.some((request) => request.targets.kind === 'ready'))
    expect((await store.listNodes())[0]?.reachability.status).toBe('reachable')
    clock.advance(30_000)
    await scheduler.stop()
    expect(pushed.filter((request) => request.targets.kind === 'ready')).toHaveLength(1)
  })

  it('S1.7 S1.72 S1.78 a hundred nodes that hang take no login, and the one that is back waits for none of them', async () => {
    const hanging = await listen(() => undefined)
    const greeting = await listen((socket) => socket.end('SSH-2.0-Test\r\n'))
    const diagnosis = aDiagnosis({ code: 'CONNECTION_TIMED_OUT' })
    const away = { reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis } }
    for (let index = 0; index < 100; index += 1) {
      const id = `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`
      await save(aNode({ ...away, id, name: `a-hanging-${index}`, port: hanging.port }))
    }
    const id = '01900000-0000-7000-8000-00000000ffff'
    await save(aNode({ ...away, id, name: 'z-back', port: greeting.port }))
    answering.add('z-back')
    await scheduler.start()
    await waitFor('the run of the node', () => pushed.some(({ targets }) => targets.kind === 'ready'))
    await scheduler.stop()
    expect(pushed.find(({ targets }) => targets.kind === 'ready')?.targets).toEqual({ kind: 'ready', nodeIds: [id] })
    expect(loggedIn).toEqual(['z-back'])
    await Promise.all([hanging.close(), greeting.close()])
  })

  it('S1.7 a node that one run could not reach and another one did gets the run it missed', async () => {
    const reachable = { status: 'reachable', since: 0, checkedAt: 0, clockSkewMs: 0 }
    const missed = { reachability: reachable, statusReason: aDiagnosis({ code: 'CONNECTION_REFUSED' }) }
    await scheduler.start()
    await cyclesAre(1)
    await save(aNode({ ...missed, maintenance: true }))
    clock.advance(30_000)
    await save(aNode({ reachability: reachable, statusReason: aDiagnosis({ code: 'TRANSFER_FAILED' }) }))
    clock.advance(30_000)
    await save(aNode(missed))
    clock.advance(30_000)
    const ofNode = () => pushed.filter((request) => request.targets.kind === 'ready')
    await waitFor('the run of the node', () => ofNode().length > 0)
    await scheduler.stop()
    expect(ofNode()).toMatchObject([{ trigger: 'reconcile' }])
  })

  it('S1.38 nodes in maintenance are left alone', async () => {
    await save(aNode({ maintenance: true }))
    expect(await scheduler.reconcileNow()).toEqual({ runs: 0 })
    expect(pushed).toEqual([])
  })
})

async function listen(greet: (socket: Socket) => void): Promise<{ readonly port: number; close(): Promise<void> }> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    greet(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

describe('needing a sync', () => {
  const observed = { revision: 1, digest: 'b'.repeat(64), verifiedAt: 1, runId: '01900000-0000-7000-8000-0000000000cc' }
  const state = { planId: plan.id, planName: 'site', desiredRevision: 1, observed, driftSince: null, lastRunId: null }

  it.each([
    ['all was read back', { status: 'active', plans: [state] }, false],
    ['the revision is old', { status: 'active', plans: [{ ...state, desiredRevision: 2 }] }, true],
    ['nothing was ever verified', { status: 'active', plans: [{ ...state, observed: null }] }, true],
    ['it has drifted', { status: 'active', plans: [{ ...state, driftSince: 1 }] }, true],
    ['the last cycle failed', { status: 'pending_sync', plans: [state] }, true],
    ['a person is asked', { status: 'pending_sync', plans: [state], haltedRunId: observed.runId }, false],
    ['no plan selects it', { status: 'pending_sync', plans: [] }, false],
  ] as const)('when %s', (_when, overrides, expected) => expect(needsSync(aNode(overrides))).toBe(expected))
})
