import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAgentRuns } from '../../../src/engine/runs/agentRuns.ts'
import { commitEvent } from '../../../src/engine/runs/commit.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { type AgentRunState, agentApiPaths } from '../../../src/shared/agentApi/index.ts'
import { AppError } from '../../../src/shared/errors.ts'
import { IdempotencyKey, type RunId } from '../../../src/shared/model/ids.ts'
import { runStates } from '../../../src/shared/model/run.ts'
import { failed, inState, succeeded } from '../../fakes/anAgentRun.ts'
import { aDiagnosis } from '../../fakes/aRun.ts'
import {
  aHeartbeat,
  aRegistration,
  aSpec,
  type EnrolledAgent,
  type GatewayRig,
  operator,
  registerRun,
  startGateway,
} from '../../support/gatewayRig.ts'

const config = { errorAfterFailures: 3 } as never

describe('registration of runs', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeEach(async () => {
    rig = await startGateway()
    agent = await rig.enroll('vm-1')
  })

  afterEach(() => rig.dispose())

  const register = (key: string, body: unknown = aRegistration(), identity = agent) =>
    rig.call('PUT', agentApiPaths.registration(key), { identity, body })

  it('S0.58 S0.59 gives a run id, with node and plan of the agent', async () => {
    const { status, body } = await register('key-of-run-1')
    expect(status).toBe(201)
    expect(body).toMatchObject({ logBytes: 0, run: { status: 'running', state: 'REGISTER_RUN', trigger: 'agent' } })
    const plan = await rig.store.findPlanByName('vm-1 to storage.internal')
    expect(plan).toMatchObject({ kind: 'agent', revision: 1, selector: 'name:"vm-1"' })
    const node = await rig.store.getNode(agent.nodeId)
    expect(node).toMatchObject({
      activeRunId: body.run.id,
      plans: [{ planId: plan?.id, desiredRevision: 1, observed: null }],
    })
    expect((await rig.agent('vm-1')).activity).toMatchObject({ status: 'running', runId: body.run.id })
  })

  it('S0.60 S0.88 the same key gives the same run: asked again, 50 times at once, and after a restart of the engine', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => register('key-of-run-1')))
    const ids = new Set(answers.map((answer) => answer.body.run.id))
    expect(ids.size).toBe(1)
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array.from({ length: 49 }, () => 200), 201])
    rig = await rig.restart()
    const again = await register('key-of-run-1')
    expect([again.status, ids.has(again.body.run.id)]).toEqual([200, true])
    expect(await rig.store.listRuns({ limit: 100 })).toHaveLength(1)
    expect(await rig.store.listPlans()).toHaveLength(1)
  })

  it('S0.60 S0.88 a registration that was cut by the end of the engine is neither lost nor doubled', async () => {
    const asked = Array.from({ length: 20 }, (_, index) =>
      register(`key-of-run-${index}`).then(
        (answer) => answer.body.run.id as string,
        () => null,
      ),
    )
    const [first] = await Promise.all([Promise.race(asked), Promise.resolve()])
    const restarted = rig.restart()
    const before = await Promise.all(asked)
    rig = await restarted
    expect(first).not.toBeNull()
    for (const [index, known] of before.entries()) {
      const { status, body } = await register(`key-of-run-${index}`)
      if (known !== null) expect([status, body.run.id]).toEqual([200, known])
      else expect([200, 201]).toContain(status)
    }
    expect(await rig.store.listRuns({ limit: 100 })).toHaveLength(20)
  })

  it('a key that another agent used is a conflict, and tells nothing about the other', async () => {
    const { body } = await register('key-of-run-1')
    const other = await rig.enroll('vm-2')
    const refused = await register('key-of-run-1', aRegistration(), other)
    expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICT'])
    expect(JSON.stringify(refused.body)).not.toMatch(new RegExp(`${body.run.id}|vm-1`))
  })

  it('a run belongs to its agent: for others there is none', async () => {
    const run = await registerRun(rig, agent, 'key-of-run-1')
    const other = await rig.enroll('vm-2')
    const state = { sequence: 1, run: inState('PUSH_SYNC', Date.now()) }
    const asked = [
      await rig.call('PUT', agentApiPaths.state(run.id), { identity: other, body: state }),
      await rig.call('PUT', `${agentApiPaths.log(run.id)}?offset=0`, { identity: other, body: Buffer.from('x') }),
      await rig.call('PUT', agentApiPaths.state('01900000-0000-7000-8000-0000000000ff'), {
        identity: agent,
        body: state,
      }),
    ]
    expect(asked.map((answer) => answer.status)).toEqual([404, 404, 404])
    expect(asked[0]?.body.error.message.replace(run.id, '')).toBe(
      asked[2]?.body.error.message.replace('01900000-0000-7000-8000-0000000000ff', ''),
    )
    expect(await rig.logs.sizeBytes(run.id)).toBe(0)
  })

  it('changed work is another revision of the plan, the same work is not, and a plan that has its name is left alone', async () => {
    await register('key-of-run-1')
    await register('key-of-run-2')
    const plan = await rig.store.findPlanByName('vm-1 to storage.internal')
    expect(plan?.revision).toBe(1)
    const { body } = await register('key-of-run-3', aRegistration({ spec: { ...aSpec, delete: true } }))
    expect(body.run.planRevision).toBe(2)
    const namesake = await rig.enroll('vm-1-to')
    await rig.store.transact(async (transaction) => {
      const node = await transaction.getNode(namesake.nodeId)
      if (node !== null) await transaction.saveNode({ ...node, name: 'VM-1' })
    })
    await register('key-of-run-4', aRegistration(), namesake)
    const plans = await rig.store.listPlans()
    expect(plans.map((each) => each.name).sort()).toEqual(['VM-1 to storage.internal', 'vm-1 to storage.internal'])
    for (const node of await rig.store.listNodes()) expect(node.plans).toHaveLength(1)
  })

  it('what was let in a moment before a revocation does nothing after it', async () => {
    const { store, logs, clock } = rig
    const known = await rig.agent('vm-1')
    await rig.side.agents.revoke('vm-1', 'stolen', operator)
    const runs = createAgentRuns({ store, logs, clock, ids: createIdSource(clock), config })
    const late = runs.register(known, IdempotencyKey.parse('key-of-run-1'), aRegistration() as never)
    await expect(late).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(await rig.store.listRuns({ limit: 1 })).toEqual([])
  })

  it('a node in maintenance registers nothing', async () => {
    await rig.store.transact(async (transaction) => {
      const node = await transaction.getNode(agent.nodeId)
      if (node !== null) await transaction.saveNode({ ...node, maintenance: true })
    })
    const refused = await register('key-of-run-1')
    expect([refused.status, refused.body.error.code]).toEqual([409, 'PRECONDITION_FAILED'])
    expect(await rig.store.listRuns({ limit: 1 })).toEqual([])
  })
})

