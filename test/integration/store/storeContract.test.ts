import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CertificateQuery } from '../../../src/engine/ports.ts'
import type { SqliteStore } from '../../../src/engine/store/index.ts'
import type { IssuedCertificate } from '../../../src/shared/model/certificate.ts'
import type { EngineEvent } from '../../../src/shared/model/event.ts'
import { IdempotencyKey, NodeId, PlanId, RepositoryId, RunId } from '../../../src/shared/model/ids.ts'
import { type Repository, RepositoryInput, type ScanReport } from '../../../src/shared/model/repository.ts'
import { aNode } from '../../fakes/aNode.ts'
import { aCertificate, aJoinToken, anAgent, anAuditEntry, aPlan, aRun, clock, newId, StoreFixture } from './fixtures.ts'

const nodeId = () => NodeId.parse(newId())

describe.each([
  ['a file', undefined],
  ['memory', ':memory:'],
])('store on %s', (_, databaseFile) => {
  let fixture: StoreFixture
  let store: SqliteStore
  beforeEach(async () => {
    fixture = new StoreFixture()
    store = await fixture.open(databaseFile === undefined ? {} : { databaseFile })
  })
  afterEach(() => fixture.dispose())

  it('keeps nodes and plans by id and name, and replaces them whole', async () => {
    const node = aNode({ id: nodeId(), name: 'b' })
    const other = aNode({ id: nodeId(), name: 'a' })
    const plan = aPlan({ name: 'tab\there ünïcode "quoted"' })
    await store.transact(async (transaction) => {
      await transaction.saveNode(node)
      await transaction.saveNode(other)
      await transaction.savePlan(plan)
    })
    expect(await store.listNodes()).toEqual([other, node])
    expect(await store.getNode(node.id)).toEqual(node)
    expect(await store.findNodeByName('b')).toEqual(node)
    expect(await store.findNodeByName('B')).toBeNull()
    expect(await store.getPlan(plan.id)).toEqual(plan)
    expect(await store.findPlanByName(plan.name)).toEqual(plan)
    const renamed = { ...node, name: 'c', labels: { stage: 'test' } }
    await store.transact((transaction) => transaction.saveNode(renamed))
    expect(await store.findNodeByName('b')).toBeNull()
    expect(await store.getNode(node.id)).toEqual(renamed)
    await store.transact(async (transaction) => {
      await transaction.removeNode(node.id)
      await transaction.removePlan(plan.id)
    })
    expect(await store.listNodes()).toEqual([other])
    expect(await store.listPlans()).toEqual([])
  })

  it('refuses a name twice, with a message that names it, and keeps nothing of that transaction', async () => {
    await store.transact((transaction) => transaction.saveNode(aNode({ id: nodeId(), name: 'taken' })))
    const attempt = store.transact(async (transaction) => {
      await transaction.setSetting('written', 'before')
      await transaction.saveNode(aNode({ id: nodeId(), name: 'taken' }))
    })
    await expect(attempt).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('"taken"') })
    expect(await store.getSetting('written')).toBeNull()
    expect(await store.headSeq()).toBe(1)
  })

  it('rolls everything back when the body throws, and when it swallows a failed write', async () => {
    const node = aNode({ id: nodeId(), name: 'one' })
    const thrown = store.transact(async (transaction) => {
      await transaction.saveNode(node)
      throw new RangeError('from the body')
    })
    await expect(thrown).rejects.toThrow(RangeError)
    await store.transact((transaction) => transaction.saveNode(node))
    const swallowed = store.transact(async (transaction) => {
      await transaction.setSetting('half', 'done')
      await transaction.saveNode(aNode({ id: nodeId(), name: 'one' })).catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await store.getSetting('half')).toBeNull()
    expect(await store.listNodes()).toHaveLength(1)
  })

  it('S0.88 finds a run by its key and refuses the key for another run', async () => {
    const run = aRun({ idempotencyKey: 'client-key-1' })
    const saved = await store.transact((transaction) => transaction.saveRun(run))
    expect(saved).toEqual({ ...run, seq: 1 })
    expect(await store.findRunByKey(IdempotencyKey.parse('client-key-1'))).toEqual(saved)
    const second = store.transact((transaction) => transaction.saveRun(aRun({ idempotencyKey: 'client-key-1' })))
    await expect(second).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await store.findRunByKey(IdempotencyKey.parse('client-key-2'))).toBeNull()
  })

  it('lists runs newest first by node, plan, batch, status and cursor, and open ones oldest first', async () => {
    const [node, plan, batch] = [newId(), newId(), newId()]
    const runs = [
      aRun({ nodeId: node, planId: plan, batchId: batch, status: 'succeeded' }),
      aRun({ nodeId: node, status: 'running' }),
      aRun({ planId: plan, batchId: batch, status: 'halted' }),
      aRun({ nodeId: node, planId: plan, status: 'failed' }),
      aRun({ status: 'queued' }),
    ]
    await store.transact(async (transaction) => {
      for (const run of runs) await transaction.saveRun(run)
    })
    const positions = async (query: Parameters<typeof store.listRuns>[0]) =>
      (await store.listRuns(query)).map(({ id }) => runs.findIndex((run) => run.id === id))
    expect(await positions({ limit: 100 })).toEqual([4, 3, 2, 1, 0])
    expect(await positions({ limit: 2 })).toEqual([4, 3])
    expect(await positions({ limit: 2, before: runs[3]?.id ?? RunId.parse('') })).toEqual([2, 1])
    expect(await positions({ limit: 9, nodeId: NodeId.parse(node) })).toEqual([3, 1, 0])
    expect(await positions({ limit: 9, nodeId: NodeId.parse(node), planId: PlanId.parse(plan) })).toEqual([3, 0])
    expect(await positions({ limit: 9, statuses: ['failed', 'halted'] })).toEqual([3, 2])
    expect(await positions({ limit: 9, statuses: [] })).toEqual([])
    expect((await store.listOpenRuns()).map(({ status }) => status)).toEqual(['running', 'halted', 'queued'])
  })

  it('F76 reports the share of files deleted by the newest successful runs', async () => {
    const [node, plan] = [newId(), newId()]
    const summary = (filesTotal: number, filesDeleted: number) => ({
      filesTotal,
      filesDeleted,
      filesTransferred: 0,
      bytesTotal: 0,
      bytesTransferred: 0,
      durationMs: 1,
    })
    await store.transact(async (transaction) => {
      for (const [status, total, deleted] of [
        ['succeeded', 100, 0],
        ['succeeded', 75, 25],
        ['failed', 1, 99],
        ['succeeded', 0, 0],
      ] as const) {
        await transaction.saveRun(aRun({ nodeId: node, planId: plan, status, summary: summary(total, deleted) }))
      }
    })
    expect(await store.recentDeleteShares(PlanId.parse(plan), NodeId.parse(node), 10)).toEqual([0, 0.25, 0])
    expect(await store.recentDeleteShares(PlanId.parse(plan), NodeId.parse(node), 2)).toEqual([0, 0.25])
    expect(await store.recentDeleteShares(PlanId.parse(plan), nodeId(), 2)).toEqual([])
  })

  it('D37 gives a lock to one run at a time, again to its holder, and releases all of a run', async () => {
    const [first, second] = [RunId.parse(newId()), RunId.parse(newId())]
    const lock = { nodeId: nodeId(), target: '/var/www', runId: first, acquiredAt: 5 }
    const take = (change: Partial<typeof lock>) =>
      store.transact((transaction) => transaction.acquireLock({ ...lock, ...change }))
    expect(await take({})).toBe(true)
    expect(await take({ acquiredAt: 9 })).toBe(true)
    expect(await take({ runId: second })).toBe(false)
    expect(await take({ target: '/srv' })).toBe(true)
    expect(await take({ runId: second, nodeId: nodeId() })).toBe(true)
    expect(await store.listLocks()).toHaveLength(3)
    expect(await store.listLocks()).toContainEqual(lock)
    await store.transact((transaction) => transaction.releaseLocks(first))
    expect(await take({ runId: second })).toBe(true)
  })

  it('hands out each serial once, also after a rolled-back reservation, and refuses one seen before', async () => {
    expect(await store.transact((transaction) => transaction.reserveSerials(3))).toBe(1n)
    expect(await store.transact((transaction) => transaction.reserveSerials(1))).toBe(4n)
    const rolledBack = store.transact(async (transaction) => {
      await transaction.reserveSerials(10)
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect(await store.transact((transaction) => transaction.reserveSerials(1))).toBe(5n)
    const node = nodeId()
    const certificates = [
      aCertificate(1n),
      aCertificate(2n, { nodeId: node, nodeName: 'n' }),
      aCertificate(2n ** 64n - 1n),
    ]
    await store.transact((transaction) => transaction.insertCertificates(certificates))
    expect(await store.listCertificates({ nowMs: 0, limit: 9 })).toEqual(certificates.toReversed())
    expect(await store.listCertificates({ nowMs: 0, limit: 9, nodeId: node })).toEqual([certificates[1]])
    const again = store.transact((transaction) => transaction.insertCertificates([aCertificate(9n), aCertificate(2n)]))
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('serial 2') })
    expect(await store.listCertificates({ nowMs: 0, limit: 9 })).toHaveLength(3)
  })

  it('N4 finds certificates by standing, purpose, text, end, authority and cursor', async () => {
    const certificates = [
      aCertificate(1n, { keyId: 'Backup_Agent', validBefore: 1_000 }),
      aCertificate(2n, { purpose: 'host', principals: ['edge-1.example'], validBefore: 5_000 }),
      aCertificate(3n, { purpose: 'agent', reason: '100% sure', validBefore: 6_000 }),
      aCertificate(1n, { authorityFingerprint: 'SHA256:other', validBefore: 7_000 }),
    ]
    await store.transact((transaction) => transaction.insertCertificates(certificates))
    const revocation = { revokedAt: 4_000, revokedBy: 'ann@desk', reason: 'lost laptop' }
    const third = certificates[2] as IssuedCertificate
    const revoke = () => store.transact((transaction) => transaction.revokeCertificates([third.id], revocation))
    expect(await revoke()).toEqual([{ ...third, revocation }])
    expect(await revoke(), 'the first revocation stays').toEqual([])
    const found = async (query: Partial<CertificateQuery>) =>
      (await store.listCertificates({ nowMs: 5_000, limit: 9, ...query })).map(({ id }) =>
        certificates.findIndex((one) => one.id === id),
      )
    expect(await found({})).toEqual([3, 2, 1, 0])
    expect(await found({ standing: 'live' })).toEqual([3])
    expect(await found({ standing: 'expired' })).toEqual([1, 0])
    expect(await found({ standing: 'revoked' })).toEqual([2])
    expect(await found({ purposes: ['host', 'agent'] })).toEqual([2, 1])
    expect(await found({ purposes: [] })).toEqual([])
    expect(await found({ search: 'backup_a' })).toEqual([0])
    expect(await found({ search: 'EDGE-1' })).toEqual([1])
    expect(await found({ search: '100%' })).toEqual([2])
    expect(await found({ search: '%' })).toEqual([2])
    expect(await found({ endsFrom: 5_000, endsBefore: 7_000 })).toEqual([2, 1])
    expect(await found({ authorityFingerprint: 'SHA256:other' })).toEqual([3])
    expect(await found({ serials: ['1', '2'] })).toEqual([3, 1, 0])
    expect(await found({ before: third.id })).toEqual([1, 0])
    expect(await store.countExpiries({ from: 0, to: 7_001, stepMs: 5_000 })).toEqual([
      { from: 0, to: 5_000, user: 1, host: 0, agent: 0, revoked: 0 },
      { from: 5_000, to: 7_001, user: 1, host: 1, agent: 0, revoked: 1 },
    ])
  })

  it('keeps agents, join tokens by the hash of their secret, agent runs and what an operation did for a node', async () => {
    const agent = anAgent()
    const token = { token: aJoinToken(), secretHash: 'f'.repeat(64) }
    const runId = aRun().id
    const key = IdempotencyKey.parse('renew-12345678')
    await store.transact(async (transaction) => {
      await transaction.saveAgent(agent)
      await transaction.saveAgent({ ...agent, status: 'revoked' })
      await transaction.saveJoinToken(token)
      await transaction.saveAgentRun({ runId, agentId: agent.id, sequence: 1, lastReportAt: 5 })
      await transaction.saveAgentRun({ runId, agentId: agent.id, sequence: 7, lastReportAt: 9 })
      await transaction.saveOperation({ key, nodeId: agent.nodeId, result: '41' })
      await transaction.saveOperation({ key, nodeId: agent.nodeId, result: '42' })
    })
    expect(await store.listAgents()).toEqual([{ ...agent, status: 'revoked' }])
    expect(await store.getAgent(agent.id)).toEqual({ ...agent, status: 'revoked' })
    expect(await store.findJoinToken(token.secretHash)).toEqual(token)
    expect(await store.findJoinToken('0'.repeat(64))).toBeNull()
    expect(await store.getJoinToken(token.token.id)).toEqual(token)
    expect(await store.listJoinTokens()).toEqual([token.token])
    expect(await store.getAgentRun(runId)).toEqual({ runId, agentId: agent.id, sequence: 7, lastReportAt: 9 })
    expect(await store.getOperation(key, agent.nodeId)).toEqual({ key, nodeId: agent.nodeId, result: '42' })
    const again = store.transact((transaction) => transaction.saveJoinToken({ ...token, token: aJoinToken() }))
    await expect(again, 'two tokens never share a secret').rejects.toThrow()
    await store.transact((transaction) => transaction.removeAgent(agent.id))
    expect(await store.listAgents()).toEqual([])
    const kinds = (await store.eventsAfter(0, 99)).map(({ change }) => change.kind)
    expect(kinds).toEqual(['agent.saved', 'agent.saved', 'joinTokens.changed', 'agent.removed'])
  })

  it('S2.2 S2.17 keeps repositories by id and name, with reports and allowed findings that go with them', async () => {
    const id = RepositoryId.parse(newId())
    const other = RepositoryId.parse(newId())
    const repository = (of: RepositoryId, name: string): Repository => ({
      id: of,
      settings: RepositoryInput.parse({ name, remote: 'https://git.example/p.git' }),
      hasToken: false,
      state: { heads: { main: '1'.repeat(40) }, fetchedAt: 5, diagnosis: null, warnings: [] },
      createdAt: 1,
      updatedAt: 1,
    })
    const report = (of: RepositoryId, commit: string, scannedAt: number): ScanReport => ({
      repositoryId: of,
      commit: commit.repeat(40),
      status: 'clean',
      scannedAt,
      durationMs: 1,
      tool: 'search 1',
      scope: { kind: 'full' },
      filesScanned: 1,
      findings: [],
      findingsTotal: 0,
      ignoredDirectives: [],
      skipped: [],
      diagnosis: null,
    })
    const allowed = (of: RepositoryId) => ({
      repositoryId: of,
      hash: 'a'.repeat(64),
      rule: 'private-key',
      file: 'keys/id',
      reason: 'a test',
      owner: 'tester',
      createdAt: 1,
      expiresAt: null,
    })
    const before = await store.headSeq()
    await store.transact(async (transaction) => {
      await transaction.saveRepository(repository(id, 'b'))
      await transaction.saveRepository(repository(other, 'a'))
      for (const each of [id, other]) {
        await transaction.saveScanReport(report(each, '2', 20))
        await transaction.saveScanReport(report(each, '3', 10))
        await transaction.saveAllowedFinding(allowed(each))
      }
    })
    const changes = (await store.eventsAfter(before, 100)).map(({ change }) => change.kind)
    expect(changes).toEqual(Array.from({ length: 8 }, () => 'repositories.changed'))
    expect((await store.listRepositories()).map(({ settings }) => settings.name)).toEqual(['a', 'b'])
    expect(await store.getRepository(id)).toEqual(repository(id, 'b'))
    expect((await store.findRepositoryByName('a'))?.id).toBe(other)
    expect((await store.getScanReport(id))?.commit).toBe('2'.repeat(40))
    expect(await store.getScanReport(id, '3'.repeat(40))).toEqual(report(id, '3', 10))
    const twice = store.transact((transaction) => transaction.saveRepository(repository(other, 'b')))
    await expect(twice).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('"b"') })

    await store.transact((transaction) => transaction.removeAllowedFinding(other, 'a'.repeat(64)))
    await store.transact((transaction) => transaction.removeRepository(id))
    expect([await store.getRepository(id), await store.getScanReport(id)]).toEqual([null, null])
    expect([await store.listAllowedFindings(id), await store.listAllowedFindings(other)]).toEqual([[], []])
    expect(await store.getScanReport(other)).toEqual(report(other, '2', 20))
  })

  it('U9 gives each version of the revocation list once, also after a rolled-back one', async () => {
    const next = () => store.transact((transaction) => transaction.nextKrlVersion())
    expect(await next()).toBe(1)
    const rolledBack = store.transact(async (transaction) => {
      await transaction.nextKrlVersion()
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    expect(await next()).toBe(2)
  })

  it('N14 chains audit rows over transactions and verifies them', async () => {
    expect(await store.verifyAudit()).toMatchObject({ entries: 0, intact: true })
    await store.transact(async (transaction) => {
      await transaction.appendAudit([anAuditEntry(1), anAuditEntry(2)])
      await transaction.appendAudit([anAuditEntry(3)])
    })
    await store.transact((transaction) => transaction.appendAudit([anAuditEntry(4)]))
    const rows = await store.listAudit({ limit: 10 })
    expect(rows.map(({ seq }) => seq)).toEqual([4, 3, 2, 1])
    expect(rows[0]).toMatchObject({ ...anAuditEntry(4), previousHash: rows[1]?.hash })
    expect((await store.listAudit({ beforeSeq: 3, limit: 1 })).map(({ seq }) => seq)).toEqual([2])
    expect(await store.verifyAudit()).toEqual({
      entries: 4,
      intact: true,
      firstBrokenSeq: null,
      headHash: rows[0]?.hash,
    })
  })

  it('appends one event for each change, in order, stamped, and replays them', async () => {
    const heard: EngineEvent[][] = []
    const stop = store.onCommitted((events) => heard.push([...events]))
    const [node, plan, certificate] = [aNode({ id: nodeId() }), aPlan(), aCertificate(1n)]
    const run = await store.transact(async (transaction) => {
      await transaction.saveNode(node)
      await transaction.savePlan(plan)
      await transaction.insertCertificates([certificate])
      await transaction.removeNode(node.id)
      await transaction.removeNode(node.id)
      return transaction.saveRun(aRun())
    })
    await store.transact((transaction) => transaction.setSetting('silent', 'yes'))
    stop()
    await store.transact((transaction) => transaction.removePlan(plan.id))
    const changes = [
      { kind: 'node.saved', node },
      { kind: 'plan.saved', plan },
      { kind: 'certificate.issued', certificate },
      { kind: 'node.removed', nodeId: node.id },
      { kind: 'run.saved', run },
    ]
    const expected = changes.map((change, index) => ({ seq: index + 1, at: clock.nowMs(), change }))
    expect(heard).toEqual([expected])
    expect(run.seq).toBe(5)
    expect(await store.eventsAfter(0, 5)).toEqual(expected)
    expect((await store.eventsAfter(4, 100)).map(({ seq }) => seq)).toEqual([5, 6])
    expect(await store.headSeq()).toBe(6)
    expect(await store.oldestSeq()).toBe(0)
  })

  it('tells listeners before it tells the writer, goes on when one throws, and says nothing of what was rolled back', async () => {
    const heard: string[] = []
    store.onCommitted(() => {
      throw new Error('broken listener')
    })
    store.onCommitted((events) => heard.push(`events ${events.map(({ seq }) => seq).join()}`))
    const saved = store.transact((transaction) => transaction.saveRun(aRun())).then(() => heard.push('resolved'))
    const failed = store
      .transact(async (transaction) => {
        await transaction.saveRun(aRun())
        throw new Error('no')
      })
      .catch(() => undefined)
    await Promise.all([saved, failed])
    expect(heard).toEqual(['events 1', 'resolved'])
  })

  it('runs bodies one after another, each seeing the one before, although they are committed together', async () => {
    const bodies = Array.from({ length: 600 }, (_unused, index) =>
      store.transact(async (transaction) => {
        const before = Number((await transaction.getSetting('count')) ?? '0')
        await Promise.resolve()
        if (index % 10 === 3) throw new Error(`body ${index}`)
        await transaction.setSetting('count', String(before + 1))
        return before
      }),
    )
    const outcomes = await Promise.allSettled(bodies)
    const values = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    expect(values).toEqual(Array.from({ length: 540 }, (_unused, index) => index))
    expect(await store.getSetting('count')).toBe('540')
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(60)
  })

  it('never shows a reader outside what is not committed', async () => {
    let seen: Promise<string | null> | undefined
    const outside = async () => store.getSetting('key')
    let startReading: () => void = () => undefined
    const reading = new Promise<void>((resolve) => {
      startReading = resolve
    }).then(() => {
      seen = outside()
    })
    const failed = store.transact(async (transaction) => {
      await transaction.setSetting('key', 'uncommitted')
      startReading()
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
      throw new Error('roll back')
    })
    await expect(failed).rejects.toThrow('roll back')
    await reading
    expect(await seen).toBeNull()
  })

  it('turns what would be a deadlock, and a transaction used too late, into an error', async () => {
    await expect(store.transact(() => store.headSeq())).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(store.transact(() => store.transact(async () => 1))).rejects.toMatchObject({ code: 'INTERNAL' })
    const escaped = await store.transact(async (transaction) => ({ transaction }))
    await expect(escaped.transaction.setSetting('a', 'b')).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(escaped.transaction.listNodes()).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('finishes what was asked before it closes, and refuses what comes after', async () => {
    const pending = store.transact((transaction) => transaction.setSetting('last', 'word'))
    const closing = store.close()
    await expect(pending).resolves.toBeUndefined()
    await closing
    await store.close()
    await expect(store.transact(async () => 1)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    await expect(store.listNodes()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  })

  it('keeps as many events as asked for and says from where on', async () => {
    const small = await fixture.open({ databaseFile: databaseFile ?? `${fixture.directory}/small.db`, keepEvents: 100 })
    const node = aNode({ id: nodeId() })
    for (let round = 0; round < 10; round += 1) {
      await small.transact(async (transaction) => {
        for (let index = 0; index < 25; index += 1) await transaction.saveNode(node)
      })
    }
    const [head, oldest] = [await small.headSeq(), await small.oldestSeq()]
    expect(head).toBe(250)
    expect(oldest).toBeGreaterThan(head - 111)
    expect(oldest).toBeLessThanOrEqual(head - 99)
    const kept = await small.eventsAfter(0, 1_000)
    expect(kept.map(({ seq }) => seq)).toEqual(
      Array.from({ length: head - oldest + 1 }, (_unused, index) => oldest + index),
    )
  })
})
