import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { isFinal, type Run } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let test: TestEngine
let names: string[]
let keys = 0

const nextKey = (): IdempotencyKey => {
  keys += 1
  return IdempotencyKey.parse(`fleet-test-${keys}`)
}
const ended = (run: Run): boolean => isFinal(run.status) || run.status === 'halted'

async function pushAll(key = nextKey()): Promise<Run[]> {
  const { runs } = await test.client.runs.push({ idempotencyKey: key, targets: { kind: 'all' } })
  return Promise.all(
    runs.map((run) =>
      waitFor(
        `run ${run.id} to end`,
        async () => {
          const now = await test.client.runs.get({ runId: run.id })
          return ended(now) ? now : false
        },
        { timeoutMs: 30_000 },
      ),
    ),
  )
}

async function tileOf(name: string): Promise<string> {
  return computeTile(await test.node(name), Date.now()).fill
}

describe('a fleet, from the engine on', () => {
  beforeAll(async () => {
    test = await startTestEngine({ config: { unreachableProbeIntervalMs: 300 } })
    // At once, as two impatient windows would: the second call finds what the first one made.
    const [, status] = await Promise.all([test.client.demo.up({ nodes: 3 }), test.client.demo.up({ nodes: 4 })])
    names = status.nodes.map((node) => node.name)
  }, 60_000)
  afterAll(() => test.dispose(), 60_000)

  it('is registered with pinned host keys and a plan, and nothing is green before it was verified', async () => {
    const nodes = await test.client.nodes.list({ filter: '' })
    expect(nodes.map((node) => node.name).sort()).toEqual([...names].sort())
    for (const node of nodes) {
      expect(node.hostKeys).toHaveLength(1)
      expect(computeTile(node, Date.now()).fill).toBe('never-synced')
    }
  })

  it('S0.41 goes through the states in order, and every tile is green because it was read back', async () => {
    const runs = await pushAll()
    expect(runs.map((run) => `${run.nodeName} ${run.status} ${run.failure?.sentence ?? ''}`.trim())).toEqual(
      runs.map((run) => `${run.nodeName} succeeded`),
    )
    for (const run of runs) {
      expect(run.visits.map((visit) => visit.state)).toEqual([
        'INIT',
        'ENSURE_CERT',
        'ACQUIRE_LOCK',
        'REGISTER_RUN',
        'PRE_FLIGHT_CHECK',
        'PUSH_SYNC',
        'PULL_SYNC',
        'VERIFY',
        'REPORT',
        'FINALIZE',
      ])
      expect(run.proof?.digest).toMatch(/^[0-9a-f]{64}$/)
      expect(run.summary?.filesTransferred).toBeGreaterThan(0)
    }
    for (const name of names) expect(await tileOf(name)).toBe('in-step')
  }, 60_000)

  it('S0.88 the same key gives the same runs, and a push without changes transfers nothing', async () => {
    const key = nextKey()
    const first = await pushAll(key)
    const second = await pushAll(key)
    expect(second.map((run) => run.id).sort()).toEqual(first.map((run) => run.id).sort())
    expect(first.map((run) => run.summary?.filesTransferred)).toEqual(first.map(() => 0))
    expect(first.every((run) => run.proof !== null)).toBe(true)
    // The whole tree is hashed on every node, so all of them prove the same digest.
    expect(new Set(first.map((run) => run.proof?.digest)).size).toBe(1)
    const one = { kind: 'nodes' as const, nodes: [names[0] as string] }
    await expect(test.client.runs.push({ idempotencyKey: key, targets: one })).rejects.toMatchObject({
      code: 'CONFLICT',
    })
  }, 60_000)

  it('S1.63, S1.72, S1.40 a silent node says why, holds nobody up, and turns green by itself when it is back', async () => {
    const silent = names[0] as string
    await test.client.demo.fault({ node: silent, fault: 'offline' })
    const runs = await pushAll()
    const failed = runs.find((run) => run.nodeName === silent)
    expect(failed).toMatchObject({ status: 'failed', failure: { code: 'CONNECTION_REFUSED' } })
    expect(runs.filter((run) => run.status === 'succeeded')).toHaveLength(names.length - 1)
    expect(await test.node(silent)).toMatchObject({ status: 'pending_sync', reachability: { status: 'unreachable' } })
    expect(await tileOf(silent)).toBe('unreachable')

    await test.client.demo.heal({ node: silent })
    await waitFor(`${silent} to turn green`, async () => (await tileOf(silent)) === 'in-step', { timeoutMs: 30_000 })
  }, 60_000)

  it('F7 sees at once that a node has gone, without anybody asking', async () => {
    const gone = names[0] as string
    await test.client.nodes.check({ node: gone })
    expect(await tileOf(gone)).toBe('in-step')
    await test.client.demo.fault({ node: gone, fault: 'offline' })
    await waitFor(`${gone} to show as unreachable`, async () => (await tileOf(gone)) === 'unreachable')
    await test.client.demo.heal({ node: gone })
    await waitFor(`${gone} to turn green`, async () => (await tileOf(gone)) === 'in-step', { timeoutMs: 30_000 })
  }, 60_000)

  it('S0.39, D4 names the principal that the node does not list', async () => {
    const node = names[1] as string
    await test.client.demo.fault({ node, fault: 'wrong-principal' })
    const [renewal] = await test.client.certificates.renew({ targets: { kind: 'nodes', nodes: [node] } })
    expect(renewal?.accepted).toBe(false)
    const report = await test.client.nodes.doctor({ node })
    expect(report.diagnosis?.code).toBe('PRINCIPAL_NOT_LISTED')
    await test.client.demo.heal({ node })
    const [again] = await test.client.certificates.renew({ targets: { kind: 'nodes', nodes: [node] } })
    expect(again).toMatchObject({ accepted: true, node: { certificate: { serial: again?.serial } } })
  }, 60_000)

  it('a changed host key stops everything before we authenticate, until a person accepts it', async () => {
    const name = names[2] as string
    const before = await test.node(name)
    await test.client.demo.fault({ node: name, fault: 'host-key-changed' })
    await pushAll()
    expect(await test.node(name)).toMatchObject({ hostKeys: before.hostKeys })
    expect(['halted', 'unreachable', 'error', 'pending']).toContain(await tileOf(name))
    const run = await test.runOf(name, ended)
    expect(run.halt?.diagnosis.code ?? run.failure?.code).toBe('HOST_KEY_CHANGED')

    await expect(
      test.client.nodes.acceptHostKey({
        node: name,
        fingerprint: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      }),
    ).rejects.toMatchObject({ code: 'CONFLICT' })
    await test.client.demo.heal({ node: name })
    if (run.status === 'halted') await test.client.runs.cancel({ runId: run.id })
    await waitFor(
      `${name} to turn green`,
      async () => {
        if ((await tileOf(name)) === 'in-step') return true
        await pushAll()
        return false
      },
      { timeoutMs: 30_000 },
    )
  }, 90_000)

  it('F76 halts before it deletes more than the plan allows, and goes on under the same id when a person says so', async () => {
    const plan = (await test.client.plans.list())[0]
    const source = (plan?.kind === 'tree' ? plan.spec.push?.source : undefined) as string
    const kept = new Map<string, Buffer>()
    const { readdir } = await import('node:fs/promises')
    for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || kept.size >= 10_000) continue
      kept.set(path, await readFile(path))
    }
    const victims = [...kept.keys()].slice(0, Math.floor(kept.size * 0.6))
    for (const path of victims) await rm(path)
    try {
      const runs = await pushAll()
      for (const run of runs) {
        expect(run).toMatchObject({ status: 'halted', halt: { reason: 'mass-delete' } })
        expect(run.halt?.deletePreview?.filesDeleted).toBe(victims.length)
      }
      expect(await tileOf(names[0] as string)).toBe('halted')
      const one = runs[0] as Run
      await test.client.runs.approve({ runId: one.id, reason: 'mass-delete' })
      const done = await waitFor(
        'the approved run to end',
        async () => {
          const now = await test.client.runs.get({ runId: one.id })
          return isFinal(now.status) ? now : false
        },
        { timeoutMs: 30_000 },
      )
      expect(done).toMatchObject({ id: one.id, status: 'succeeded' })
      for (const run of runs.slice(1)) await test.client.runs.cancel({ runId: run.id })
    } finally {
      for (const [path, content] of kept) await writeFile(path, content)
    }
  }, 90_000)

  it('keeps everything over a restart of the engine', async () => {
    const before = await test.client.nodes.list({ filter: '' })
    const runs = await test.client.runs.list({ limit: 1000 })
    test = await test.restart()
    const after = await test.client.nodes.list({ filter: '' })
    expect(after.map((node) => [node.name, node.lastSyncAt !== null])).toEqual(
      before.map((node) => [node.name, node.lastSyncAt !== null]),
    )
    const still = new Set((await test.client.runs.list({ limit: 1000 })).runs.map((run) => run.id))
    expect(runs.runs.every((run) => still.has(run.id))).toBe(true)
    expect(await test.client.audit.verify()).toMatchObject({ intact: true })
  }, 60_000)

  it('a node that is moved to another address is not green before it was verified there', async () => {
    const name = names[0] as string
    const { port } = await test.node(name)
    await test.client.nodes.update({ node: name, patch: { port: port === 1 ? 2 : 1 } })
    const moved = await test.node(name)
    expect(computeTile(moved, Date.now()).fill).not.toBe('in-step')
    expect(moved).toMatchObject({ status: 'pending_sync', certificate: null })
    expect(moved.plans.every((plan) => plan.observed === null)).toBe(true)
    await test.client.nodes.update({ node: name, patch: { port } })
    expect((await test.node(name)).plans.every((plan) => plan.observed === null)).toBe(true)
  }, 60_000)

  it('demo down leaves no node, no plan and no file', async () => {
    const status = await test.client.demo.down()
    expect(status).toMatchObject({ up: false, nodes: [] })
    expect(await test.client.nodes.list({ filter: '' })).toEqual([])
    expect(await test.client.plans.list()).toEqual([])
  }, 60_000)
})