describe('reports', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent
  let number = 0

  beforeAll(async () => {
    rig = await startGateway()
  })

  beforeEach(async () => {
    number += 1
    agent = await rig.enroll(`vm-${number}`)
  })

  afterAll(() => rig.dispose())

  const register = () => registerRun(rig, agent, `key-of-run-${number}`)
  const report = (runId: string, sequence: number, run: AgentRunState) =>
    rig.call('PUT', agentApiPaths.state(runId), { identity: agent, body: { sequence, run } })

  it('S0.76 S0.77 S0.78 times, volume and proof of a success make the node green, in one transaction', async () => {
    const run = await register()
    const startedAt = Date.now()
    for (const [index, state] of runStates.slice(3, 10).entries())
      expect((await report(run.id, index + 1, inState(state, startedAt))).body).toMatchObject({ sequence: index + 1 })
    const seen: unknown[] = []
    const stop = rig.store.onCommitted((events) => seen.push(events.map((event) => event.change.kind).sort()))
    await report(run.id, 20, succeeded(startedAt))
    stop()
    expect(seen).toEqual([['agent.saved', 'node.saved', 'run.saved']])
    const stored = await rig.store.getRun(run.id)
    expect(stored).toMatchObject({
      status: 'succeeded',
      summary: { filesTransferred: 1_000 },
      finishedAt: startedAt + 20,
    })
    expect(new Set(stored?.visits.map((visit) => visit.state)).size).toBe(10)
    const node = await rig.store.getNode(agent.nodeId)
    expect(node).toMatchObject({ status: 'active', activeRunId: null, statusReason: null })
    expect(node?.plans[0]).toMatchObject({
      observed: { revision: 1, digest: 'd'.repeat(64), runId: run.id },
      driftSince: null,
    })
    expect(await rig.agent(agent.agentId)).toMatchObject({
      activity: { status: 'idle' },
      lastRun: { status: 'succeeded' },
    })
  })

  it('an older sequence is ignored and answered with the newer, and a final run never changes again', async () => {
    const run = await register()
    const startedAt = Date.now()
    await report(run.id, 5, inState('PUSH_SYNC', startedAt))
    expect((await report(run.id, 4, inState('PRE_FLIGHT_CHECK', startedAt))).body.sequence).toBe(5)
    expect((await rig.store.getRun(run.id))?.state).toBe('PUSH_SYNC')
    await report(run.id, 6, succeeded(startedAt))
    const { body } = await report(run.id, 7, failed('VERIFY', startedAt, aDiagnosis()))
    expect(body.sequence).toBe(7)
    expect((await rig.store.getRun(run.id))?.status).toBe('succeeded')
  })

  it('S0.86 a retry is another attempt of the same run', async () => {
    const run = await register()
    const startedAt = Date.now()
    const first = inState('PUSH_SYNC', startedAt)
    await report(run.id, 1, first)
    const attempts = [
      { number: 1, status: 'failed', startedAt, finishedAt: startedAt + 10, diagnosis: aDiagnosis() },
      { number: 2, status: 'running', startedAt: startedAt + 12, finishedAt: null, diagnosis: null },
    ]
    const visits = [
      ...first.visits.map((visit) =>
        visit.outcome === 'active' ? { ...visit, outcome: 'retry', leftAt: startedAt + 10 } : visit,
      ),
      { state: 'PUSH_SYNC', attempt: 2, enteredAt: startedAt + 12, leftAt: null, outcome: 'active' },
    ]
    const again = inState('PUSH_SYNC', startedAt, { attempts, visits, tries: 2 })
    expect((await report(run.id, 2, again)).status).toBe(200)
    expect((await rig.store.getRun(run.id))?.attempts).toHaveLength(2)
    expect(await rig.store.listRuns({ nodeId: agent.nodeId, limit: 5 })).toHaveLength(1)
  })

  it.each([
    ['a success without a proof', () => succeeded(Date.now(), { proof: null }), 'without a proof'],
    [
      'a proof weaker than the plan demands',
      () => succeeded(Date.now(), { proof: { ...succeeded(0).proof, verify: { mode: 'agent', compared: 'listing' } } }),
      'compared less',
    ],
    ['a failure without a cause', () => ({ ...failed('VERIFY', Date.now(), aDiagnosis()), failure: null }), 'no cause'],
    ['a time in the far future', () => inState('PUSH_SYNC', Date.now() + 10 * 86_400_000), 'set the clock'],
  ] as const)('%s is refused with words and changes nothing', async (_what, told, words) => {
    const run = await register()
    const { status, body } = await report(run.id, 1, told() as AgentRunState)
    expect([status, body.error.code]).toEqual([400, 'INVALID_INPUT'])
    expect(body.error.message).toContain(words)
    expect(await rig.store.getRun(run.id)).toMatchObject({ status: 'running', state: 'REGISTER_RUN' })
    expect((await rig.store.getAgentRun(run.id))?.sequence).toBe(0)
  })

  it('S0.83 S0.84 a failure is shown with its cause; a storage that did not answer does not make the node unreachable', async () => {
    const run = await register()
    await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: aHeartbeat() })
    await report(run.id, 1, failed('PRE_FLIGHT_CHECK', Date.now(), aDiagnosis({ code: 'CONNECTION_REFUSED' })))
    const node = await rig.store.getNode(agent.nodeId)
    expect(node).toMatchObject({ status: 'pending_sync', statusReason: { code: 'CONNECTION_REFUSED' } })
    expect(node?.reachability.status).toBe('reachable')
  })

  it('D8 a report that comes late does not undo what a later run has said: neither to green nor from green', async () => {
    const now = Date.now()
    const begin = async (key: string, secondsAgo: number): Promise<RunId> =>
      (await registerRun(rig, agent, `${key}-${number}`, now - secondsAgo * 1_000)).id
    const [failure, early] = [await begin('failure', 20), await begin('early-success', 30)]
    const node = () => rig.store.getNode(agent.nodeId)
    await report(failure, 1, failed('VERIFY', now - 20_000, aDiagnosis({ short: 'the later one' })))
    await report(early, 1, succeeded(now - 30_000))
    expect(await rig.store.getRun(early)).toMatchObject({ status: 'succeeded' })
    expect(await node()).toMatchObject({ status: 'pending_sync', statusReason: { short: 'the later one' } })
    expect((await node())?.plans[0]?.observed).toBeNull()
    const success = await begin('success', 5)
    await report(success, 1, succeeded(now - 5_000))
    expect(await node()).toMatchObject({ status: 'active', plans: [{ observed: { runId: success } }] })
    const late = await begin('late-failure', 10)
    await report(late, 1, failed('VERIFY', now - 10_000, aDiagnosis()))
    expect(await node()).toMatchObject({ status: 'active', statusReason: null, consecutiveFailures: 0 })
  })

  it('a cancel from the console reaches the agent with its next report, and its answer ends the run', async () => {
    const run = await register()
    const startedAt = Date.now()
    await report(run.id, 1, inState('PUSH_SYNC', startedAt))
    const { clock, store, logs } = rig
    await commitEvent({ store, logs, clock, config }, run.id, { kind: 'cancelRequested', by: 'bob@desk' })
    const told = await report(
      run.id,
      2,
      inState('PUSH_SYNC', startedAt, { warnings: [{ code: 'X', message: 'x', evidence: [] }] }),
    )
    expect(told.body.cancelRequestedBy).toBe('bob@desk')
    expect((await rig.store.getRun(run.id))?.status).toBe('running')
    const visits = inState('PUSH_SYNC', startedAt).visits.map((visit) =>
      visit.outcome === 'active' ? { ...visit, outcome: 'canceled', leftAt: startedAt + 9 } : visit,
    )
    const attempts = [{ number: 1, status: 'canceled', startedAt, finishedAt: startedAt + 9, diagnosis: null }]
    await report(
      run.id,
      3,
      inState('PUSH_SYNC', startedAt, { status: 'canceled', visits, attempts, finishedAt: startedAt + 9 }),
    )
    expect(await rig.store.getRun(run.id)).toMatchObject({
      status: 'canceled',
      cancellation: { by: 'bob@desk', stopConfirmed: true },
    })
  })

  it('a report that was cut short does not take away what was told before', async () => {
    const run = await register()
    const startedAt = Date.now()
    await report(run.id, 1, inState('VERIFY', startedAt))
    const short = succeeded(startedAt)
    await report(run.id, 2, { ...short, visits: short.visits.slice(-4) })
    expect((await rig.store.getRun(run.id))?.visits.map((visit) => visit.state)).toEqual(runStates.slice(0, 10))
  })
})

