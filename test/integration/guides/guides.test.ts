import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import type { GuideReport } from '../../../src/shared/model/guide.ts'
import type { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
  await engine.client.demo.up({ nodes: 3 })
  const idempotencyKey = 'guides-test-1' as IdempotencyKey
  await engine.client.runs.push({ idempotencyKey, plans: [], targets: { kind: 'all' } })
  await waitFor(
    'a fleet in step',
    async () => {
      const nodes = await engine.client.nodes.list({ filter: '' })
      return nodes.length === 3 && nodes.every(({ status }) => status === 'active')
    },
    { timeoutMs: 60_000 },
  )
})

afterAll(() => engine.dispose())

const vps = 'edge-fra-1'
const tileOf = async () => computeTile(await engine.node(vps), Date.now())
/** A fault of the demo begins and ends with another sshd: who looks in between finds nobody. */
const untilBack = () =>
  waitFor(
    'the node is back',
    async () => (await engine.client.nodes.check({ node: vps })).reachability.status === 'reachable',
    { timeoutMs: 30_000 },
  )
/** A file of the node, as this machine sees it. */
async function fileOf(path: string): Promise<string> {
  const { nodes } = await engine.client.demo.status()
  const directory = nodes.find(({ name }) => name === vps)?.directory ?? ''
  return join(directory, 'home', path.slice(2))
}
/** And nobody works on it: a run that is cut by the next fault would leave it in doubt. */
const untilInStep = () =>
  waitFor(
    'the node in step and at rest',
    async () => {
      const { runs } = await engine.client.runs.list({ node: vps, statuses: ['queued', 'running'], limit: 1 })
      return runs.length === 0 && (await tileOf()).fill === 'in-step'
    },
    { timeoutMs: 60_000 },
  )
const failedSteps = ({ steps }: GuideReport): string[] =>
  steps.filter(({ status }) => status === 'failed').map(({ question }) => question)

