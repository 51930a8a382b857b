import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAgentAccess } from '../../../src/engine/fleet/agentAccess.ts'
import { AgentContacts } from '../../../src/engine/fleet/agentContacts.ts'
import { createAgentRuns } from '../../../src/engine/runs/agentRuns.ts'
import { createAgentWatch } from '../../../src/engine/scheduler/agentWatch.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { agentApiPaths, HeartbeatRequest } from '../../../src/shared/agentApi/index.ts'
import type { Agent } from '../../../src/shared/model/agent.ts'
import { AgentId } from '../../../src/shared/model/ids.ts'
import { aNode } from '../../fakes/aNode.ts'
import { inState } from '../../fakes/anAgentRun.ts'
import {
  aHeartbeat,
  aSpec,
  type EnrolledAgent,
  type GatewayRig,
  registerRun,
  startGateway,
} from '../../support/gatewayRig.ts'

const config = { errorAfterFailures: 3, certificate: { lifetimeSeconds: 3_600 } } as never
const scheduled = { ...aSpec, schedule: '*/5 * * * *' }
const quiet = createLogging({ level: 'fatal', sinks: [] }).logger

describe('heartbeats', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeEach(async () => {
    rig = await startGateway()
    agent = await rig.enroll('vm-1')
  })

  afterEach(() => rig.dispose())

  const beat = (overrides: Record<string, unknown> = {}) =>
    rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: aHeartbeat(overrides) })

  it('make agent, node and plan what the agent says, and answer with time, roots and whether to renew', async () => {
    const lock = { pid: 7, startTime: '2026-01-07T09:31:12Z', hostname: 'h', runId: 'k', standing: 'ours' }
    const answer = await beat({
      version: '0.1.7',
      lock,
      spooledReports: 3,
      sentAt: Date.now() + 90_000,
      spec: scheduled,
    })
    expect(answer.body).toMatchObject({ renewClientCertificate: false, roots: await rig.roots() })
    const known = await rig.agent('vm-1')
    expect(known).toMatchObject({ version: '0.1.7', lock, spooledReports: 3, lastSeenFrom: '127.0.0.1' })
    expect(Math.abs((known.clockSkewMs ?? 0) - 90_000)).toBeLessThan(10_000)
    const node = await rig.store.getNode(agent.nodeId)
    expect(node).toMatchObject({ locked: true, reachability: { status: 'reachable', clockSkewMs: known.clockSkewMs } })
    expect(await rig.store.findPlanByName('vm-1 to storage.internal')).toMatchObject({ spec: scheduled })
  })

  it('that say nothing new write nothing but once a minute, and when they came is known exactly', async () => {
    await beat()
    const head = await rig.store.headSeq()
    for (let count = 0; count < 10; count += 1) await beat()
    expect(await rig.store.headSeq()).toBe(head)
    rig.clock.shiftMs = 30_000
    await beat({ sentAt: Date.now() + 30_000 })
    expect(await rig.store.headSeq()).toBe(head)
    expect((await rig.agent('vm-1')).lastSeenAt).toBeGreaterThan(Date.now() + 29_000)
    rig.clock.shiftMs = 61_000
    await beat({ sentAt: Date.now() + 61_000 })
    expect(await rig.store.headSeq()).toBe(head + 1)
  })

  it('of an agent whose node was renamed follow the new name, with their plan', async () => {
    await beat()
    await rig.store.transact(async (transaction) => {
      const node = await transaction.getNode(agent.nodeId)
      if (node !== null) await transaction.saveNode({ ...node, name: 'web-9' })
    })
    await beat()
    expect((await rig.agent('web-9')).name).toBe('web-9')
    const [plan] = await rig.store.listPlans()
    expect(plan).toMatchObject({ name: 'web-9 to storage.internal', revision: 1 })
    expect((await rig.store.getNode(agent.nodeId))?.plans).toMatchObject([{ planId: plan?.id }])
  })

  it('ask for a new client certificate at two thirds of its life', async () => {
    expect((await beat()).body.renewClientCertificate).toBe(false)
    rig.clock.shiftMs = 5 * 86_400_000
    expect((await beat()).body.renewClientCertificate).toBe(true)
  })

  it('10,000 agents with a heartbeat each keep memory and event log bounded', async () => {
    const { store, clock, pki } = rig
    const contacts = new AgentContacts()
    const access = createAgentAccess({ store, clock, x509: pki.x509, authority: pki.authority, contacts, config })
    const known = await rig.agent('vm-1')
    const many = Array.from({ length: 10_000 }, (_, index): Agent => {
      const suffix = String(index).padStart(12, '0')
      const nodeId = aNode({ id: `01900000-0000-7000-8001-${suffix}` }).id
      return { ...known, id: AgentId.parse(`01900000-0000-7000-8002-${suffix}`), nodeId, name: `many-${index}` }
    })
    await store.transact(async (transaction) => {
      for (const { id, nodeId, name, ...rest } of many) {
        await transaction.saveNode(aNode({ id: nodeId, name, transport: 'poll' }))
        await transaction.saveAgent({ ...rest, id, nodeId, name })
      }
    })
    await contacts.load(store)
    const request = HeartbeatRequest.parse(aHeartbeat())
    const speak = async (id: AgentId): Promise<void> => {
      const current = await store.getAgent(id)
      if (current !== null) await access.heartbeat(current, { ...request, sentAt: clock.nowMs() }, '127.0.0.1')
    }
    const spoken = async (): Promise<void> => {
      for (let from = 0; from < many.length; from += 500)
        await Promise.all(many.slice(from, from + 500).map(({ id }) => speak(id)))
    }
    await spoken()
    const head = await store.headSeq()
    const before = process.memoryUsage().heapUsed
    await spoken()
    // Nothing that was said is new, so nothing was written; and a number for each agent is all that is kept.
    expect(await store.headSeq()).toBe(head)
    expect(contacts.count).toBe(10_001)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(128 * 1024 * 1024)
  }, 120_000)
})