describe('logs', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeEach(async () => {
    rig = await startGateway()
    agent = await rig.enroll('vm-1')
  })

  afterEach(() => rig.dispose())

  const put = (runId: string, offset: number | string, text: string | Uint8Array) =>
    rig.call('PUT', `${agentApiPaths.log(runId)}?offset=${offset}`, { identity: agent, body: Buffer.from(text) })
  const text = async (runId: RunId): Promise<string> => Buffer.from(await rig.logs.read(runId, 0, 10_000)).toString()

  it('pieces are appended in order, what is there is skipped, after a gap nothing is taken', async () => {
    const { id } = await registerRun(rig, agent, 'key-of-run-1')
    expect((await put(id, 0, 'one ')).body).toEqual({ sizeBytes: 4 })
    expect((await put(id, 0, 'one two ')).body).toEqual({ sizeBytes: 8 })
    expect((await put(id, 4, 'two')).body).toEqual({ sizeBytes: 8 })
    expect((await put(id, 100, 'gap')).body).toEqual({ sizeBytes: 8 })
    expect(await text(id)).toBe('one two ')
    for (const offset of ['-1', 'x', '1.5', ''])
      expect([offset, (await put(id, offset, 'x')).status]).toEqual([offset, 400])
    rig = await rig.restart()
    expect((await put(id, 8, 'three')).body).toEqual({ sizeBytes: 13 })
    const again = await rig.call('PUT', agentApiPaths.registration('key-of-run-1'), {
      identity: agent,
      body: aRegistration(),
    })
    expect(again.body.logBytes).toBe(13)
  })

  it('the same piece sent many times at once is there once', async () => {
    const { id } = await registerRun(rig, agent, 'key-of-run-1')
    await Promise.all(Array.from({ length: 20 }, () => put(id, 0, 'abcdefgh')))
    expect(await text(id)).toBe('abcdefgh')
  })

  it('an agent that opens runs and ends none is stopped, and all it opened end with it', async () => {
    const { store, logs, clock } = rig
    const runs = createAgentRuns({ store, logs, clock, ids: createIdSource(clock), config })
    const known = await rig.agent(agent.agentId)
    const spec = { ...aSpec, excludes: [], delete: false, verify: 'checksum', schedule: null }
    const open = (number: number): Promise<string> =>
      runs.register(known, IdempotencyKey.parse(`key-without-end-${number}`), aRegistration({ spec }) as never).then(
        () => 'open',
        (error: AppError) => error.code,
      )
    const answers: string[] = []
    for (let number = 1; number <= 260; number += 1) answers.push(await open(number))
    expect(answers.filter((answer) => answer === 'open').length).toBeLessThanOrEqual(250)
    expect(answers.at(-1)).toBe('RATE_LIMITED')
    await rig.side.agents.revoke('vm-1', 'stolen', operator)
    expect(await store.listOpenRuns()).toEqual([])
  })

  it('a log that is too long is cut with a notice, and the agent is not made to send it for ever', async () => {
    const { store, logs, clock } = rig
    const runs = createAgentRuns({ store, logs, clock, ids: createIdSource(clock), config, maxLogBytes: 10 })
    const known = await rig.agent(agent.agentId)
    const { response } = await runs.register(
      known,
      IdempotencyKey.parse('key-of-run-1'),
      aRegistration({ spec: { ...aSpec, excludes: [], delete: false, verify: 'checksum', schedule: null } }) as never,
    )
    const { id } = response.run
    const piece = (offset: number, bytes: string) => runs.appendLog(known, id, { offset, bytes: Buffer.from(bytes) })
    expect(await piece(0, '0123456789abcdef')).toEqual({ sizeBytes: 16 })
    expect((await piece(16, 'ghij')).sizeBytes).toBeGreaterThanOrEqual(20)
    expect(await text(id)).toMatch(/^0123456789\n\[lockstep: the log is larger than 10 bytes/)
  })

  it('a full disk is said with its own code, and what was sent is taken when it is sent again', async () => {
    const { id } = await registerRun(rig, agent, 'key-of-run-1')
    const { append } = rig.logs
    const { transact } = rig.store
    const full = new AppError('LOCAL_DISK_FULL', 'no space left to write the log')
    rig.logs.append = () => Promise.reject(full)
    rig.store.transact = () => Promise.reject(full)
    const refused = [
      await put(id, 0, 'text'),
      await rig.call('PUT', agentApiPaths.state(id), {
        identity: agent,
        body: { sequence: 1, run: inState('VERIFY', Date.now()) },
      }),
      await rig.call('PUT', agentApiPaths.registration('key-of-run-2'), { identity: agent, body: aRegistration() }),
    ]
    rig.logs.append = append
    rig.store.transact = transact
    expect(refused.map(({ status, body }) => [status, body.error.code])).toEqual(
      Array.from({ length: 3 }, () => [507, 'LOCAL_DISK_FULL']),
    )
    expect((await put(id, 0, 'text')).body).toEqual({ sizeBytes: 4 })
    expect(await text(id)).toBe('text')
  })

  it('what goes wrong inside is logged and leaves no trace in the answer', async () => {
    const { id } = await registerRun(rig, agent, 'key-of-run-1')
    const { append } = rig.logs
    rig.logs.append = () => Promise.reject(new Error('canary of the inside'))
    const { status, body } = await put(id, 0, 'text')
    rig.logs.append = append
    expect([status, body.error.code]).toEqual([500, 'INTERNAL'])
    expect(JSON.stringify(body)).not.toContain('canary')
    expect(rig.logLines.join('')).toContain('canary of the inside')
  })
})