describe('guides on real nodes', () => {
  it('S1.105 nothing is wrong with an engine that keeps its fleet in step', async () => {
    const report = await engine.client.guides.examine({ guide: 'nothing-is-synced' })
    expect(failedSteps(report)).toEqual([])
    expect(report.diagnosis).toBeNull()
  })

  it('S1.106 a node in step has nothing to be found', async () => {
    const report = await engine.client.guides.examine({ guide: 'node-stays-pending', node: vps })
    expect({ failed: failedSteps(report), diagnosis: report.diagnosis }).toEqual({ failed: [], diagnosis: null })
    expect(report.steps.map(({ question }) => question)).toEqual(
      expect.arrayContaining(['Connect?', 'Host key?', 'Login?', 'What became of the last try?']),
    )
  })

  it('S1.71 S1.106 a node that refuses the connection: the cause with its evidence, and nothing was changed by looking', async () => {
    await engine.client.demo.fault({ node: vps, fault: 'offline' })
    const before = await engine.client.audit.list({ limit: 1 })
    const report = await engine.client.guides.examine({ guide: 'node-stays-pending', node: vps })
    expect(report.diagnosis?.code).toBe('CONNECTION_REFUSED')
    expect(failedSteps(report)).toContain('Connect?')
    const after = await engine.client.audit.list({ limit: 1 })
    expect(after[0]?.action === before[0]?.action || after[0]?.action.startsWith('certificate')).toBe(true)
    await engine.client.demo.heal({ node: vps })
    await untilBack()
  })

  it('S1.106 maintenance is found, ended by the button, and the node is synced', async () => {
    await engine.client.nodes.update({ node: vps, patch: { maintenance: true } })
    const { offer, diagnosis } = await engine.client.guides.examine({ guide: 'node-stays-pending', node: vps })
    expect(diagnosis?.sentence).toContain('maintenance')
    if (offer === null) throw new Error('nothing is offered')
    expect((await engine.client.guides.fix({ fix: offer.fix })).done).toContain(vps)
    expect((await engine.node(vps)).maintenance).toBe(false)
    await engine.runOf(vps, (run) => run.status === 'succeeded')
    const audit = await engine.client.audit.list({ limit: 20 })
    expect(audit.find(({ action }) => action === 'guide.fix')).toMatchObject({ actor: 'tester@here', subject: vps })
  })

  it('S1.107 a node that no routes plan selects', async () => {
    const report = await engine.client.guides.examine({ guide: 'routes-not-updating', node: 'ada-laptop' })
    expect(report.diagnosis?.sentence).toContain('No plan of kind routes selects ada-laptop')
  })

  it('a guide of a node asks for one, and what only a person can do is refused with words', async () => {
    await expect(engine.client.guides.examine({ guide: 'routes-not-updating' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    const fix = { kind: 'by-hand', nodeId: null, command: 'x' } as const
    await expect(engine.client.guides.fix({ fix })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('a guide that reads on a node what is not as it was proven', () => {
  beforeAll(async () => {
    await engine.client.demo.up({ nodes: 3, registry: true })
    await engine.client.runs.push({
      idempotencyKey: 'guides-test-2' as IdempotencyKey,
      plans: [],
      targets: { kind: 'all' },
    })
    await untilInStep()
    expect((await engine.node(vps)).plans.map(({ planName }) => planName)).toContain('demo-routes')
  })

  it('S1.77 S1.107 a guide that finds Traefik down takes the green away, and its button brings it back by a run', async () => {
    expect((await tileOf()).fill).toBe('in-step')
    // Not the fault of the demo, which takes the connection along and with it the green.
    const pidFile = await fileOf('~/traefik/traefik.pid')
    const pid = await readFile(pidFile)
    await rm(pidFile)
    const report = await engine.client.guides.examine({ guide: 'routes-not-updating', node: vps })
    expect(report.diagnosis?.code).toBe('TRAEFIK_NOT_RUNNING')
    expect(await tileOf()).toMatchObject({ fill: 'pending', drift: true, diagnosis: { code: 'TRAEFIK_NOT_RUNNING' } })
    // A second look finds the same, and changes nothing any more.
    const before = await engine.node(vps)
    await engine.client.guides.examine({ guide: 'routes-not-updating', node: vps })
    expect((await engine.node(vps)).updatedAt).toBe(before.updatedAt)
    await writeFile(pidFile, pid)
    await engine.client.guides.fix({ fix: { kind: 'resync', nodeId: before.id } })
    await untilInStep()
    expect((await engine.node(vps)).plans.every(({ driftReason }) => driftReason == null)).toBe(true)
  })

  it('S1.77 S1.107 a routes file that somebody has changed on the node is no longer green once a guide has read it', async () => {
    const plan = await engine.client.plans.get({ plan: 'demo-routes' })
    if (plan.kind !== 'routes') throw new Error('routes')
    const file = await fileOf(plan.spec.file)
    await writeFile(file, 'http: {}\n')
    const report = await engine.client.guides.examine({ guide: 'routes-not-updating', node: vps })
    expect(report.diagnosis?.code).toBe('VERIFY_MISMATCH')
    expect(await tileOf()).toMatchObject({ fill: 'pending', drift: true, short: 'routes differ' })
    await engine.client.guides.fix({ fix: { kind: 'resync', nodeId: (await engine.node(vps)).id } })
    await untilInStep()
  })

  it('S1.107 a node that does not answer has said nothing: its proof stays as it was', async () => {
    await engine.client.demo.fault({ node: vps, fault: 'offline' })
    const report = await engine.client.guides.examine({ guide: 'routes-not-updating', node: vps })
    expect(report.diagnosis).not.toBeNull()
    expect((await engine.node(vps)).plans.every(({ driftSince }) => driftSince === null)).toBe(true)
    await engine.client.demo.heal({ node: vps })
    await untilBack()
  })
})

describe('plans and the demo fleet', () => {
  it('a plan that would write a file of this very machine is refused before it exists', async () => {
    const plan = PlanInput.parse({
      name: 'names',
      kind: 'hosts',
      selector: 'kind:laptop',
      spec: { hosts: { domain: 'example.com' } },
    })
    await expect(engine.client.plans.apply({ plans: [plan] })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('/etc/hosts of this very machine'),
    })
    const elsewhere = { ...plan, selector: 'kind:laptop not label.lockstep.demo:yes' }
    expect(await engine.client.plans.apply({ plans: [elsewhere] })).toHaveLength(1)
  })
})