describe('silence', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent
  let contacts: AgentContacts
  let listening: boolean
  let watch: ReturnType<typeof createAgentWatch>

  beforeEach(async () => {
    rig = await startGateway()
    agent = await rig.enroll('vm-1')
    listening = true
    contacts = new AgentContacts()
    const { store, logs, clock } = rig
    watch = createAgentWatch({
      store,
      clock,
      contacts,
      gateway: { status: async () => ({ ...(await rig.side.gateway.status()), listening }) },
      runs: createAgentRuns({ store, logs, clock, ids: createIdSource(clock), config }),
      logger: quiet,
    })
    await beat()
    await contacts.load(store)
    await watch.look()
  })

  afterEach(() => rig.dispose())

  const beat = async (): Promise<void> => {
    await rig.call('POST', agentApiPaths.heartbeat, {
      identity: agent,
      body: aHeartbeat({ sentAt: rig.clock.nowMs(), spec: scheduled }),
    })
    contacts.heard(agent.agentId, rig.clock.nowMs())
  }
  /** In steps, as a machine that does not sleep sees time pass. */
  const pass = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed += 20) {
      rig.clock.shiftMs += 20_000
      await watch.look()
    }
  }
  const node = () => rig.store.getNode(agent.nodeId)

  it('of three heartbeats makes the node unreachable with the time it began; the next one brings it back', async () => {
    await pass(100)
    expect((await node())?.reachability.status).toBe('reachable')
    await pass(40)
    const silent = await node()
    expect(silent?.reachability).toMatchObject({ status: 'unreachable', diagnosis: { code: 'AGENT_SILENT' } })
    expect(JSON.stringify(silent?.reachability)).toContain('vm-1 is silent since 20')
    const head = await rig.store.headSeq()
    await pass(60)
    expect(await rig.store.headSeq()).toBe(head)
    await beat()
    expect((await node())?.reachability.status).toBe('reachable')
  })

  it('interrupts the attempt of a running run, which stays open under its id and goes on when the agent is back', async () => {
    const run = await registerRun(rig, agent, 'key-of-run-1')
    const startedAt = Date.now()
    const report = (sequence: number) =>
      rig.call('PUT', agentApiPaths.state(run.id), {
        identity: agent,
        body: { sequence, run: inState('PUSH_SYNC', startedAt) },
      })
    await report(1)
    contacts.heard(agent.agentId, rig.clock.nowMs())
    await pass(140)
    expect(await rig.store.getRun(run.id)).toMatchObject({ status: 'running', attempts: [{ status: 'interrupted' }] })
    await report(2)
    expect(await rig.store.getRun(run.id)).toMatchObject({ status: 'running', attempts: [{ status: 'running' }] })
    expect((await node())?.reachability.status).toBe('reachable')
  })

  it('of an agent about one run, while it speaks otherwise, ends the run as lost; one that is reported on is not', async () => {
    const [lost, waiting] = [
      await registerRun(rig, agent, 'key-of-run-1'),
      await registerRun(rig, agent, 'key-of-run-2'),
    ]
    const { store } = rig
    const report = (sequence: number) =>
      rig.call('PUT', agentApiPaths.state(waiting.id), {
        identity: agent,
        body: {
          sequence,
          run: inState('PUSH_SYNC', Date.now(), { status: 'queued', notBefore: rig.clock.nowMs() + 3_600_000 }),
        },
      })
    await report(1)
    for (let minute = 0; minute < 11; minute += 1) {
      await beat()
      await pass(60)
    }
    expect(await store.getRun(lost.id)).toMatchObject({ status: 'failed', failure: { short: 'run was lost' } })
    expect((await store.getRun(waiting.id))?.status).toBe('queued')
    expect((await node())?.activeRunId).toBeNull()
    expect(
      (
        await rig.call('PUT', agentApiPaths.state(lost.id), {
          identity: agent,
          body: { sequence: 9, run: inState('VERIFY', Date.now()) },
        })
      ).body.sequence,
    ).toBe(9)
    expect((await store.getRun(lost.id))?.status).toBe('failed')
  })

  it('says nothing while agents could not reach us: gateway off, or this machine asleep', async () => {
    listening = false
    await pass(300)
    listening = true
    await pass(100)
    expect((await node())?.reachability.status).toBe('reachable')
    await beat()
    rig.clock.shiftMs += 8 * 3_600_000
    await watch.look()
    await pass(100)
    expect((await node())?.reachability.status).toBe('reachable')
    await pass(40)
    expect((await node())?.reachability.status).toBe('unreachable')
  })

  it('of an agent that something else starts, and that has nothing to do, means nothing', async () => {
    await rig.call('POST', agentApiPaths.heartbeat, {
      identity: agent,
      body: aHeartbeat({ sentAt: rig.clock.nowMs() }),
    })
    await pass(300)
    expect((await node())?.reachability.status).toBe('reachable')
  })
})
