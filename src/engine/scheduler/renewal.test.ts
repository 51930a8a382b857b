import { mkdtemp, rm } from 'node:fs/promises'
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
import type { Authority } from '../../shared/model/certificate.ts'
import { BatchId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { Plan } from '../../shared/model/plan.ts'
import type { PushRequest } from '../runs/dependencies.ts'
import { openStore, type SqliteStore } from '../store/index.ts'
import { createRenewalLoop, type RenewalLoop } from './renewal.ts'

const hourMs = 3_600_000
const hostPlan = Plan.parse({
  id: '01900000-0000-7000-8000-0000000000aa',
  name: 'host certificates',
  kind: 'host-certificate',
  selector: 'not name:other',
  spec: {},
  revision: 1,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
})

describe('renewal in daily life', () => {
  let directory: string
  let store: SqliteStore
  let clock: ManualClock
  let renewed: string[][]
  let pushed: PushRequest[]
  let failure: AppError | null
  let tries: number
  let userAuthority: Pick<Authority, 'fingerprint' | 'rotation'>
  let otherIssuer: boolean
  let loop: RenewalLoop

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-renewal-'))
    clock = createManualClock()
    store = await openStore({ databaseFile: ':memory:', backupsDirectory: directory, clock })
    renewed = []
    pushed = []
    failure = null
    tries = 0
    otherIssuer = false
    userAuthority = { fingerprint: 'SHA256:user', rotation: null }
    loop = make()
    loop.start()
  })
  afterEach(async () => {
    await loop.stop()
    await store.close()
    await rm(directory, { recursive: true })
  })

  const life = (leftMs: number, authorityFingerprint = 'SHA256:user') => ({
    serial: '1',
    authorityFingerprint,
    validAfter: clock.nowMs() + leftMs - 16 * hourMs,
    validBefore: clock.nowMs() + leftMs,
  })
  const save = (node: FleetNode): Promise<void> => store.transact((transaction) => transaction.saveNode(node))
  const saveWith = (name: string, leftMs: number, over: Partial<Record<keyof FleetNode, unknown>> = {}) => {
    const id = `01900000-0000-7000-8000-${Buffer.from(name).toString('hex').padStart(12, '0').slice(-12)}`
    return save(aNode({ id, name, certificate: { ...life(leftMs), acceptedAt: 1 }, ...over }))
  }

  function make(): RenewalLoop {
    return createRenewalLoop({
      store,
      clock,
      ids: createIdSource(clock),
      identities: { current: () => null },
      authorities: {
        list: async () => {
          const common = { publicKey: '', createdAt: 0, sealedBy: '', validBefore: null }
          return [
            { ...common, kind: 'ssh-user', ...userAuthority },
            { ...common, kind: 'ssh-host', fingerprint: 'SHA256:host', rotation: null },
          ]
        },
      },
      otherIssuerActive: async () => otherIssuer,
      renew: async (nodes) => {
        tries += 1
        if (failure !== null) throw failure
        renewed.push(nodes.map(({ name }) => name).sort())
        for (const node of nodes)
          await save({ ...node, certificate: { ...life(16 * hourMs, userAuthority.fingerprint), acceptedAt: null } })
        return nodes.map(() => ({ accepted: true }))
      },
      runs: {
        push: async (request) => {
          pushed.push(request)
          return { batchId: BatchId.parse('01900000-0000-7000-8000-0000000000bb'), runs: [] }
        },
      },
      config: { certificate: { minValidSeconds: 3600 } },
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      random: () => 1,
    })
  }
  /** Half-minutes of ordinary time, each with everything that follows from it. */
  const pass = async (ticks: number): Promise<void> => {
    for (let tick = 0; tick < ticks; tick += 1) {
      clock.advance(30_000)
      await loop.runOnce().catch(() => undefined)
    }
  }

  it('S0.38 F51 renews all that are due in one batch, and leaves the others and those it cannot reach', async () => {
    const diagnosis = aDiagnosis({ code: 'CONNECTION_REFUSED' })
    await saveWith('due-1', hourMs / 2)
    await saveWith('due-2', -hourMs)
    await saveWith('fresh', 10 * hourMs)
    await saveWith('busy', hourMs / 2, { maintenance: true })
    await saveWith('polls', hourMs / 2, { transport: 'poll' })
    await saveWith('lost', -1, { reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis } })
    await saveWith('new', hourMs, { certificate: null })
    await pass(3)
    expect(renewed).toEqual([['due-1', 'due-2']])
  })

  it('U8 after the machine slept over the end of all certificates, one tick renews them', async () => {
    await saveWith('one', 10 * hourMs)
    await pass(1)
    expect(renewed).toEqual([])
    clock.jumpWallClock(clock.nowMs() + 40 * hourMs)
    clock.advance(30_000)
    await waitFor('the renewal', () => renewed.length > 0)
    expect(renewed).toEqual([['one']])
  })

  it('U8 a wake-up does not wait for the tick', async () => {
    await saveWith('one', hourMs / 2)
    loop.wake()
    await waitFor('the renewal', () => renewed.length > 0)
  })

  it('S0.38 while the authority is away it is asked less and less, ten minutes apart at most', async () => {
    await saveWith('one', hourMs / 2)
    failure = new AppError('AUTHORITY_UNREACHABLE', 'the step-ca is away')
    /** One half-minute; stopping waits for what the tick has begun. */
    const tick = async (): Promise<void> => {
      clock.advance(30_000)
      await loop.stop()
      loop.start()
    }
    const seen: number[] = []
    for (let count = 0; count < 120; count += 1) {
      const before = tries
      await tick()
      if (tries > before) seen.push(count)
    }
    const pauses = seen.slice(1).map((count, index) => count - (seen[index] ?? 0))
    expect(pauses.slice(0, 4)).toEqual([1, 2, 4, 8])
    expect(Math.max(...pauses)).toBe(20)
    failure = null
    for (let count = 0; count < 20 && renewed.length === 0; count += 1) await tick()
    expect(renewed).toEqual([['one']])
  })

  it('F55 when another authority signs, every node gets its certificate, once; not while a step-ca signs', async () => {
    await saveWith('one', 10 * hourMs)
    await saveWith('two', 10 * hourMs)
    const rotation = {
      phase: 'trust' as const,
      startedAt: 0,
      startedBy: 'ann',
      phaseStartedAt: 0,
      oldFingerprint: 'SHA256:user',
      newFingerprint: 'SHA256:new',
    }
    userAuthority = { fingerprint: 'SHA256:user', rotation }
    await pass(1)
    expect(renewed).toEqual([])
    userAuthority = { fingerprint: 'SHA256:new', rotation: { ...rotation, phase: 'sign' } }
    otherIssuer = true
    await pass(1)
    expect(renewed).toEqual([])
    otherIssuer = false
    await pass(3)
    expect(renewed).toEqual([['one', 'two']])
    userAuthority = { fingerprint: 'SHA256:user', rotation: { ...rotation, phase: 'rollback' } }
    await pass(2)
    expect(renewed).toHaveLength(2)
  })

  it('F54 host certificates get a run at two thirds of their life, one for all that are due, and not again every tick', async () => {
    const host = (leftHours: number, authorityFingerprint = 'SHA256:host') => ({
      serial: '1',
      authorityFingerprint,
      validAfter: clock.nowMs() - (30 * 24 - leftHours) * hourMs,
      validBefore: clock.nowMs() + leftHours * hourMs,
      verifiedAt: 1,
    })
    await store.transact((transaction) => transaction.savePlan(hostPlan))
    const certificates = { one: host(24 * 9), two: host(24 * 25, 'SHA256:older'), fresh: host(24 * 25), other: host(1) }
    for (const [name, hostCertificate] of Object.entries(certificates))
      await saveWith(name, 12 * hourMs, { hostCertificate })
    for (const node of await store.listNodes()) await save(assignPlans(node, [hostPlan]))
    await pass(10)
    expect(pushed).toHaveLength(1)
    const names = new Map((await store.listNodes()).map(({ id, name }) => [id as string, name]))
    const { targets, plans, trigger } = pushed[0] as PushRequest
    expect({ plans, trigger }).toEqual({ plans: [hostPlan.id], trigger: 'reconcile' })
    expect(targets.kind === 'nodes' ? targets.nodes.map((id) => names.get(id)).sort() : []).toEqual(['one', 'two'])
    await pass(20)
    expect(pushed).toHaveLength(2)
  })
})
